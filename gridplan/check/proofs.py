"""Can a part be cut into connected grids that are all in range? A search of the verifier's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

DEFAULT_WORK = 400_000


class WorkSpentError(Exception):
    """The search reached its limit without an answer."""


def fits_count(households: int, low: int, high: int) -> bool:
    """Tell whether some number of grids k has low·k ≤ households ≤ high·k.

    >>> [fits_count(h, 300, 500) for h in (299, 300, 500, 501, 599, 600)]
    [False, True, True, False, False, True]
    """
    return households > 0 and any(low * k <= households <= high * k
                                  for k in (households // low, -(-households // high)) if k)


def can_be_cut(households: Sequence[int], edges: Sequence[tuple[int, int]], low: int, high: int,
               work: int = DEFAULT_WORK) -> bool | None:
    """Tell whether a graph of units falls into connected pieces of ``low`` to ``high`` households.

    Every unit belongs to one piece. Returns None when ``work`` steps did not
    suffice. Units without households only connect: those whose neighbours are
    all neighbours of each other, or that have two neighbours only, are replaced
    by edges; what is left of them joins any piece beside it in the end.

    >>> path = [(0, 1), (1, 2), (2, 3)]
    >>> can_be_cut([150, 150, 200, 200], path, 300, 500)
    True
    >>> can_be_cut([283, 440, 283, 440], path, 300, 500)
    False
    """
    if not sum(households):
        return False
    near = _shrink(households, edges)
    budget = [work]
    try:
        # Lending an empty unit to several pieces at once is easier than the truth: where
        # even that fails there is a proof, and the graph is smaller.
        lent = _lend_all(near, households)
        if not _Search(lent, households, low, high, budget).solve():
            return False
        if lent == near:
            return True
        return _Search(near, households, low, high, budget).solve()
    except WorkSpentError:
        return None


def _shrink(households: Sequence[int], edges: Sequence[tuple[int, int]]) -> dict[int, set[int]]:
    near: dict[int, set[int]] = {k: set() for k in range(len(households))}
    for a, b in edges:
        if a != b:
            near[a].add(b)
            near[b].add(a)
    changed = True
    while changed:
        changed = False
        for k in sorted(near):
            if households[k]:
                continue
            around = near[k]
            clique = all(b in near[a] for a in around for b in around if a < b)
            if clique or len(around) == 2:
                _replace_by_edges(near, k)
                changed = True
    return near


def _replace_by_edges(near: dict[int, set[int]], gone: int) -> None:
    around = near.pop(gone)
    for a in around:
        near[a].discard(gone)
        near[a] |= around - {a}


def _lend_all(near: dict[int, set[int]], households: Sequence[int]) -> dict[int, set[int]]:
    lent = {k: set(v) for k, v in near.items()}
    for k in sorted(near):
        if not households[k]:
            _replace_by_edges(lent, k)
    return lent


class _Search:
    """Exact cover by connected sets in range, on bit masks; failed remainders are remembered."""

    def __init__(self, near: dict[int, set[int]], households: Sequence[int], low: int, high: int,
                 budget: list[int]) -> None:
        # Heaviest first: bit 0 is the unit with the fewest sets to try.
        names = sorted(near, key=lambda k: (-households[k], k))
        place = {name: bit for bit, name in enumerate(names)}
        self.load = [int(households[k]) for k in names]
        self.near = [sum(1 << place[o] for o in near[k]) for k in names]
        self.low, self.high, self.budget = low, high, budget
        self.known: dict[int, bool] = {}

    def solve(self) -> bool:
        """Solve every connected piece on its own."""
        return all(self._cover(piece) for piece in self._pieces((1 << len(self.load)) - 1))

    def _cover(self, free: int) -> bool:
        total = self._weigh(free)
        if not total:
            return True
        if not fits_count(total, self.low, self.high):
            return False
        if total <= self.high:
            return True
        if free in self.known:
            return self.known[free]
        root = free & -free
        answer = False
        for taken in self._sets(root, free):
            rest = self._pieces(free & ~taken)
            if all(fits_count(w, self.low, self.high) for p in rest if (w := self._weigh(p))) \
                    and all(self._cover(p) for p in rest):
                answer = True
                break
        self.known[free] = answer
        return answer

    def _sets(self, root: int, free: int) -> Iterator[int]:
        """Yield the connected sets in range that hold ``root``, each once."""
        first = root.bit_length() - 1
        stack = [(root, self.load[first], self.near[first] & free, free & ~root)]
        while stack:
            taken, load, edge, allowed = stack.pop()
            self.budget[0] -= 1
            if self.budget[0] < 0:
                raise WorkSpentError
            edge &= allowed
            if not edge:
                if self.low <= load <= self.high:
                    yield taken
                continue
            pick = edge & -edge
            bit = pick.bit_length() - 1
            allowed &= ~pick
            # Without it first on the stack, so that with it is tried first.
            if self._may_reach(taken, load, allowed):
                stack.append((taken, load, edge, allowed))
            if load + self.load[bit] <= self.high:
                stack.append((taken | pick, load + self.load[bit], edge | self.near[bit],
                              allowed))

    def _may_reach(self, taken: int, load: int, allowed: int) -> bool:
        """Tell whether the set can still grow to ``low`` inside what it may take."""
        if load >= self.low:
            return True
        grown, new = taken, taken
        while new:
            edge = 0
            while new:
                bit = new & -new
                edge |= self.near[bit.bit_length() - 1]
                new ^= bit
            new = edge & allowed & ~grown
            grown |= new
            if self._weigh(grown) >= self.low:
                return True
        return False

    def _weigh(self, mask: int) -> int:
        total = 0
        while mask:
            bit = mask & -mask
            total += self.load[bit.bit_length() - 1]
            mask ^= bit
        return total

    def _pieces(self, mask: int) -> list[int]:
        pieces = []
        while mask:
            piece = new = mask & -mask
            while new:
                edge = 0
                while new:
                    bit = new & -new
                    edge |= self.near[bit.bit_length() - 1]
                    new ^= bit
                new = edge & mask & ~piece
                piece |= new
            pieces.append(piece)
            mask &= ~piece
        return pieces
