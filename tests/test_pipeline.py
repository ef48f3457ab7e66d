"""The story of a run: stages in order, nothing lost between them, files named."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
from studies import CROSS, houses_in_rows, make_study

from gridplan.errors import Findings, InputError
from gridplan.layers import Source
from gridplan.params import Params
from gridplan.pipeline import STAGES, count_households, plan_city


def small_study(households: int | None = 25):
    study, count = make_study(houses_in_rows(20, 20, 5, 5), [25] * 25, CROSS)
    study.buildings["households"] = pd.array([households] * len(count), dtype="Int64")
    return study


def test_a_plan_holds_every_layer_of_the_contract_and_its_record():
    told: list[tuple[str, float]] = []
    findings = Findings()
    plan = plan_city(small_study(), Params(seed=3), findings,
                     progress=lambda stage, done: told.append((stage, done)))
    assert {"communities", "grids", "units", "borders", "buildings", "roads", "figures", "tally",
            "run"} <= set(plan.layers)
    assert plan.run["seed"] == "3"
    assert plan.run["range:urban"] == "300/500"
    assert [t.name for t in plan.stages] == list(STAGES)
    assert all(t.seconds >= 0 for t in plan.stages)
    assert [s for s, done in told if done == 1.0 and s != "partition"] == [
        "households", "units", "plan"]
    assert findings.tally[-1].households_out == 625


def test_findings_about_totals_name_their_file():
    study = small_study()
    totals = pd.Series({"c0": 600})
    study = replace(study, totals=totals, sources=(Source("totals.xlsx", "totals", "0", 1),))
    with pytest.raises(InputError) as stopped:
        count_households(study, Params(), Findings())
    assert all(f.file == "totals.xlsx" for f in stopped.value.findings if f.layer == "totals")
    assert any(f.file == "totals.xlsx" for f in stopped.value.findings)


def test_a_town_without_households_is_told():
    findings = Findings()
    count_households(small_study(0), Params(), findings)
    assert [f.key for f in findings.of("warning")] == ["pipeline.no_households"]
