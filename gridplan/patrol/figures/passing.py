"""How much of the streets and stops is passed: visibility, shares of what is asked, frequency."""

from __future__ import annotations

import numpy as np
import pandas as pd

from gridplan.patrol.figures.made import Made
from gridplan.patrol.figures.table import Floats, Table, split_scopes

_KM = 1000.0


def count_shifts(made: Made) -> pd.DataFrame:
    """Count in how many shifts each required street is asked for, and in how many it is passed.

    A street is asked for in every shift of a day of its kind in which a team of its tier is on
    duty; it is seen where a team of its tier passes it at least once.

    Returns
    -------
    DataFrame
        piece (row of ``required``), shift, day, seen.
    """
    kinds = made.days["kind"].to_numpy(dtype=object)
    slots = made.duties[["day", "tier", "shift"]].drop_duplicates()
    pieces = made.required.loc[made.required["asked"], ["tier", "day_kind"]].rename_axis("piece")
    out = pieces.reset_index().merge(slots, on="tier").sort_values(
        ["piece", "day", "shift"], kind="stable")
    kind = out["day_kind"].to_numpy(dtype=object)
    day = out["day"].to_numpy(dtype=np.int64)
    out = out[(kind == "all") | (kind == kinds[day])] if len(out) else out
    done = made.visits_of("pass")[["thing", "day", "shift", "tier"]].drop_duplicates().rename(
        columns={"thing": "piece"}).assign(seen=True)
    out = out.merge(done, on=["piece", "day", "shift", "tier"], how="left")
    return out.assign(seen=out["seen"].notna())[["piece", "shift", "day", "seen"]]


def add_visibility(table: Table, made: Made) -> None:
    """Add ``street_visibility``: share of required length with at least one pass per shift.

    Unit share; numerator and denominator in metres, summed over the shifts on duty::

        Σ over days, shifts and streets of length · [passed in the shift] ÷ Σ of length

    The share of time in which officers are seen on the street is the Chinese police's 见警率; a
    plan knows passes, not looks, so it is counted by length and shift. Scopes: city, tier, zone,
    shift.

    >>> import numpy as np
    >>> length, seen = np.array([300.0, 100.0]), np.array([[True, False], [True, True]])
    >>> float((length[:, None] * seen).sum() / (length[:, None] * np.ones((2, 2))).sum())
    0.625
    """
    slots = count_shifts(made)
    piece = slots["piece"].to_numpy(dtype=np.int64)
    length = made.required["length_m"].to_numpy(dtype=np.float64)[piece]
    seen = length * slots["seen"].to_numpy(dtype=np.float64)
    for scope, scope_id, rows in split_scopes(made.required.iloc[piece]):
        table.add_ratio("street_visibility", scope, scope_id, seen[rows].sum(),
                        length[rows].sum())
    shift = slots["shift"].to_numpy(dtype=object)
    for name in sorted(set(shift)):
        rows = shift == name
        table.add_ratio("street_visibility", "shift", str(name), seen[rows].sum(),
                        length[rows].sum())


def add_shares(table: Table, made: Made) -> None:
    """Add ``pass_share`` and ``visit_share``: passes and visits made ÷ asked.

    Unit share; numerator made, denominator made and unmet. Scopes: city, tier, zone of the
    street or stop.

    >>> table = Table()
    >>> table.add_ratio("visit_share", "city", "all", 9, 9 + 3)
    >>> table.frame()["value"].tolist()
    [0.75]
    """
    for name, what, things in (("pass_share", "pass", made.required),
                               ("visit_share", "stop", made.stops)):
        count = np.bincount(made.visits_of(what)["thing"], minlength=len(things))
        mine = made.unmet[((made.unmet["what"] == what) & (made.unmet["thing"] >= 0)
                           ).to_numpy(bool)]
        lost = np.bincount(mine["thing"], mine["visits"], minlength=len(things))
        for scope, scope_id, rows in split_scopes(things):
            table.add_ratio(name, scope, scope_id, count[rows].sum(),
                            (count + lost)[rows].sum())


def find_frequency(length_m: Floats, passes: Floats, days: int) -> tuple[float, float]:
    """Return kilometres passed, and kilometres times days: their ratio is passes a day.

    >>> done, whole = find_frequency(np.array([500.0, 1500.0]), np.array([4.0, 0.0]), 2)
    >>> done / whole
    0.5
    """
    return float((passes * length_m).sum()) / _KM, float(length_m.sum()) * days / _KM


def add_frequency(table: Table, made: Made) -> None:
    """Add ``frequency``: how often a kilometre of required street is passed on an average day.

    Unit passes a day; Σ passes · length ÷ Σ length ÷ days. Numerator kilometres passed,
    denominator kilometres times days. Scopes: city, tier, zone.
    """
    streets = made.required[made.required["asked"].to_numpy(bool)]
    count = np.bincount(made.visits_of("pass")["thing"], minlength=len(made.required))
    length = streets["length_m"].to_numpy(dtype=np.float64)
    passes = count[streets.index.to_numpy(dtype=np.int64)].astype(np.float64)
    for scope, scope_id, rows in split_scopes(streets):
        table.add_ratio("frequency", scope, scope_id,
                        *find_frequency(length[rows], passes[rows], len(made.days)),
                        unit="passes a day")
