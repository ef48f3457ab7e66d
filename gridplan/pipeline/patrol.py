"""The story of a patrol: what is given, what is proposed, routes, figures, the record."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from gridplan.errors import Findings, InputError
from gridplan.layers import LAYERS, Source, conform
from gridplan.params import Params, as_dict
from gridplan.plan import Plan, digest_rows, tally_frame
from gridplan.plan.patrol import GIVEN_LAYERS, MADE_LAYERS, forget_patrol, note_upstream

if TYPE_CHECKING:
    from gridplan.patrol.change import Change
    from gridplan.patrol.desk import Patrol, PatrolRequest
    from gridplan.patrol.many import Need


def patrol_plan(plan: Plan, request: PatrolRequest, params: Params, findings: Findings, *,
                given: Mapping[str, Any] | None = None, lang: str = "en",
                command: str = "gridplan patrol") -> tuple[Plan, Patrol]:
    """Plan patrols and put them into the plan.

    Parameters
    ----------
    plan
        With grids and roads.
    given
        Layers as :func:`gridplan.read.read_patrol` returns them; what is absent is taken from the
        plan, and proposed where that has none.

    Returns
    -------
    tuple
        The plan with stations, stops, required streets, calendar, teams, zones, routes, visits,
        what is unmet and figures; and the patrol.

    Raises
    ------
    InputError
        What is given has faults, all of them named.
    """
    from gridplan.patrol.desk import plan_patrol
    from gridplan.patrol.figures import measure_patrol

    plan.require("grids", "roads")
    plan = drop_calendar(plan, given or {})
    asked = settle_given(plan, request, params, findings, given or {}, lang)
    if (given or {}).get("watch"):
        asked = {**asked, "watch": (given or {})["watch"]}
    patrol = plan_patrol(plan, request, params, findings, given=asked, lang=lang)
    findings.tally.extend(patrol.tally)
    bare = forget_patrol(plan)
    done = bare.with_layers(**{name: conform(name, patrol.layers[name])
                               for name in (*GIVEN_LAYERS, *MADE_LAYERS)},
                            tally=_add(bare, "tally", tally_frame(Findings(
                                tally=list(patrol.tally)))))
    record = make_record(bare, patrol, params, given or {})
    done = done.with_run({**record, **note_upstream(done), "command": command})
    figures = [measure_patrol(done, params, findings, points=(given or {}).get("watch"))]
    if request.vary:
        figures.append(_price(patrol.km, round(patrol.plain_km, 6)))
    done = done.with_layers(figures=_add(done, "figures", *figures))
    return done.with_run(digest_rows(done, [*GIVEN_LAYERS, *MADE_LAYERS])), patrol


def change_plan(plan: Plan, params: Params, findings: Findings, *, without: Sequence[str],
                at: str, day: str = "", command: str = "gridplan patrol") -> tuple[Plan, Change]:
    """Plan the rest of a day anew without some teams, and put it into the plan.

    Figures are measured again; the plan notes who dropped out and when. A log goes, as visits
    change.

    Raises
    ------
    UsageError, InputError
        As :func:`gridplan.patrol.change.change_patrol` does.
    """
    from gridplan.patrol.change import change_patrol
    from gridplan.patrol.figures import measure_patrol
    from gridplan.plan.log import forget_log
    from gridplan.plan.patrol import forget_figures

    changed = change_patrol(plan, params, findings, without=without, at=at, day=day)
    bare = forget_figures(forget_log(plan))
    done = bare.with_layers(**changed.layers)
    figures = [measure_patrol(done, params, findings)]
    if plan.run.get("patrol:base_km"):
        km = float(done.layer("routes")["distance_m"].sum()) / 1000
        figures.append(_price(km, float(plan.run["patrol:base_km"])))
    done = done.with_layers(figures=_add(done, "figures", *figures))
    told = plan.run.get("patrol:without", "")
    now = [f"{changed.day}/{team}/{at}" for team in without]
    return done.with_run({"patrol:without": ";".join(filter(None, (told, *now))),
                          "command": command, **digest_rows(done, MADE_LAYERS)}), changed


def need_plan(plan: Plan, request: PatrolRequest, params: Params, findings: Findings, *,
              visibility: float | None = None, revisit_min: float | None = None,
              given: Mapping[str, Any] | None = None, lang: str = "en") -> list[Need]:
    """Return how many teams each zone and shift needs for a visibility or a revisit interval.

    Nothing is put into the plan.
    """
    from gridplan.patrol.desk import list_day
    from gridplan.patrol.many import count_teams
    from gridplan.patrol.solve import TOIL

    plan.require("grids", "roads")
    plan = drop_calendar(plan, given or {})
    asked = settle_given(plan, request, params, findings, given or {}, lang)
    jobs, grounds = list_day(plan, request, params, findings, given=asked, lang=lang)
    return [need for job in jobs for need in count_teams(
        job, grounds, TOIL[params.partition.effort], visibility=visibility,
        revisit_min=revisit_min, seed=params.seed)]


def drop_calendar(plan: Plan, given: Mapping[str, Any]) -> Plan:
    """Return the plan without its calendar where teams are given without one.

    It names the teams there were: those given would never be on duty.
    """
    if "teams" not in given or "calendar" in given or not len(plan.layer("calendar")):
        return plan
    return plan.with_layers(calendar=plan.layer("calendar").iloc[:0])


def settle_given(plan: Plan, request: PatrolRequest, params: Params, findings: Findings,
                 given: Mapping[str, Any], lang: str) -> dict[str, Any]:
    """Check what is given together with what is proposed beside it; return what was given.

    Raises
    ------
    InputError
        With every fault.
    """
    from gridplan.patrol.duty import name_days
    from gridplan.patrol.inputs import check_patrol
    from gridplan.patrol.proposal import propose_patrol

    layers = {name: frame for name, frame in given.items() if name in (
        *GIVEN_LAYERS, "streets", "points")}
    if not layers and not any(len(plan.layer(name)) for name in GIVEN_LAYERS):
        return {}
    # Nothing is proposed beside what is at fault; warnings are told below.
    check_patrol(layers, plan, params, Findings(list(findings.items)), alone=True)
    days = name_days(layers.get("calendar", plan.layer("calendar")), request.days)
    named = {"required" if name == "streets" else name: frame for name, frame in layers.items()
             if name != "points"}
    try:
        proposed = propose_patrol(plan, params, Findings(), named, days=days, lang=lang,
                                  seed=params.seed)
    except InputError:
        check_patrol(layers, plan, params, findings)
        raise
    checked = check_patrol({**{n: f for n, f in proposed.items() if n not in named}, **layers},
                           plan, params, findings)
    return {"required" if name == "streets" else name: frame for name, frame in checked.items()
            if name in layers and name != "points"}


def make_record(plan: Plan, patrol: Patrol, params: Params, given: Mapping[str, Any]
                ) -> dict[str, str]:
    """Return the rows of the run table: what was asked, and of which files."""
    try:
        said = json.loads(plan.run.get("parameters", "") or "{}")
    except ValueError:
        said = {}
    said = said if isinstance(said, dict) else {}
    said |= {name: as_dict(params)[name] for name in ("network", "patrol")}
    number = max((int(key.split(":")[1]) for key in plan.run
                  if key.startswith("input:") and key.split(":")[1].isdigit()), default=0)
    sources = [frame.attrs["source"] for frame in given.values()
               if isinstance(getattr(frame, "attrs", {}).get("source"), Source)]
    request = patrol.request
    return {**{f"input:{number + k}:{s.name}:{s.layer}": s.sha256
               for k, s in enumerate(sources, start=1)},
            "parameters": json.dumps(said, sort_keys=True, ensure_ascii=False),
            "patrol:cover": request.cover, "patrol:days": ",".join(d.name for d in patrol.days),
            "patrol:vary": "yes" if request.vary else "no",
            "patrol:duty": request.duty, "patrol:seed": str(params.seed),
            **({"patrol:base_km": f"{patrol.plain_km:.6f}"} if request.vary else {})}


def _price(km: float, plain_km: float) -> pd.DataFrame:
    """Return the figure that tells what varying costs in kilometres."""
    return conform("figures", pd.DataFrame([{
        "name": "vary_price", "scope": "city", "scope_id": "all",
        "value": km / plain_km - 1 if plain_km else None, "unit": "share",
        "numerator": km, "denominator": plain_km}],
        columns=LAYERS["figures"].names))


def _add(plan: Plan, layer: str, *rows: pd.DataFrame) -> pd.DataFrame:
    parts: Sequence[pd.DataFrame] = [f for f in (plan.layer(layer), *rows) if len(f)]
    return conform(layer, pd.concat(parts, ignore_index=True)) if parts else plan.layer(layer)
