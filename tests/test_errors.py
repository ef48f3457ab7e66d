"""Errors: one line a fault, all at once, each with its place, its mend and its exit code."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridplan import errors
from gridplan.errors import Finding, Findings, InputError, first_ids
from gridplan.i18n import translate

CODES = {"UsageError": 2, "InputError": 3, "RequestError": 4, "RuleError": 5, "MachineError": 6}


@pytest.mark.parametrize(("name", "code"), CODES.items())
def test_each_kind_of_error_has_the_exit_code_of_the_contract(name, code):
    kind = getattr(errors, name)
    assert issubclass(kind, errors.GridplanError)
    assert kind.exit_code == code


def test_an_unnamed_error_is_our_bug():
    assert errors.GridplanError.exit_code == 1


@pytest.fixture
def fault():
    return Finding("params.bad_value", file="gridplan.toml", field="seed", values={"value": "x"})


def test_a_line_says_code_place_what_and_mend(fault):
    assert fault.line("en").split(" | ") == [
        "params.bad_value", "gridplan.toml › seed", "this value is not allowed: x",
        translate("params.bad_value.mend")]


def test_the_same_line_in_chinese(fault):
    assert "不允许的取值：x" in fault.line("zh")


def test_a_place_names_file_layer_row_and_field_in_this_order():
    found = Finding("params.unknown", file="a.gpkg", layer="buildings", row="17", field="floors")
    assert " | a.gpkg › buildings › 17 › floors | " in found.line()


def test_a_finding_without_a_place_shows_a_dash():
    assert Finding("params.unknown").line().startswith("params.unknown | - | ")


def test_all_faults_are_raised_at_once(fault):
    findings = Findings()
    findings.add("params.unknown", file="a", field="b")
    findings.add("params.bad_value", "warning", value=1)
    findings.add("params.bad_value", "ask", value=2)
    with pytest.raises(InputError) as caught:
        findings.stop_on_faults()
    assert [f.key for f in caught.value.findings] == ["params.unknown", "params.bad_value"]
    assert len(caught.value.lines("zh")) == 2
    assert str(caught.value).count("\n") == 1


def test_warnings_and_repairs_stop_nothing():
    findings = Findings()
    findings.add("params.unknown", "warning")
    findings.add("params.unknown", "repaired", count=3)
    findings.stop_on_faults()
    assert [f.outcome for f in findings.of("repaired", "warning")] == ["warning", "repaired"]


def test_the_kind_of_error_can_be_chosen():
    findings = Findings()
    findings.add("params.unknown")
    with pytest.raises(errors.RequestError):
        findings.stop_on_faults(errors.RequestError)


@given(st.text(), st.text())
def test_any_text_of_a_user_can_be_told(value, row):
    findings = Findings()
    findings.add("params.bad_value", row=row, value=value)
    assert value in findings.items[0].what("en")
    assert value in findings.items[0].what("zh")


@pytest.mark.parametrize("name", ["key", "lang"])
def test_a_value_may_have_any_name(name):
    assert Finding("params.unknown", values={name: 1}).line()


def test_an_unknown_text_comes_back_as_its_key():
    assert translate("params.no_such_text") == "params.no_such_text"
    assert translate("params.no_such_text.mend") == ""


@given(st.lists(st.text(st.characters(exclude_characters=",…"), min_size=1)),
       st.integers(1, 9))
def test_first_ids_names_some_and_counts_all(ids, limit):
    said = first_ids(ids, limit)
    if len(ids) <= limit:
        assert said == ", ".join(ids)
    else:
        assert said.endswith(f"… ({len(ids)})")
        assert said.startswith(", ".join(ids[:limit]))
