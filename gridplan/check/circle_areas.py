"""Service areas: valid, and nobody lives inside who cannot get there within the limit."""

from __future__ import annotations

import numpy as np
import shapely

from gridplan.check.circle_desk import CircleDesk
from gridplan.check.circle_ways import WAY_M
from gridplan.check.graph import Flags
from gridplan.check.verdict import CheckReport

# What an area of a facility may lie outside that of its category: a millimetre all along.
_SLIVER_M = 1e-3


def check_areas(report: CheckReport, desk: CircleDesk) -> None:
    """Check all service areas."""
    plan = desk.plan
    if not len(plan.frame("service_areas")):
        return
    shape, ids = plan.shapes("service_areas"), plan.ids("service_areas")
    empty = shapely.is_missing(shape) | shapely.is_empty(shape)
    bad = empty | ~shapely.is_valid(shape) | ~np.isin(shapely.get_type_id(shape), (3, 6))
    if bad.any():
        report.add("circle", "area_invalid", "service_areas", ids[bad])
        return
    again = plan.frame("service_areas").duplicated(["category", "facility_id"]).to_numpy()
    if again.any():
        report.add("circle", "area_twice", "service_areas", ids[again])
        return
    _check_limits(report, desk)
    _check_inside(report, desk)
    if desk.can_walk(desk.first):
        _check_reach(report, desk)


def _check_limits(report: CheckReport, desk: CircleDesk) -> None:
    """Hold that areas are drawn for the first walker, and facilities to their categories."""
    plan, limits = desk.plan, desk.limits()
    ids, category = plan.ids("service_areas"), plan.ids("service_areas", "category")
    want = np.array([limits.get((c, desk.first), np.nan) for c in category])
    bad = ~(np.abs(plan.numbers("service_areas", "limit_m") - want) <= 1e-6)
    if bad.any():
        report.add("circle", "area_limit", "service_areas", ids[bad], "limit_m",
                   found=float(plan.numbers("service_areas", "limit_m")[bad][0]),
                   expected=float(want[bad][0]))
    names = plan.ids("facilities")
    strange = []
    for k, (c, facility) in enumerate(zip(category, plan.ids("service_areas", "facility_id"),
                                          strict=True)):
        name, after = c.removesuffix(":after"), c.endswith(":after")
        if facility and facility not in names[desk.facilities_of((name, after))]:
            strange.append(ids[k])
    if strange:
        report.add("circle", "area_facility", "service_areas", strange, "facility_id")


def _check_inside(report: CheckReport, desk: CircleDesk) -> None:
    """Hold that the area of a facility lies within that of its category."""
    plan = desk.plan
    shape, ids = plan.shapes("service_areas"), plan.ids("service_areas")
    facility, category = (plan.ids("service_areas", c) for c in ("facility_id", "category"))
    whole = {c: k for k, c in enumerate(category) if not facility[k]}
    lost = [ids[k] for k in range(len(ids)) if category[k] not in whole]
    if lost:
        report.add("circle", "area_missing", "service_areas", lost)
    part = np.array([k for k in range(len(ids)) if facility[k] and category[k] in whole],
                    dtype=np.int64)
    if not len(part):
        return
    around = shape[[whole[c] for c in category[part]]]
    outside = np.zeros(len(part))
    loose = ~shapely.covers(around, shape[part])
    outside[loose] = shapely.area(shapely.difference(shape[part[loose]], around[loose]))
    bad = outside > _SLIVER_M * shapely.length(shape[part])
    if bad.any():
        report.add("circle", "area_outside", "service_areas", ids[part[bad]],
                   m2=round(float(outside.max()), 2))


def _check_reach(report: CheckReport, desk: CircleDesk) -> None:
    """Hold that no building lies inside that cannot be left for there within the limit."""
    plan, limits = desk.plan, desk.limits()
    points = shapely.point_on_surface(plan.shapes(desk.layer))
    tree = shapely.STRtree(points)
    shape, ids = plan.shapes("service_areas"), plan.ids("service_areas")
    row = {name: k for k, name in enumerate(plan.ids("facilities"))}
    wrong, example = [], ""
    for k, (category, facility) in enumerate(zip(
            plan.ids("service_areas", "category"), plan.ids("service_areas", "facility_id"),
            strict=True)):
        inside = tree.query(shape[k], predicate="contains")
        limit = limits.get((category, desk.first))
        if limit is None or not len(inside):
            continue
        state = (category.removesuffix(":after"), category.endswith(":after"))
        far = _beyond(desk, state, row.get(facility, -1) if facility else None, limit)[inside]
        if far.any():
            wrong.append(ids[k])
            example = example or str(plan.ids(desk.layer)[inside[far]][0])
    if wrong:
        report.add("circle", "area_far", "service_areas", wrong, building=example)


def _beyond(desk: CircleDesk, state: tuple[str, bool], row: int | None, limit_m: float) -> Flags:
    """Tell which buildings are surely beyond a limit, of all facilities or of one."""
    if row is None:
        return np.asarray(desk.ways(state, desk.first).low > limit_m + WAY_M)
    near = np.zeros(len(desk.people), dtype=bool)
    found = desk.each_within(state, limit_m)
    place = np.flatnonzero(desk.facilities_of(state) == row)
    for k in place.tolist():
        near[found[k][0]] = True
    return ~(near | desk.tied())
