"""What an assignment leaves in the plan: its layers, figures, tally and run record."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pandas as pd

from gridplan.assign.desk import Assigned
from gridplan.assign.figures import is_ours
from gridplan.errors import Findings, TallyRow
from gridplan.layers import Roster, conform
from gridplan.params import Params, as_dict
from gridplan.plan import Plan, digest_layer, digest_rows, tally_frame

_LAYER = "roster"  # what the run table and the tally call the file of people
_STAGES = ("roster", "assign")


def record_assignment(plan: Plan, assigned: Assigned, roster: Roster, params: Params,
                      findings: Findings, *, absent: Sequence[str] = (),
                      command: str = "gridplan assign") -> Plan:
    """Return the plan with staff, assignments, figures and workload, and the record of the run.

    What an earlier assignment left is replaced. The digest of the grids follows only where
    nobody had edited them, so that an edit stays known.
    """
    note_tally(findings, roster, assigned, absent)
    grids = plan.layer("grids")
    untouched = plan.run.get("digest:grids") == digest_layer(grids, "grids")
    grids = grids.assign(workload=assigned.workload.reindex(
        grids["grid_id"].astype(str)).to_numpy(dtype=float))
    figures, tally = plan.layer("figures"), plan.layer("tally")
    kept = tally[~tally["stage"].isin(_STAGES).to_numpy(dtype=bool)]
    rows = tally_frame(Findings(tally=[r for r in findings.tally if r.stage in _STAGES]))
    done = plan.with_layers(
        grids=grids, staff=assigned.staff, assignments=assigned.assignments,
        figures=conform("figures", pd.concat([figures[~is_ours(figures["name"])],
                                              assigned.figures], ignore_index=True)),
        tally=conform("tally", pd.concat([kept, rows], ignore_index=True)))
    digests = digest_rows(done, ["staff", "assignments", *(["grids"] if untouched else [])])
    record = make_record(plan, assigned, roster, params, absent) | digests | {"command": command}
    run = {key: value for key, value in done.run.items() if not _is_old(key)} | record
    return done.with_layers(run=conform("run", pd.DataFrame(
        {"key": list(run), "value": list(run.values())})))


def make_record(plan: Plan, assigned: Assigned, roster: Roster, params: Params,
                absent: Sequence[str]) -> dict[str, str]:
    """Return the rows of the run table: what was asked, of which files, and what it rests on."""
    said = json.loads(plan.run.get("parameters", "") or "{}")
    said["assign"] = as_dict(params)["assign"]
    number = 1 + max((int(key.split(":")[1]) for key in plan.run
                      if key.startswith("input:") and key.split(":")[1].isdigit()
                      and not _is_old(key)), default=0)
    return {"parameters": json.dumps(said, sort_keys=True, ensure_ascii=False),
            f"input:{number}:{roster.source.name}:{_LAYER}": roster.source.sha256,
            "assign:absent": ";".join(absent), "assign:held": assigned.holding.source,
            "assign:seed": str(params.seed),
            # The land people answer for: another one, and they are assigned to what is gone.
            "upstream:assignments:units": digest_layer(plan.layer("units"), "units")}


def note_tally(findings: Findings, roster: Roster, assigned: Assigned,
               absent: Sequence[str]) -> None:
    """Add the row of the tally: people of the roster = people of the plan + absent."""
    findings.tally.append(TallyRow("assign", _LAYER, len(roster.staff), len(assigned.staff),
                                   outside=len(absent)))


def _is_old(key: str) -> bool:
    """Tell whether a row of the run table is of an earlier assignment."""
    return key.startswith(("assign:", "upstream:assignments:")) or (
        key.startswith("input:") and key.endswith(f":{_LAYER}"))
