"""From a map of communities to a proposal: which of them to merge so that so many remain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gridplan.errors import Finding, Findings, RequestError, UsageError, first_ids
from gridplan.merge.patchwork import Patchwork, Score, find_contacts
from gridplan.merge.solve import divide_patches
from gridplan.params import Params, Range

Ints = NDArray[np.int64]
Subdistricts = Literal["auto", "keep", "cross"]
SUBDISTRICTS = ("auto", "keep", "cross")


@dataclass(frozen=True, eq=False)
class Proposal:
    """Which communities to merge: advice only, people decide.

    Attributes
    ----------
    owner
        New community of every old one: index former_id, values the ids of those that stay.
    score, bound, proven
        The largest new community, the households that change their community and the border
        left between new communities (cm); what each cannot be below, given those before it;
        and whether it meets that.
    subdistricts
        ``keep`` where no merger crosses a subdistrict, ``join`` where whole ones had to be
        joined, ``cross`` where they did not count.
    """

    owner: pd.Series
    score: Score
    bound: Score
    proven: tuple[bool, bool, bool]
    households: pd.Series
    subdistricts: str
    slack: float = 0.0

    @property
    def count(self) -> int:
        """Number of communities that remain."""
        return int(self.owner.nunique())

    @property
    def totals(self) -> pd.Series:
        """Households of every new community."""
        totals: pd.Series = self.households.groupby(self.owner.to_numpy(), sort=True).sum()
        return totals

    @property
    def largest_to_mean(self) -> float | None:
        """Households of the largest new community over the mean; None without households."""
        mean = float(self.households.sum()) / self.count
        return self.score.largest / mean if mean else None

    def mergers(self) -> dict[str, list[str]]:
        """Return the old communities of each merger: those absorbed, by the one that stays.

        In the order of the ids.
        """
        gone = self.owner[self.owner.index != self.owner.to_numpy()]
        held: dict[str, list[str]] = {}
        for former, new in sorted(gone.items(), key=lambda row: (row[1], row[0])):
            held.setdefault(str(new), []).append(str(former))
        return held

    def outside(self, limits: Range) -> dict[str, int]:
        """Return the new communities whose households are out of a range."""
        totals = self.totals
        return {str(name): int(held) for name, held in totals.items()
                if not limits.low <= held <= limits.high}


def propose_merger(communities: gpd.GeoDataFrame, count: int, params: Params, findings: Findings,
                   *, subdistricts: Subdistricts = "auto", slack: float = 0.0,
                   file: str = "") -> Proposal:
    """Propose which communities to merge so that ``count`` remain.

    Every new community is a connected union of whole old ones (rook contact: a shared border of
    a metre or more). In this order: its largest is as small as possible, as few households as
    possible change their community (those of the largest old one in each keep theirs, and its
    id and name stay), the borders left are as short as possible.

    Parameters
    ----------
    communities
        Polygons that tile, in a metric CRS, with households and, if wanted, subdistrict_id;
        indexed by community_id or with such a column.
    count
        How many shall remain.
    subdistricts
        ``auto``: inside subdistricts where all have one and the number can be met so, else whole
        subdistricts are joined; ``keep``: inside or not at all; ``cross``: as if there were none.
    slack
        Share by which the largest may exceed the least possible, so that fewer households move.
    file
        The file they came from, for messages.

    Raises
    ------
    UsageError
        The slack is no share.
    InputError
        Ids or households are missing, or not unique.
    RequestError
        So many cannot remain; the message names the numbers that are possible.
    """
    if not 0 <= slack <= 1:
        raise UsageError(Finding("merge.bad_slack", field="slack", values={"value": slack}))
    frame = communities if communities.index.name == "community_id" else (
        communities.set_index("community_id"))
    frame = frame.sort_index()
    _check_values(frame, findings, file)
    people = frame["households"].to_numpy(dtype=np.int64)
    u, v, length_cm = find_contacts(frame.geometry.to_numpy())
    full = Patchwork.of(people, u, v, length_cm)
    names = frame.index.astype(str).to_numpy(dtype=object)
    town = _subdistricts(frame, subdistricts, findings, file)
    inside = town[u] == town[v]
    inner = Patchwork.of(people, u[inside], v[inside], length_cm[inside])
    patches, patch = _settle(full, inner, count, subdistricts, names, findings, file)
    findings.stop_on_faults(RequestError)
    division = divide_patches(patches, count, slack=slack, effort=params.partition.effort,
                              seed=params.seed)
    label = division.label[patch]
    rule = "cross" if len(set(town.tolist())) == 1 else (
        "keep" if patches is inner else "join")
    owner = pd.Series(_heirs(label, people, names), index=pd.Index(names, name="former_id"),
                      name="community_id", dtype=object)
    score, bound = full.score(label), division.bound
    if patches is inner:
        # Borders between subdistricts stay whatever is merged.
        bound = bound._replace(border_cm=bound.border_cm + int(length_cm[~inside].sum()))
    return Proposal(owner, score, bound, division.proven,
                    pd.Series(people, index=owner.index, name="households"), rule, slack)


def _check_values(frame: gpd.GeoDataFrame, findings: Findings, file: str) -> None:
    households = frame["households"]
    for key, field, bad in (
            ("merge.duplicate", "community_id", frame.index.duplicated()),
            ("merge.no_households", "households", households.isna().to_numpy(dtype=bool)),
            ("merge.negative", "households", (households < 0).fillna(False).to_numpy(dtype=bool))):
        if bad.any():
            findings.add(key, file=file, layer="communities", field=field, count=int(bad.sum()),
                         row=first_ids(dict.fromkeys(frame.index[bad])))
    findings.stop_on_faults()


def _subdistricts(frame: gpd.GeoDataFrame, wanted: Subdistricts, findings: Findings,
                  file: str) -> Ints:
    """Return the number of each community's subdistrict; one for all where they do not count."""
    given = frame["subdistrict_id"].astype("string").fillna("") if (
        "subdistrict_id" in frame) else pd.Series("", frame.index, dtype="string")
    lacking = (given == "").to_numpy(dtype=bool)
    if wanted == "cross" or lacking.all():
        if wanted == "keep" and lacking.all():
            findings.add("merge.no_subdistricts", file=file, layer="communities",
                         field="subdistrict_id")
            findings.stop_on_faults()
        return np.zeros(len(frame), np.int64)
    if lacking.any():
        findings.add("merge.subdistricts_lacking", "error" if wanted == "keep" else "warning",
                     file=file, layer="communities", field="subdistrict_id",
                     row=first_ids(frame.index[lacking]), count=int(lacking.sum()))
        findings.stop_on_faults()
        return np.zeros(len(frame), np.int64)
    return pd.factorize(given, sort=True)[0].astype(np.int64)


def _settle(full: Patchwork, inner: Patchwork, count: int, subdistricts: Subdistricts,
            names: NDArray[np.object_], findings: Findings, file: str) -> tuple[Patchwork, Ints]:
    """Return what is divided, and the patch of every community; tell what cannot be met."""
    pieces, within = full.pieces(), inner.pieces()
    least, kept = int(pieces.max()) + 1, int(within.max()) + 1
    all_of_them = np.arange(full.size)
    told = {"count": full.size, "asked": count, "least": least}
    if count > full.size:
        findings.items.append(Finding("merge.too_many", file=file, layer="communities",
                                      values={**told}))
    elif count < least:
        findings.items.append(Finding("merge.too_few", file=file, layer="communities", values={
            **told, "pieces": _name_pieces(pieces, names)}))
    elif count >= kept:
        return inner, all_of_them
    elif subdistricts == "keep":
        findings.items.append(Finding("merge.too_few_inside", file=file, layer="communities",
                                      values={**told, "least": kept, "free": least}))
    else:
        findings.items.append(Finding("merge.joined", "warning", file=file, layer="communities",
                                      values={**told, "least": kept}))
        return full.joined(within), within
    return full, all_of_them


def _name_pieces(piece: Ints, names: NDArray[np.object_]) -> str:
    """Name each piece of the map by its number of communities and the first of them."""
    size = np.bincount(piece)
    first = np.unique(piece, return_index=True)[1]
    order = np.argsort(-size, kind="stable")
    return first_ids([f"{names[first[k]]} (+{size[k] - 1})" if size[k] > 1 else names[first[k]]
                      for k in order.tolist()])


def _heirs(label: Ints, people: Ints, names: NDArray[np.object_]) -> NDArray[np.object_]:
    """Return for each community the largest of its group; of equals the first by id."""
    order = np.lexsort((np.arange(len(label)), -people, label))
    first = order[np.unique(label[order], return_index=True)[1]]
    heir: NDArray[np.object_] = names[first][label]
    return heir


def describe_bounds(proposal: Proposal) -> Mapping[str, tuple[float, float, bool]]:
    """Return value, bound and whether it is proven for each thing a proposal is judged by."""
    return {"merge_largest": (proposal.score.largest, proposal.bound.largest, proposal.proven[0]),
            "merge_moved": (proposal.score.moved, proposal.bound.moved, proposal.proven[1]),
            "merge_border": (proposal.score.border_cm / 100, proposal.bound.border_cm / 100,
                             proposal.proven[2])}
