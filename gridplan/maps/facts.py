"""What a map says in words and numbers: five figures, its origin, and what ``share`` may show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from gridplan.i18n import load_room, translate
from gridplan.layers import GRID_STATUS
from gridplan.plan.model import read_run

Layers = Mapping[str, Any]

# A status that is no exception: in range, or outside the range by design.
SETTLED = ("ok", "special")
# Stands for a count of 1–9, which ``share`` never holds, not even inside the packed data.
FEW = -1
SMALL_COUNT = 10
_STEPS = (1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000, 2000, 5000)
_OSM_ENDINGS = (".osm", ".pbf", ".osm.gz", ".osm.bz2")


@dataclass(frozen=True)
class Figures:
    """The five figures at the head of the map."""

    communities: int
    grids: int
    households: int
    in_range: int
    ranged: int
    exceptions: int

    @property
    def share(self) -> str:
        """The grids in range as a percentage; 100 % only if there is no grid outside.

        >>> Figures(1, 3000, 0, in_range=2999, ranged=3000, exceptions=1).share
        '99.9 %'
        >>> Figures(1, 1, 0, in_range=0, ranged=0, exceptions=0).share
        '–'
        """
        if not self.ranged:
            return "–"
        tenths = 1000 * self.in_range // self.ranged
        return f"{tenths // 10}.{tenths % 10} %" if tenths < 1000 else "100 %"


@dataclass(frozen=True)
class Origin:
    """Where the data come from and how binding the plan is."""

    title: str
    state: str
    facts: tuple[tuple[str, str], ...]
    osm: bool


def text_of(frame: pd.DataFrame, column: str) -> list[str]:
    """Return a text column as plain strings; missing values and columns are empty."""
    if column not in frame.columns:
        return [""] * len(frame)
    return [str(v) for v in frame[column].astype("string").fillna("").tolist()]


def count_of(frame: pd.DataFrame, column: str) -> np.ndarray:
    """Return a count column as int64; missing values and columns are 0."""
    if column not in frame.columns:
        return np.zeros(len(frame), np.int64)
    numbers = pd.to_numeric(frame[column]).astype("Float64").fillna(0).round()
    return np.asarray(numbers.to_numpy(np.float64), np.int64)


def keys_of(frame: pd.DataFrame, key: str) -> list[str]:
    """Return the keys of a layer, whether they are a column or the index."""
    return text_of(frame, key) if key in frame.columns else [str(k) for k in frame.index]


def hide_few(counts: np.ndarray, audience: str) -> np.ndarray:
    """Replace counts of 1–9 by ``FEW`` unless the map stays inside the house.

    >>> hide_few(np.array([0, 1, 9, 10]), "share").tolist()
    [0, -1, -1, 10]
    """
    if audience != "share":
        return counts
    return np.where((counts > 0) & (counts < SMALL_COUNT), FEW, counts)


def statuses(grids: pd.DataFrame) -> list[str]:
    """Return the status of every grid; an unknown or missing one counts as ``unproven``."""
    return [s if s in GRID_STATUS else "unproven" for s in text_of(grids, "status")]


def read_figures(layers: Layers) -> Figures:
    """Count the five figures from the plan's layers.

    The range applies to the grids that are not special; an exception is every
    grid that is neither in range (status ``ok``) nor special.
    """
    grids = layers["grids"]
    status = statuses(grids)
    basic = [kind != "special" for kind in text_of(grids, "kind")]
    return Figures(
        communities=len(layers["communities"]),
        grids=len(grids),
        households=int(count_of(grids, "households").sum()),
        in_range=sum(s == "ok" and b for s, b in zip(status, basic, strict=True)),
        ranged=sum(basic),
        exceptions=sum(s not in SETTLED for s in status))


def household_steps(layers: Layers) -> list[int]:
    """Return the bounds of the colour steps: five or six round numbers over the range.

    The range is that of the run table, over the kinds of community that the
    plan holds; without one, that of the grids in range.

    >>> grids = pd.DataFrame({"status": ["ok", "ok"], "households": [300, 500]})
    >>> household_steps({"grids": grids, "communities": grids[:0]})
    [300, 350, 400, 450, 500]
    """
    run = read_run(layers)
    kinds = set(text_of(layers["communities"], "kind"))
    ends = [int(end) for key, value in run.items() for end in value.split("/")
            if key.startswith("range:") and key.split(":")[1] in kinds and end.strip().isdigit()]
    ranged = bool(ends)
    if not ranged:
        grids = layers["grids"]
        ok = np.array(statuses(grids)) == "ok"
        ends = count_of(grids, "households")[ok].tolist() or [300, 500]
    low, high = min(ends), max(ends)
    step = next((s for s in _STEPS if s * 5 > high - low), high - low)
    if not ranged and step:
        low, high = low // step * step, -(-high // step) * step
    inner = [edge for edge in range(low + step, high, step) if high - edge >= step / 2]
    return [low, *inner, max(high, low + 1)]


def read_origin(layers: Layers, lang: str, title_text: str = "title") -> Origin:
    """Gather the title, the state and the dates and sources that the run table knows.

    A plan without a title of its own is called by ``title_text`` of the catalogue.
    """
    run = read_run(layers)
    names = text_of(layers["communities"], "name")
    title = run.get("title", "").strip()
    if not title:
        title = (translate("maps.title_one", lang, name=names[0]) if len(names) == 1 and names[0]
                 and title_text == "title" else translate(f"maps.{title_text}", lang))
    # A roster is no source of what is drawn.
    files = sorted({key.split(":")[2] for key in run if key.startswith("input:")
                    and key.count(":") >= 2 and not key.endswith(":roster")})
    facts = [(translate(f"maps.fact_{name}", lang), _worded(name, run.get(name, ""), lang))
             for name in ("data_date", "household_basis", "household_date")]
    facts.append((translate("maps.fact_sources", lang), ", ".join(files)))
    return Origin(title=title, state=run.get("state", "") or "draft",
                  facts=tuple((k, v) for k, v in facts if v),
                  osm=any(name.lower().endswith(_OSM_ENDINGS) for name in files))


def ui_texts(lang: str) -> dict[str, str]:
    """Return the texts that the page's script shows, by name."""
    room = load_room("maps")
    return {name[3:]: texts[lang] for name, texts in room.items() if name.startswith("ui_")}


def _worded(name: str, value: str, lang: str) -> str:
    """Put a known word of the run table into the reader's language."""
    known = f"{name}_{value}"
    return translate(f"maps.{known}", lang) if known in load_room("maps") else value
