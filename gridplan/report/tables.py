"""What a report says, as tables of plain text and numbers: the same for workbook and notice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from gridplan.categories import Profile, recall_profile
from gridplan.i18n import load_room, translate
from gridplan.layers import Roster
from gridplan.pages.ground import text_of
from gridplan.plan.model import read_run
from gridplan.plan.staffing import GRID_ROLES, Staffing, name_people, name_role

SMALL_COUNT = 10
BOUNDS = ("bound_e", "bound_s", "bound_w", "bound_n")
# Figures of counts of people or households, which ``share`` hides while they are small.
_OF_PEOPLE = ("households", "households_with_responsible", "households_by_source",
              "newcomer_assistants_per_1000", "balance_households", "load_share")
_LOAD = "load_share:"
# Figures of the service circle: of households, whose rest tells as much as they do.
_OF_CIRCLE = ("covered", "covered_far", "completeness", "full_circle", "choice")
# Figures of patrols that are of households as well.
_OF_RESPONSE = tuple(f"response_share_{m}" for m in (1, 3, 5, 15))
_OF_SITES = ("gain",)
# What stands for a target in these is a bound, which nobody has to reach.
_BOUNDED = ("gain", "sites_needed", "mean_m_before", "mean_m_after")
# Of these less is better: the target is met from below.
_AT_MOST = ("worst_decile_m",)
_OF_CATEGORY = (*_OF_CIRCLE, *_BOUNDED, "worst_decile_m", "supply", "overloaded", "norm_share",
                "presence", "gain_gap")


@dataclass(frozen=True)
class Reader:
    """For whom and in which language a report is written.

    ``roster`` names the people; only an ``internal`` report has one.
    """

    audience: str
    lang: str
    roster: Roster | None = None

    @property
    def internal(self) -> bool:
        """Whether the report stays inside the house."""
        return self.audience == "internal"

    def say(self, name: str, **values: object) -> str:
        """Return a text of the report in its language."""
        return translate(f"report.{name}", self.lang, **values)

    def role(self, role: str) -> str:
        """Return the word for a role; one that has none comes as it is."""
        word = name_role(role, self.lang)
        return word[:1].upper() + word[1:]

    def count(self, value: Any) -> int | str:
        """Return a count; ``share`` shows one of 1–9 as ``< 10``.

        >>> Reader("share", "en").count(7), Reader("internal", "en").count(7)
        ('< 10', 7)
        """
        number = 0 if value is None or pd.isna(value) else round(float(value))
        if not self.internal and 0 < number < SMALL_COUNT:
            return f"< {SMALL_COUNT}"
        return number

    def people(self, ids: tuple[str, ...], posts: int, assigned: bool = True
               ) -> tuple[str, str, str]:
        """Return id, name and phone of the holders of a post, one below the other.

        ``share`` says no more than whether the posts are filled.
        """
        if not assigned or (not ids and not posts):
            return "", "", ""
        if not self.internal:
            return self._filled(len(ids), posts), "", ""
        vacant = [self.say("vacant")] * max(posts - len(ids), 0)
        told = name_people(self.roster, ids)
        return ("\n".join([i for i, _, _ in told] + vacant),
                "\n".join(n for _, n, _ in told), "\n".join(p for _, _, p in told))

    def _filled(self, have: int, want: int) -> str:
        if have >= want:
            return self.say("filled")
        return self.say("partly_filled", have=have, want=want) if have else self.say("vacant")


_SHARED = Reader("share", "en")


def hide_share(whole: int, part: int, reader: Reader) -> tuple[Any, Any, Any]:
    """Return households, those covered and their share; ``share`` hides what tells of 1-9.

    >>> hide_share(400, 396, Reader("share", "en")), hide_share(400, 200, Reader("share", "en"))
    ((400, '', '> 97.5 %'), (400, 200, 0.5))
    >>> hide_share(400, 4, Reader("share", "en")), hide_share(7, 7, Reader("share", "en"))
    ((400, '< 10', '< 2.5 %'), ('< 10', '', ''))
    """
    if whole <= 0:
        return max(whole, 0), max(part, 0), None
    if not reader.internal:
        least = f"{100 * SMALL_COUNT / whole:.1f}"
        few, most = 0 < part < SMALL_COUNT, 0 < whole - part < SMALL_COUNT
        # Of less than twice as many households a bound would leave few counts to choose from.
        if whole < SMALL_COUNT or ((few or most) and whole < 2 * SMALL_COUNT):
            return reader.count(whole), "", ""
        if few:
            return whole, f"< {SMALL_COUNT}", f"< {least} %"
        if most:
            return whole, "", f"> {100 * (whole - SMALL_COUNT) / whole:.1f} %"
    return whole, part, part / whole


def list_grids(layers: Mapping[str, Any], staffing: Staffing | None,
               reader: Reader) -> pd.DataFrame:
    """Return the responsibility table, one row for each grid, by community and code.

    Returns
    -------
    DataFrame
        community_id, community, grid_id, name, seq, the four bounds, contents, households, and
        for each role of a grid its holders: ``<role>``, ``<role>_name``, ``<role>_phone``;
        state.
    """
    grids, towns = layers["grids"], layers["communities"]
    names = dict(zip(text_of(towns, "community_id"), text_of(towns, "name"), strict=True))
    columns = ("grid_id", "community_id", "name", *BOUNDS, "contents")
    out = pd.DataFrame({c: text_of(grids, c) for c in columns})
    out["community"] = [names.get(c) or c for c in out["community_id"]]
    out["seq"] = pd.to_numeric(grids["seq"]).astype("Float64").fillna(0).astype(int).to_numpy()
    out["households"] = pd.Series([reader.count(v) for v in grids["households"].tolist()],
                                  dtype=object)
    out["state"] = "" if staffing is None else staffing.grids["state"].to_numpy()
    for role in GRID_ROLES:
        if staffing is None:
            told = [("", "", "")] * len(out)
        else:
            held = staffing.grids
            told = [reader.people(ids, posts) for ids, posts in zip(
                held[role], held[f"{role}_posts"], strict=True)]
        for k, end in enumerate(("", "_name", "_phone")):
            out[role + end] = [t[k] for t in told]
    return out.sort_values(["community_id", "seq", "grid_id"], kind="stable", ignore_index=True)


def list_posts(layers: Mapping[str, Any], staffing: Staffing, reader: Reader) -> pd.DataFrame:
    """Return the posts of communities: community_id, community, role, counts and holders."""
    towns = layers["communities"]
    names = dict(zip(text_of(towns, "community_id"), text_of(towns, "name"), strict=True))
    out = staffing.posts.copy()
    out.insert(1, "community", [names.get(c) or c for c in out["community_id"]])
    told = [reader.people(staffing.holders.get((town, role), ()), 0) if reader.internal else
            ("", "", "") for town, role in zip(out["community_id"], out["role"], strict=True)]
    for k, column in enumerate(("holder", "holder_name", "holder_phone")):
        out[column] = [t[k] for t in told]
    out["of_grids"] = out["role"].isin(GRID_ROLES)
    out["role"] = [reader.role(r) for r in out["role"]]
    return out


def list_figures(layers: Mapping[str, Any], reader: Reader) -> pd.DataFrame:
    """Return the figures of city and communities, those with a target first.

    Returns
    -------
    DataFrame
        name, scope, value, unit, target, numerator, denominator (numbers, None or ``< 10``) and
        met (whether the target is met; None without one).
    """
    figures = layers.get("figures")
    if figures is None:
        return pd.DataFrame(columns=["name", "scope", "value", "unit", "target", "numerator",
                                     "denominator", "met"])
    rows = figures[(figures["scope"].astype("string") != "grid").fillna(False).to_numpy(bool)]
    names = dict(zip(text_of(layers["communities"], "community_id"),
                     text_of(layers["communities"], "name"), strict=True))
    out = pd.DataFrame({"key": text_of(rows, "name"), "scope_key": text_of(rows, "scope"),
                        "scope_id": text_of(rows, "scope_id"), "unit_key": text_of(rows, "unit")})
    for column in ("value", "target", "numerator", "denominator"):
        numbers = pd.to_numeric(rows[column]).astype("Float64")
        out[column] = pd.Series([None if pd.isna(v) else float(v) for v in numbers], dtype=object)
    kind = out["key"].str.partition(":")[0]
    sign = kind.isin(_AT_MOST).map({True: -1.0, False: 1.0})
    out["met"] = pd.Series([None if t is None or v is None else bool(s * (v - t) >= -1e-12)
                            for v, t, s in zip(out["value"], out["target"], sign, strict=True)],
                           dtype=object)
    out.loc[kind.isin(_BOUNDED), "met"] = None
    profile = recall_profile(read_run(layers).get("circle:table", "")) or Profile("", ())
    words = {c: profile.name_of(c, reader.lang) for c in profile.names}
    out["name"] = [_figure(key, scope_id if scope == "city" else "", reader, words) for key, scope,
                   scope_id in zip(out["key"], out["scope_key"], out["scope_id"], strict=True)]
    zones = layers.get("zones")
    called = {} if zones is None else dict(zip(text_of(zones, "zone_id"), text_of(zones, "name"),
                                               strict=True))
    out["scope"] = [_place(s, i, {"zone": called}.get(s, names), reader)
                    for s, i in zip(out["scope_key"], out["scope_id"], strict=True)]
    out["unit"] = [_known(f"unit_{u}", u, reader) for u in out["unit_key"]]
    if not reader.internal:
        _hide_few(out)
    far = out["target"].isna().astype(int) * 2 + (out["scope_key"] != "city").astype(int)
    return out.assign(far=far).sort_values("far", kind="stable", ignore_index=True)


def list_loads(layers: Mapping[str, Any], reader: Reader) -> list[tuple[str, int | str]]:
    """Return the histogram of loads: label of the tenth of the capacity, how many people."""
    figures = layers.get("figures")
    if figures is None:
        return []
    ours = figures["name"].astype("string").fillna("").str.startswith(_LOAD).to_numpy(bool)
    rows = figures[ours & (figures["scope"].astype("string") == "city").to_numpy(bool)]
    told = sorted((float(str(n).removeprefix(_LOAD)), v) for n, v in
                  zip(rows["name"], rows["value"], strict=True))
    out = []
    for lower, value in told:
        at = round(lower * 100)
        label = "100 %" if at >= 100 else f"{at}–{at + 10} %"
        out.append((label, reader.count(value)))
    return out


def _figure(key: str, scope_id: str, reader: Reader,
            categories: Mapping[str, str] | None = None) -> str:
    """Return the name of a figure in words; an unknown one comes as it is."""
    base, _, more = key.partition(":")
    if base == "missing_staff":
        return reader.say("figure_missing_staff", role=reader.role(more))
    if base == "load_share":
        at = round(float(more) * 100)
        return reader.say("figure_load_share", lower=at, upper=min(at + 10, 100))
    if more and base in _OF_CATEGORY:
        return reader.say(f"figure_{base}", category=(categories or {}).get(more, more))
    part = "" if scope_id in ("", "all", "urban", "rural") else f" · {scope_id}"
    if key.endswith("_bound") and f"figure_{key}" not in load_room("report"):
        return reader.say("figure_bound", figure=_figure(key.removesuffix("_bound"), "", reader))
    return _known(f"figure_{key}", key, reader) + part


def _place(scope: str, scope_id: str, names: Mapping[str, str], reader: Reader) -> str:
    """Return what a place of a figure is called: its name, else its code."""
    if scope in ("community", "subdistrict", "zone"):
        return names.get(scope_id) or scope_id
    if scope == "tier":
        return _known(f"tier_{scope_id}", scope_id, reader)
    return scope_id if scope in ("team", "shift") else _city(scope_id, reader)


def _city(scope_id: str, reader: Reader) -> str:
    return reader.say(f"scope_{scope_id if scope_id in ('urban', 'rural') else 'all'}")


def _known(name: str, other: str, reader: Reader) -> str:
    return reader.say(name) if name in load_room("report") else other


def _hide_few(out: pd.DataFrame) -> None:
    """Hide small counts of people or households, and the value that would tell them."""
    columns = {c: out[c].tolist() for c in ("value", "numerator", "denominator")}
    for row, (key, unit) in enumerate(zip(out["key"], out["unit_key"], strict=True)):
        base = key.partition(":")[0]
        if base in (*_OF_CIRCLE, *_OF_RESPONSE):
            part, whole = columns["numerator"][row], columns["denominator"][row]
            if part is not None and whole is not None and whole > 0 and (
                    0 < whole < SMALL_COUNT or 0 < part < SMALL_COUNT
                    or 0 < whole - part < SMALL_COUNT):
                told = hide_share(round(whole), round(part), _SHARED)
                columns["denominator"][row], columns["numerator"][row], columns["value"][row] = told
            continue
        if base not in (*_OF_PEOPLE, *_OF_SITES):
            continue
        # What a count is of one in the figure.
        scale = {"numerator": 1, "denominator": 1000 if key.endswith("_per_1000") else 1}
        if unit in ("households", "staff") and scale["denominator"] == 1:
            scale["value"] = 1
        small = [c for c, by in scale.items() if columns[c][row] is not None
                 and 0 < columns[c][row] * by < SMALL_COUNT]
        for column in (*small, "value") if small else ():
            if columns[column][row] is not None:
                columns[column][row] = f"< {SMALL_COUNT}"
    for column, values in columns.items():
        out[column] = pd.Series(values, dtype=object)
