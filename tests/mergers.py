"""Another exact model of mergers, to compare with: every patch has a root, connection by cuts."""

from __future__ import annotations

import numpy as np
from ortools.sat.python import cp_model

from gridplan.merge.patchwork import Patchwork, Score, label_pieces


def independent_best(patches: Patchwork, count: int) -> Score:
    """Solve by CP-SAT on another model: every patch has a root, connection by cuts."""
    size, cuts = patches.size, []
    near = [set() for _ in range(size)]
    for a, b in zip(patches.u.tolist(), patches.v.tolist(), strict=True):
        near[a].add(b)
        near[b].add(a)
    order = np.lexsort((np.arange(size), -patches.people)).tolist()  # a root is its largest
    rank = {k: place for place, k in enumerate(order)}
    fixed: list[tuple[str, int]] = []
    for goal in ("largest", "moved", "border"):
        while True:
            model = cp_model.CpModel()
            x = {(k, r): model.new_bool_var("") for k in range(size) for r in range(size)
                 if rank[r] <= rank[k]}
            for k in range(size):
                model.add_exactly_one(x[k, r] for r in range(size) if (k, r) in x)
            for k, r in x:
                model.add_implication(x[k, r], x[r, r])
            model.add(sum(x[r, r] for r in range(size)) == count)
            largest = model.new_int_var(0, int(patches.people.sum()), "")
            for r in range(size):
                model.add(sum(int(patches.people[k]) * x[k, r] for k in range(size)
                              if (k, r) in x) <= largest)
            moved = sum(int(patches.people[k]) * x[k, r] for k, r in x if k != r)
            border = 0
            for a, b, m in zip(patches.u.tolist(), patches.v.tolist(),
                               patches.length_cm.tolist(), strict=True):
                apart = model.new_bool_var("")
                for r in range(size):
                    one, two = x.get((a, r)), x.get((b, r))
                    if one is not None:
                        model.add(apart >= one - (0 if two is None else two))
                border += m * apart
            for side, edge, r in cuts:
                for k in side:
                    if (k, r) in x:
                        model.add(sum(x[e, r] for e in edge if (e, r) in x) >= x[k, r])
            terms = {"largest": largest, "moved": moved, "border": border}
            for name, value in fixed:
                model.add(terms[name] <= value)
            model.minimize(terms[goal])
            solver = cp_model.CpSolver()
            solver.parameters.num_workers = 1
            assert solver.solve(model) == cp_model.OPTIMAL
            root = np.array([next(r for r in range(size) if (k, r) in x and solver.value(x[k, r]))
                             for k in range(size)])
            same = root[patches.u] == root[patches.v]
            piece = label_pieces(size, patches.u[same], patches.v[same])
            new = []
            for p in set(piece.tolist()):
                side = np.flatnonzero(piece == p).tolist()
                r = int(root[side[0]])
                if r not in side:
                    new.append((side, sorted({e for k in side for e in near[k]} - set(side)), r))
            if not new:
                break
            cuts += new
        fixed.append((goal, round(solver.objective_value)))
    return Score(*(value for _, value in fixed))
