"""Ledger rows → buildings: sure ones are matched, likely ones are asked about, none is lost."""

from __future__ import annotations

import difflib
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd

from gridplan.errors import Findings, TallyRow, first_ids
from gridplan.ledger.spelling import fold_estate, read_label, read_labels

_STOREY_M = 3.0
_ALIKE = 0.6  # least similarity of two names that is worth a question
_NO_HOME = frozenset(("shed", "garage", "garages", "retail", "commercial", "office", "school",
                      "kindergarten", "industrial", "warehouse", "hospital", "nonresidential",
                      "public", "service", "parking", "kiosk", "roof", "dormitory"))
_YES = frozenset(("是", "对", "确认", "同意", "yes", "y", "true", "ok", "1", "√", "✓"))
_NO = frozenset(("否", "不", "不是", "错", "no", "n", "false", "0", "×", "✗"))
_SPLIT = re.compile(r"[;,、；，\s]+")


@dataclass(frozen=True)
class LedgerMatch:
    """What became of every row of a ledger.

    ``matched``, ``to_check`` and ``unmatched`` are indexed by the row of the file and have the
    ledger's columns and ``estate_id``, ``candidates`` (building ids joined by ";"), ``reason`` (a
    key of the catalogue) and ``detail``. Their households add up to the ledger's.

    Attributes
    ----------
    matched, to_check, unmatched
        The rows; only the matched ones count.
    households
        Households (Int64) per building_id of the matched rows.
    estate_totals
        Households (Int64) per estate_id of the matched rows.
    basis, date
        What the counts are (registered, resident, dwellings or the ledger's own word) and of
        when; "" where the ledger does not say, or not one thing.
    """

    matched: pd.DataFrame
    to_check: pd.DataFrame
    unmatched: pd.DataFrame
    households: pd.Series
    estate_totals: pd.Series
    basis: str
    date: str


def match_ledger(ledger: pd.DataFrame, buildings: gpd.GeoDataFrame, estates: gpd.GeoDataFrame,
                 findings: Findings) -> LedgerMatch:
    """Match a ledger to buildings by estate and building number.

    A row is matched where its estate has the same name but for width, case and punctuation and
    every number it names is a building of that estate. A total over several buildings is shared
    out by floors × footprint and largest remainder over those without a count of their own.
    Names that are merely alike, numbers that are partly missing and buildings named twice are
    never matched silently: they wait in ``to_check`` until a planner confirms them.

    Parameters
    ----------
    ledger
        As :func:`read_ledger` returns it.
    buildings, estates
        The columns of ``INPUTS``, in a metric CRS.
    findings
        Receives faults of confirmations, warnings and the tally row of this stage.

    Returns
    -------
    LedgerMatch
        Σ matched + to_check + unmatched = Σ ledger, in households and in rows.

    Raises
    ------
    InputError
        A confirmation names a building that is not there, or says yes where nothing is proposed.
    """
    held = _hold(buildings)
    rows = _resolve_estates(ledger, held, estates)
    pairs = _find_buildings(rows, held)
    rows, pairs = _confirm(rows, pairs, held, findings)
    findings.stop_on_faults()
    _judge(rows, pairs)
    _claim(rows, pairs)
    return _result(rows, pairs, held, buildings, findings)


def fill_households(buildings: gpd.GeoDataFrame, match: LedgerMatch) -> gpd.GeoDataFrame:
    """Return the buildings with the ledger's households, source ``ledger``; the rest unchanged."""
    out = buildings.copy()
    named = out.index.isin(match.households.index)
    counts = match.households.reindex(out.index).astype("Int64")
    out["households"] = out["households"].mask(named, counts)
    out["households_source"] = out["households_source"].mask(named, "ledger")
    return out


def _hold(buildings: gpd.GeoDataFrame) -> pd.DataFrame:
    """Return the buildings of estates: estate, label, weight, and whether people may live there."""
    floors = buildings["floors"].fillna(buildings["height_m"] / _STOREY_M).fillna(1.0)
    number = buildings["number"].fillna("").astype(str)
    label = number.map({n: read_label(n) or fold_estate(n) for n in number.unique()})
    return pd.DataFrame({
        "building": np.arange(len(buildings)),
        "building_id": buildings.index.to_numpy(),
        "estate_id": buildings["estate_id"].fillna("").to_numpy(dtype=object),
        "community_id": buildings["community_id"].fillna("").to_numpy(dtype=object),
        "label": label.to_numpy(dtype=object),
        "home": ~buildings["use"].fillna("").isin(_NO_HOME).to_numpy(dtype=bool),
        "weight": np.maximum(floors.to_numpy(dtype=float), 0.0) * buildings.area.to_numpy(),
        "given": buildings["households"].to_numpy(dtype=float, na_value=np.nan)})


def _resolve_estates(ledger: pd.DataFrame, held: pd.DataFrame, estates: gpd.GeoDataFrame
                     ) -> pd.DataFrame:
    """Add the estate of each row, whether that is sure, and why not."""
    rows = ledger.copy()
    rows["place"] = np.arange(len(rows))
    names = estates["name"].fillna("").astype(str)
    by_name: dict[str, list[str]] = defaultdict(list)
    for estate, name in zip(estates.index, names, strict=True):
        by_name[fold_estate(name)].append(str(estate))
    by_id = {fold_estate(str(e)): [str(e)] for e in estates.index}
    where = held[held["estate_id"] != ""].drop_duplicates("estate_id").set_index("estate_id")
    community = where["community_id"].to_dict()
    wanted = rows[["estate", "community_id"]].fillna("").astype(str)
    alike = _Alike(by_name)
    asked = list(zip(wanted["estate"], wanted["community_id"], strict=True))
    answers = {(name, place): _resolve_one(name, place, by_name, by_id, community, alike)
               for name, place in dict.fromkeys(asked)}
    found = [answers[pair] for pair in asked]
    rows["estate_id"] = [estate for estate, _, _ in found]
    rows["reason"] = [reason for _, reason, _ in found]
    rows["detail"] = [detail for _, _, detail in found]
    return rows


def _resolve_one(name: str, community_id: str, by_name: dict[str, list[str]],
                 by_id: dict[str, list[str]], community: dict[str, str], alike: _Alike
                 ) -> tuple[str, str, str]:
    """Return the estate of a name, "" or a reason to ask, and what the reason is about."""
    key = fold_estate(name)
    hits = by_name.get(key) or by_id.get(key) if key else None
    if not hits:
        near = alike.to(key)
        if not near:
            return "", "estate_unknown", ""
        hits = [e for n in near for e in by_name[n]]
        here = [e for e in hits if community_id and community.get(e) == community_id]
        return (here or hits)[0], "estate_similar", ", ".join(hits)
    if len(hits) > 1:
        here = [e for e in hits if community_id and community.get(e) == community_id]
        if len(here) != 1:
            return (here or hits)[0], "estate_ambiguous", ", ".join(hits)
        hits = here
    return hits[0], "", ""


class _Alike:
    """Finds the names that are most like one, without comparing it to all."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = sorted(n for n in names if n)
        self._holding: dict[str, list[int]] = defaultdict(list)
        for i, name in enumerate(self._names):
            for c in dict.fromkeys(name):
                self._holding[c].append(i)

    def to(self, name: str) -> list[str]:
        """Return up to three names, most alike first.

        >>> _Alike(["云溪花园", "云溪新村", "长安里"]).to("云溪花园小区")
        ['云溪花园']
        """
        shared: dict[int, int] = defaultdict(int)
        for c in dict.fromkeys(name):
            for i in self._holding.get(c, ()):
                shared[i] += 1
        near = [self._names[i] for i, n in shared.items()
                if 2 * n >= len(set(name)) or 2 * n >= len(set(self._names[i]))]
        scored = sorted((-difflib.SequenceMatcher(None, name, n, autojunk=False).ratio(), n)
                        for n in near)
        return [n for score, n in scored[:3] if -score >= _ALIKE]


def _find_buildings(rows: pd.DataFrame, held: pd.DataFrame) -> pd.DataFrame:
    """Return the pairs of row and building, and note on the rows what of them was not found."""
    number = rows["number"].fillna("").astype(str)
    texts = number.unique()
    whole = {t: fold_estate(t) for t in texts}
    names = {t: read_labels(t) for t in texts}
    blank = (number == "").to_numpy()
    asked = pd.DataFrame({"place": rows["place"], "estate_id": rows["estate_id"],
                          "whole": number.map(whole), "names": number.map(names),
                          "blank": blank})
    asked = asked[asked["estate_id"] != ""]
    estate = held[held["estate_id"] != ""]
    numbered = estate[estate["label"] != ""]
    # A number as it stands comes first: "3-1" may be the name of one building.
    exact = asked[~asked["blank"]].merge(numbered, left_on=["estate_id", "whole"],
                                         right_on=["estate_id", "label"])
    rest = asked[~asked["blank"] & ~asked["place"].isin(exact["place"])]
    spread = rest.explode("names").rename(columns={"names": "name"})
    spread["name"] = spread["name"].fillna("").astype(object)
    listed = spread.merge(numbered, how="left", left_on=["estate_id", "name"],
                          right_on=["estate_id", "label"])
    lost = listed[listed["building"].isna() & (listed["name"] != "")]
    missing = lost.groupby("place")["name"].agg(first_ids)
    rows["missing"] = [missing.get(place, "") for place in rows["place"]]
    rows["readable"] = (number.map(names).str.len().gt(0).to_numpy()
                        | rows["place"].isin(exact["place"]).to_numpy() | blank)
    homes = estate[estate["home"]]
    # An estate's own total goes to its numbered buildings, to all its homes where none has one.
    known = homes.groupby("estate_id")["label"].transform(lambda s: (s != "").any())
    homes = homes[~known | (homes["label"] != "")]
    all_of = asked[asked["blank"]].merge(homes, on="estate_id")
    pairs = pd.concat([exact, listed[listed["building"].notna()], all_of])
    pairs = pairs[["place", "building"]].astype({"building": int}).drop_duplicates()
    return pairs.sort_values(["place", "building"], kind="stable", ignore_index=True)


def _confirm(rows: pd.DataFrame, pairs: pd.DataFrame, held: pd.DataFrame, findings: Findings
             ) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Take in what a planner wrote into the confirmation column."""
    word = rows["confirm"].fillna("").astype(str).str.strip()
    yes, no = word.str.casefold().isin(_YES), word.str.casefold().isin(_NO)
    listed = word.where(~yes & ~no, "")
    proposed = rows["candidates"].fillna("").astype(str).where(yes, "")
    named = listed.where(listed != "", proposed)
    place_of = dict(zip(held["building_id"], held["building"], strict=True))
    chosen, unknown = [], []
    for place, line, text in zip(rows["place"], rows.index, named, strict=True):
        ids = [i for i in _SPLIT.split(text) if i]
        if any(i not in place_of for i in ids):
            unknown.append(line)
        chosen += [(place, place_of[i]) for i in ids if i in place_of]
    if unknown:
        findings.add("ledger.confirm_unknown", row=first_ids(unknown), field="confirm",
                     count=len(unknown))
    extra = pd.DataFrame(chosen, columns=["place", "building"]).astype(int).drop_duplicates()
    pairs = pd.concat([pairs[~pairs["place"].isin(extra["place"])], extra]).sort_values(
        ["place", "building"], kind="stable", ignore_index=True)
    rows["confirmed"] = (yes | (listed != "")).to_numpy()
    rows["refused"] = no.to_numpy()
    empty = rows.index[rows["confirmed"] & ~rows["place"].isin(pairs["place"])].difference(unknown)
    if len(empty):
        findings.add("ledger.confirm_empty", row=first_ids(empty), field="confirm",
                     count=len(empty))
    first = extra.drop_duplicates("place").set_index("place")["building"]
    estate_of = held["estate_id"].to_numpy()
    estate = {p: estate_of[b] for p, b in first.items()}
    rows["estate_id"] = [estate.get(p, e) for p, e in zip(rows["place"], rows["estate_id"],
                                                          strict=True)]
    return rows, pairs


def _judge(rows: pd.DataFrame, pairs: pd.DataFrame) -> None:
    """Say of each row whether it is matched, to check or unmatched, and why."""
    has = rows["place"].isin(pairs["place"])
    blank = rows["number"].isna()
    numbered = rows.loc[~blank, "estate_id"]
    mixed = blank & rows["estate_id"].isin(numbered) & (rows["estate_id"] != "")
    rows["fate"] = "matched"
    for reason, fate, which in (
            ("", "to_check", rows["reason"].isin(["estate_similar", "estate_ambiguous"])),
            ("estate_mixed", "to_check", (rows["reason"] == "") & mixed),
            ("numbers_missing", "to_check", (rows["reason"] == "") & (rows["missing"] != "")),
            ("number_unreadable", "to_check", (rows["reason"] == "") & ~rows["readable"]),
            ("number_unknown", "unmatched", (rows["reason"] == "") & rows["readable"] & ~has),
            ("", "unmatched", rows["reason"] == "estate_unknown"),
            ("confirmed", "matched", rows["confirmed"]),
            ("refused", "unmatched", rows["refused"]),
            ("no_households", "unmatched", rows["households"].isna())):
        rows.loc[which, "fate"] = fate
        if reason:
            rows.loc[which, "reason"] = reason
    missing = rows["reason"].isin(["numbers_missing"])
    rows["detail"] = rows["detail"].mask(missing, rows["missing"])


def _claim(rows: pd.DataFrame, pairs: pd.DataFrame) -> None:
    """Put rows to check whose building an earlier row counts already, unless by another unit."""
    facts = rows.set_index("place")
    claims = pairs[pairs["place"].map(facts["fate"]).to_numpy() == "matched"].copy()
    claims["unit"] = claims["place"].map(facts["unit"]).fillna("").astype(str)
    # A confirmed row comes first: what a planner decided is not asked again.
    claims["rank"] = (~claims["place"].map(facts["confirmed"]).astype(bool)).astype(int)
    claims = claims.sort_values(["rank", "place"], kind="stable")
    first = claims.groupby(["building", "unit"])["place"].transform("first")
    general = claims[claims["unit"] == ""].groupby("building")["place"].first()
    other = claims["building"].map(general)
    taken = (first != claims["place"]) | (other.notna() & (other != claims["place"])
                                          & (claims["unit"] != ""))
    taken &= claims["rank"] == 1
    earlier = first.where(first != claims["place"], other)[taken].astype(int)
    lines = pd.Series(rows.index, index=rows["place"])
    by_place = dict(zip(claims.loc[taken, "place"], earlier.map(lines), strict=True))
    which = rows["place"].isin(by_place)
    rows.loc[which, "fate"] = "to_check"
    rows.loc[which, "reason"] = "claimed"
    rows.loc[which, "detail"] = [str(by_place[p]) for p in rows.loc[which, "place"]]


def _result(rows: pd.DataFrame, pairs: pd.DataFrame, held: pd.DataFrame,
            buildings: gpd.GeoDataFrame, findings: Findings) -> LedgerMatch:
    ids = held["building_id"].to_numpy()[pairs["building"].to_numpy()]
    joined = pd.Series(ids, dtype=object).groupby(pairs["place"].to_numpy()).agg(";".join)
    rows["candidates"] = pd.array([joined.get(p, "") for p in rows["place"]], dtype="string")
    for name in ("estate_id", "reason", "detail"):
        rows[name] = rows[name].astype("string")
    fate = rows["fate"]
    used = pairs[pairs["place"].isin(rows.loc[fate == "matched", "place"])]
    counts = _share_out(used, rows.set_index("place")["households"], held)
    households = pd.Series(counts.to_numpy(), index=pd.Index(
        held["building_id"].to_numpy()[counts.index.to_numpy()], name="building_id"),
        name="households").astype("Int64").sort_index()
    kept = rows.drop(columns=["place", "missing", "readable", "confirmed", "refused", "fate"])
    matched, to_check, unmatched = (kept[fate == name] for name in (
        "matched", "to_check", "unmatched"))
    estate = held.set_index("building_id")["estate_id"].reindex(households.index)
    totals = households.groupby(estate.to_numpy()).sum()
    totals.index.name = "estate_id"
    _tell(rows, matched, to_check, unmatched, findings)
    _tell_differences(households, buildings, findings)
    return LedgerMatch(matched, to_check, unmatched, households, totals.drop("", errors="ignore"),
                       _one(matched, "basis", findings), _one(matched, "date", findings))


def _share_out(pairs: pd.DataFrame, households: pd.Series, held: pd.DataFrame) -> pd.Series:
    """Share each row's households over its buildings by weight, and sum them by building.

    Counts that the buildings of one total bring along stay where the others can carry the rest.
    """
    work = pairs.copy()
    at = work["building"].to_numpy()
    work["row_total"] = households.reindex(work["place"]).to_numpy(dtype=np.int64)
    work["given"] = held["given"].to_numpy()[at]
    work["free"] = work["given"].isna()
    work["weight"] = held["weight"].to_numpy()[at]
    by_row = work.groupby("place")
    rest = work["row_total"] - by_row["given"].transform("sum")
    several = by_row["building"].transform("size") > 1
    stays = several & ((rest == 0) | ((rest > 0) & by_row["free"].transform("any")))
    fixed = stays & ~work["free"]
    work["open"] = np.where(stays, rest, work["row_total"]).astype(np.int64)
    work["weight"] = np.where(fixed, 0.0, work["weight"])
    work["size"] = np.where(fixed, 0.0, 1.0)
    total = by_row["weight"].transform("sum")
    size = by_row["size"].transform("sum")
    share = np.where(total > 0, work["weight"] / total.where(total > 0, 1.0),
                     work["size"] / size.where(size > 0, 1.0))
    exact = np.round(share * work["open"].to_numpy(dtype=float), 9)
    work["whole"] = np.floor(exact).astype(np.int64)
    work["rest"] = np.where(fixed, -1.0, exact - work["whole"])
    left = work["open"] - by_row["whole"].transform("sum")
    order = work.sort_values(["place", "rest", "building"], ascending=[True, False, True],
                             kind="stable")
    rank = order.groupby("place").cumcount().reindex(work.index)
    work["whole"] += (rank < left).astype(np.int64)
    work["whole"] = work["whole"].where(~fixed, work["given"].fillna(0)).astype(np.int64)
    return work.groupby("building")["whole"].sum()


def _one(matched: pd.DataFrame, column: str, findings: Findings) -> str:
    values = sorted(matched[column].dropna().unique())
    if len(values) > 1:
        findings.add("ledger.mixed", "warning", layer="ledger", field=column, count=len(values),
                     values=first_ids(values))
    return str(values[0]) if len(values) == 1 else ""


def _tell(rows: pd.DataFrame, matched: pd.DataFrame, to_check: pd.DataFrame,
          unmatched: pd.DataFrame, findings: Findings) -> None:
    for key, part in (("ledger.to_check", to_check), ("ledger.unmatched", unmatched)):
        if len(part):
            findings.add(key, "warning", layer="ledger", row=first_ids(part.index),
                         count=len(part), households=int(part["households"].sum()))
    findings.tally.append(TallyRow(
        "ledger", "ledger", rows_in=len(rows), used=len(matched),
        rejected=len(to_check) + len(unmatched), households_in=int(rows["households"].sum()),
        households_out=int(matched["households"].sum()),
        note="" if len(matched) == len(rows) else "to check or unmatched"))


def _tell_differences(households: pd.Series, buildings: gpd.GeoDataFrame, findings: Findings
                      ) -> None:
    given = buildings["households"].reindex(households.index)
    differs = (given.notna() & (given != households)).fillna(False)
    if differs.any():
        findings.add("ledger.differs", "warning", layer="buildings", field="households",
                     row=first_ids(households.index[differs]), count=int(differs.sum()),
                     given=int(given[differs].sum()), ledger=int(households[differs].sum()))
