"""What is to be filled, and what came of it: posts, people, the pairs that may be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

AIMS = ("continuity", "balance", "wishes", "travel")
NO_LIMIT = 1 << 40  # room of a person who may take any number of households
MOST = {"continuity", "wishes"}  # aims of which more is better

_POSTS = {"slots": np.int64, "load": np.int64, "size": np.int64}
_PEOPLE = {"room_households": np.int64, "room_posts": np.int64, "share": np.float64}
_PAIRS = {"post": np.int64, "person": np.int64, "kept": np.bool_, "wished": np.bool_,
          "travel_m": np.int64}
_TOP = {"slots": 1 << 20, "load": 1 << 31, "size": 1 << 31, "room_households": NO_LIMIT,
        "room_posts": NO_LIMIT, "travel_m": 1 << 31}


@dataclass(frozen=True, eq=False)
class Problem:
    """Posts that need people, people with room, and the pairs that may be put together.

    Attributes
    ----------
    slots
        People each post needs, shape (p,); all people of one post differ.
    load
        Work of each post for every one of its people, shape (p,), for the aim of balance.
    size
        Households of each post, shape (p,); they count against ``room_households``.
    room_households
        Most households a person can take, shape (s,); ``NO_LIMIT`` where there is no such limit.
    room_posts
        Most posts a person can take, shape (s,).
    share
        Part of full working time, shape (s,), above 0 and at most 1; taken to the nearest
        fraction with a denominator of at most 1,000.
    post, person
        The pairs that may be, shape (e,), each pair once, in any order.
    kept, wished
        Whether the person holds the post already, and whether it is wished for, shape (e,).
    travel_m
        Way to the post in whole metres, shape (e,).
    order
        Aims after the first, which is always to leave as few slots vacant as possible; any
        of ``continuity``, ``balance``, ``wishes``, ``travel``, each at most once.

    Raises
    ------
    ValueError
        Shapes differ, a number is out of its range, a pair names nobody or is given twice, or
        an aim is unknown.

    Examples
    --------
    >>> two = Problem(slots=[1, 1], load=[300, 400], size=[300, 400], room_households=[500] * 2,
    ...               room_posts=[2, 2], share=[1.0, 0.5], post=[0, 0, 1], person=[0, 1, 0],
    ...               kept=[True, False, False], wished=[False] * 3, travel_m=[10, 20, 30])
    >>> two.pairs, two.order
    (3, ('continuity', 'balance', 'wishes', 'travel'))
    """

    slots: Ints
    load: Ints
    size: Ints
    room_households: Ints
    room_posts: Ints
    share: Floats
    post: Ints
    person: Ints
    kept: Bools
    wished: Bools
    travel_m: Ints
    order: tuple[str, ...] = AIMS

    def __post_init__(self) -> None:
        kept = {name: _as(getattr(self, name), kind, name)
                for name, kind in {**_POSTS, **_PEOPLE, **_PAIRS}.items()}
        faults = [f"{', '.join(names)} must be as long as each other"
                  for names in (tuple(_POSTS), tuple(_PEOPLE), tuple(_PAIRS))
                  if len({kept[name].size for name in names}) > 1]
        faults += [f"{name} must lie between 0 and {top}" for name, top in _TOP.items()
                   if ((kept[name] < 0) | (kept[name] > top)).any()]
        if not ((kept["share"] > 0) & (kept["share"] <= 1)).all():
            faults.append("share must be above 0 and at most 1")
        post, person = kept["post"], kept["person"]
        if ((post < 0) | (post >= kept["slots"].size)).any():
            faults.append("a pair names a post that is not there")
        if ((person < 0) | (person >= kept["share"].size)).any():
            faults.append("a pair names a person who is not there")
        if post.size == person.size and np.unique(np.stack([post, person]), axis=1
                                                  ).shape[1] < post.size:
            faults.append("a pair is given twice")
        if len(set(self.order)) < len(self.order) or not set(self.order) <= set(AIMS):
            faults.append(f"order takes each of {AIMS} at most once")
        if faults:
            raise ValueError("problem: " + "; ".join(faults))
        for name, array in kept.items():
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        object.__setattr__(self, "order", tuple(self.order))

    @property
    def pairs(self) -> int:
        """Number of pairs that may be."""
        return int(self.post.size)


@dataclass(frozen=True, eq=False)
class Filling:
    """Who takes which post.

    Attributes
    ----------
    chosen
        Whether a pair is put together, shape (e,), in the order of the problem's pairs.
    value
        ``vacant`` (slots), then by the problem's order ``continuity`` (kept pairs), ``balance``
        (largest load / share of a person), ``wishes`` (granted), ``travel`` (metres).
    bound
        What no filling can better in each, given the aims before it at their values.
    method
        Number of parts settled by ``flow`` and by ``cp-sat``.
    """

    chosen: Bools
    value: dict[str, float]
    bound: dict[str, float]
    method: dict[str, int]

    @property
    def gap(self) -> dict[str, float]:
        """How far each value may be from the best: 0 where it is proven.

        >>> Filling(np.array([True]), {"vacant": 0, "travel": 110.0},
        ...         {"vacant": 0, "travel": 100.0}, {"flow": 1}).gap["travel"].__round__(6)
        0.1
        """
        return {aim: _gap(value, self.bound[aim], most=aim in MOST)
                for aim, value in self.value.items()}


def _gap(value: float, bound: float, *, most: bool) -> float:
    above, below = (bound, value) if most else (value, bound)
    if above == below:
        return 0.0
    return float(above / below - 1) if below else float("inf")


def _as(values: Any, kind: Any, name: str) -> NDArray[Any]:
    given = np.asarray(values)
    array = np.array(given, kind).reshape(-1)
    if given.ndim != 1 or not np.array_equal(array, given):
        raise ValueError(f"problem: {name} must be one row of {np.dtype(kind).name}")
    return array
