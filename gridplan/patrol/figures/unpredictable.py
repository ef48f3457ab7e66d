"""How hard it is to guess when a patrol comes."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gridplan.patrol.figures.made import DAY_MIN, Made
from gridplan.patrol.figures.table import CITY, Table

BAND_MIN = 15
_LEAST_DAYS = 2


def find_entropy(bands: Iterable[int]) -> float:
    """Return Shannon's entropy of bands in bits.

    Shannon, C. E. (1948): A mathematical theory of communication, Bell System Technical Journal
    27, 379–423: −Σ p log₂ p over the shares p of the values. Of n values it is at most log₂ n.

    >>> find_entropy([3, 3, 3, 3]), find_entropy([1, 2, 3, 4]), find_entropy([1, 1, 2, 2])
    (0.0, 2.0, 1.0)
    """
    count = np.unique(np.fromiter(bands, dtype=np.int64), return_counts=True)[1]
    share = count / count.sum()
    return float(abs(-(share * np.log2(share)).sum()))


def measure_entropy(arrivals: pd.DataFrame) -> tuple[float | None, int]:
    """Measure how much the times of visits vary from day to day, in bits.

    The first visit of every day makes one row of bands, the second another, and so on; the
    entropy of a thing is the mean over its rows of at least two days, and the whole the mean over
    things. So it never exceeds log₂ of the days, however often a thing is visited.

    Parameters
    ----------
    arrivals
        thing, day, minute (of the day, past midnight counted on).

    Returns
    -------
    tuple
        The mean, None where nothing is visited on two days; over how many things.

    >>> measure_entropy(pd.DataFrame({"thing": [0, 0, 1], "day": [0, 1, 0],
    ...                               "minute": [480.0, 600.0, 500.0]}))
    (1.0, 1)
    """
    held = arrivals.sort_values(["thing", "day", "minute"], kind="stable")
    held = held.assign(nth=held.groupby(["thing", "day"]).cumcount(), band=find_bands(held))
    count = held.groupby(["thing", "nth", "band"]).size()
    rows = pd.DataFrame({"n": count, "told": count * np.log2(count)}).groupby(
        ["thing", "nth"]).sum()
    rows = rows[(rows["n"] >= _LEAST_DAYS).to_numpy(bool)]
    # Σ −c/n · log₂ c/n over the counts c of n values.
    bits = np.log2(rows["n"]) - rows["told"] / rows["n"]
    means = bits.clip(lower=0).groupby("thing").mean()
    return (float(means.mean()) if len(means) else None), len(means)


def measure_overlap(arrivals: pd.DataFrame, days: Sequence[int]) -> float | None:
    """Return the mean share of a day's (thing, band) pairs that the day after has as well.

    Days without a visit, and the last, have no share.

    >>> measure_overlap(pd.DataFrame({"thing": [0, 1, 0, 1], "day": [0, 0, 1, 1],
    ...                               "minute": [480.0, 500.0, 485.0, 520.0]}), [0, 1])
    0.5
    """
    pairs: dict[int, set[tuple[object, int]]] = {d: set() for d in days}
    for day, thing, band in zip(arrivals["day"], arrivals["thing"], find_bands(arrivals),
                                strict=True):
        pairs.setdefault(int(day), set()).add((thing, int(band)))
    shares = [len(pairs[a] & pairs[b]) / len(pairs[a]) for a, b in itertools.pairwise(days)
              if pairs[a]]
    return float(np.mean(shares)) if shares else None


def find_bands(arrivals: pd.DataFrame) -> NDArray[np.int64]:
    """Return the quarter of an hour of the clock in which each minute lies.

    >>> find_bands(pd.DataFrame({"minute": [0.0, 29.0, 1441.0]})).tolist()
    [0, 1, 0]
    """
    minute = arrivals["minute"].to_numpy(dtype=np.float64)
    return np.asarray(minute // BAND_MIN, dtype=np.int64) % (DAY_MIN // BAND_MIN)


def list_arrivals(made: Made) -> pd.DataFrame:
    """Return thing, day and minute of every visit and pass whose time is known."""
    visits = made.visits[((made.visits["what"] != "break") & (made.visits["thing"] >= 0)
                          & made.visits["arrive"].notna() & (made.visits["day"] >= 0)
                          ).to_numpy(bool)]
    thing = visits["what"].str.cat(visits["thing"].astype(str), sep=":")
    midnight = made.routes["midnight"].to_numpy(dtype=np.float64)[visits["route"]]
    return pd.DataFrame({"thing": thing, "day": visits["day"],
                         "minute": visits["arrive"] - midnight})


def add_unpredictable(table: Table, made: Made) -> None:
    """Add ``entropy_bits``, ``entropy_most`` and ``day_overlap``. Scope: city.

    ``entropy_bits``: unit bits, as :func:`measure_entropy` has it. ``entropy_most``: unit bits,
    log₂ of the days, which nothing can exceed; no value with a single day. ``day_overlap``: unit
    share, as :func:`measure_overlap` has it; 1 is the same every day.

    >>> float(np.log2(4))
    2.0
    """
    arrivals, days = list_arrivals(made), len(made.days)
    mean, _ = measure_entropy(arrivals)
    table.add("entropy_bits", "city", CITY, mean, "bits")
    table.add("entropy_most", "city", CITY,
              float(np.log2(days)) if days >= _LEAST_DAYS else None, "bits")
    table.add("day_overlap", "city", CITY, measure_overlap(arrivals, range(days)), "share")
