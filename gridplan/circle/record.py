"""What a service circle leaves in the plan: its layers, figures, tally and run record."""

from __future__ import annotations

import json

import pandas as pd

from gridplan.circle.desk import Circle
from gridplan.errors import Findings
from gridplan.layers import Source, conform
from gridplan.params import Params, as_dict
from gridplan.plan import Plan, digest_rows, tally_frame
from gridplan.plan.circle import LAYERS_OF_CIRCLE, forget_circle, note_upstream


def record_circle(plan: Plan, circle: Circle, params: Params, findings: Findings, *,
                  command: str = "gridplan circle") -> Plan:
    """Return the plan with coverage, service areas, facilities and figures, and the record.

    What an earlier circle left is replaced; sites that were chosen on it go, and it is told.
    """
    if "sites" in plan.layers and len(plan.layer("sites")):
        findings.add("circle.sites_gone", "warning", layer="sites",
                     count=len(plan.layer("sites")))
    findings.tally.extend(circle.tally)
    bare = forget_circle(plan)
    tally = tally_frame(Findings(tally=list(circle.tally)))
    done = bare.with_layers(
        facilities=circle.facilities, coverage=circle.coverage,
        service_areas=circle.service_areas, figures=_add(bare, "figures", circle.figures),
        tally=_add(bare, "tally", tally))
    return done.with_run({**make_record(bare, circle, params), **note_upstream(done),
                          **digest_rows(done, ["facilities", *LAYERS_OF_CIRCLE]),
                          "command": command})


def make_record(plan: Plan, circle: Circle, params: Params) -> dict[str, str]:
    """Return the rows of the run table: what was asked, and of which files."""
    try:
        said = json.loads(plan.run.get("parameters", "") or "{}")
    except ValueError:
        said = {}
    asked = as_dict(params)
    said = said if isinstance(said, dict) else {}
    said |= {name: asked[name] for name in ("network", "circle")}
    number = max((int(key.split(":")[1]) for key in plan.run
                  if key.startswith("input:") and key.split(":")[1].isdigit()), default=0)
    inputs: list[tuple[str, Source]] = [(name, s) for name, some in circle.sources for s in some]
    record = {f"input:{number + k}:{s.name}:{name}": s.sha256
              for k, (name, s) in enumerate(inputs, start=1)}
    if circle.table.file != "table.csv":
        record[f"input:{number + len(inputs) + 1}:{circle.table.file}:circle_categories"] = (
            circle.table.sha256)
    if circle.elevation:
        record["circle:elevation"] = circle.elevation
    return {**record, "parameters": json.dumps(said, sort_keys=True, ensure_ascii=False),
            "circle:profile": circle.profile.name, "circle:walkers": ";".join(circle.walkers),
            "circle:seed": str(params.seed), "circle:categories": circle.table.sha256,
            "circle:table": circle.profile.record()}


def _add(plan: Plan, layer: str, rows: pd.DataFrame) -> pd.DataFrame:
    return conform(layer, pd.concat([plan.layer(layer), rows], ignore_index=True))
