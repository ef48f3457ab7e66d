"""Parameters: every figure is checked, explained in both languages and read back as written."""

import dataclasses
import math
import re
import tomllib
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridplan import params as room
from gridplan.errors import InputError, MachineError
from gridplan.i18n import LANGUAGES, load_room
from gridplan.params import Params, PartitionParams, Range, load_params, template


def all_fields(value, table=""):
    """Yield the dotted name of every table and field."""
    for f in dataclasses.fields(value):
        here = f"{table}.{f.name}" if table else f.name
        yield here
        inner = getattr(value, f.name)
        if dataclasses.is_dataclass(inner):
            yield from all_fields(inner, here)


def load(tmp_path, text):
    path = tmp_path / "gridplan.toml"
    path.write_text(text, encoding="utf-8")
    return load_params(path)


def faults(tmp_path, text):
    with pytest.raises(InputError) as caught:
        load(tmp_path, text)
    assert {f.file for f in caught.value.findings} == {"gridplan.toml"}
    return {(f.key, f.field) for f in caught.value.findings}


@pytest.mark.parametrize("name", list(all_fields(Params())))
@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_field_says_what_it_is_and_why(name, lang):
    text = load_room("params")[name][lang]
    table = name in {n.rpartition(".")[0] for n in all_fields(Params())}
    reasons = {"en": ("because", "by the same"), "zh": ("因为", "因此", "依据", "取")}[lang]
    assert table or any(word in text for word in reasons)
    assert "\n" not in text


def default_of(name):
    value = Params()
    for part in name.split("."):
        value = getattr(value, part)
    return value


@pytest.mark.parametrize("name", [n for n in all_fields(Params())
                                  if isinstance(default_of(n), int | float)
                                  and not isinstance(default_of(n), bool)])
@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_text_explains_the_default_that_holds(name, lang):
    assert re.search(rf"(?<![\d.]){default_of(name):g}(?:\.0)?(?!\d|\.\d)",
                     load_room("params")[name][lang])


def test_no_text_is_left_of_a_field_that_is_gone():
    known = {*all_fields(Params()), "unreadable", "not_toml", "unknown", "not_a_table",
             "bad_value"}
    assert {n.removesuffix(".mend") for n in load_room("params")} == known


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_template_loads_back_to_the_defaults(tmp_path, lang):
    assert load(tmp_path, template(lang)) == Params() == load_params()


def test_a_template_saved_by_a_windows_editor_loads(tmp_path):
    path = tmp_path / "gridplan.toml"
    path.write_bytes(b"\xef\xbb\xbf" + template("zh").replace("\n", "\r\n").encode())
    assert load_params(path) == Params()


def test_what_is_left_out_keeps_its_default(tmp_path):
    found = load(tmp_path, "[partition.old]\nlow = 160\nhigh = 260\n"
                           '[households.residential_share]\nshop = 0.2\n')
    assert found.partition.old == Range(160, 260)
    assert found.partition.urban == Range()
    assert found.households.residential_share["shop"] == 0.2
    assert found.households.residential_share["house"] == 1.0


def test_every_fault_of_a_file_is_named_at_once(tmp_path):
    assert faults(tmp_path, """
seed = "one"
colour = 3
read = 5
[households]
household_size = -1
efficiency = 2.0
[blocks]
thin = true
[partition]
effort = "hardest"
[partition.old]
low = 400
high = 200
[walks]
""") == {("params.bad_value", "seed"), ("params.unknown", "colour"),
         ("params.not_a_table", "read"), ("params.bad_value", "households.household_size"),
         ("params.bad_value", "households.efficiency"), ("params.bad_value", "blocks.thin"),
         ("params.bad_value", "partition.effort"), ("params.bad_value", "partition.old.high"),
         ("params.unknown", "walks")}


BAD = [("seed", "-1"), ("seed", "1.5"), ("read.snap_m", "-0.1"), ("read.outside_share", "1.1"),
       ("households.spread", "1.0"), ("households.household_size", "0"),
       ("households.household_size", "nan"), ("households.household_size", "inf"),
       ("households.residential_share", '{house = "all"}'),
       ("households.residential_share", "{house = 1.2}"), ("blocks.extend_m", "inf"),
       ("blocks.cut_households", "0"), ("blocks.thin", "1.0"), ("blocks.empty_ha", "0"),
       ("partition.effort", '"slow"'), ("partition.effort", "3"),
       ("partition.border_factors", "[1, 2, 3, 4]"),
       ("partition.border_factors", '["a", 3, 2, 1, 0.5]'),
       ("partition.border_factors", "[10, 3, 2, 1, 0]"),
       ("partition.border_factors", "[inf, 3, 2, 1, 0.5]"), ("partition.urban.low", "0"),
       ("partition.urban.high", "299"), ("partition.community.low", "true"),
       ("assign.responsibles", "0"), ("assign.backups", "-1"), ("assign.backup_grids", "0"),
       ("assign.profile", '"hefei"'), ("assign.walk_factor", "0.9"),
       ("assign.order", '["travel", "travel"]'), ("assign.order", '["fame"]'),
       ("assign.urban", "{grids = 2}"), ("assign.rural", "{backups = -1}"),
       ("assign.old", "{most_households = 1.5}"), ("assign.community_roles", "{mayor = 1}"),
       ("assign.community_roles", "{guard = true}"), ("assign.workload.rented", "-0.1")]


@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_bad_value_is_named_by_its_place_in_the_file(tmp_path, name, value):
    table, _, field = name.rpartition(".")
    head = f"[{table}]\n" if table else ""
    assert faults(tmp_path, f"{head}{field} = {value}\n") == {("params.bad_value", name)}


def test_a_file_that_is_no_toml_is_bad_input(tmp_path):
    assert faults(tmp_path, "low 300") == {("params.not_toml", "")}


def test_b68_a_file_in_gbk_is_told_not_guessed(tmp_path):
    path = tmp_path / "gridplan.toml"
    path.write_bytes("# 户数".encode("gbk"))
    with pytest.raises(InputError):
        load_params(path)


def test_b59_an_absent_file_is_told_by_name(tmp_path):
    with pytest.raises(MachineError) as caught:
        load_params(tmp_path / "none.toml")
    assert caught.value.findings[0].file == "none.toml"


def test_values_are_checked_when_made_in_python_too():
    with pytest.raises(InputError):
        Range(500, 300)
    with pytest.raises(InputError):
        PartitionParams(effort="slow")


def test_params_cannot_be_edited_in_place():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Params().seed = 2


@pytest.mark.parametrize(("kind", "wanted"), [("urban", 300), ("rural", 200), ("old", 160)])
def test_the_range_goes_by_the_kind_of_the_community(kind, wanted):
    options = PartitionParams(old=Range(160, 260), rural=Range(200, 400))
    assert options.range_of(kind).low == wanted


def test_what_a_kind_of_community_leaves_open_holds_from_above(tmp_path):
    found = load(tmp_path, """
[assign]
backups = 1
profile = "nantong"
[assign.rural]
backups = 0
[assign.community_roles]
guard = 4
""").assign
    assert [found.of_kind("backups", kind) for kind in ("urban", "old", "rural")] == [1, 1, 0]
    assert found.of_kind("most_households", "rural") == 500
    assert found.posts_of_communities() == {
        "coordinator": 1, "community_officer": 1, "mediator": 2, "guard": 4, "social_worker": 1,
        "liaison": 1}


@given(st.integers(1, 400), st.integers(0, 400), st.integers(0, 5000))
def test_a_total_fits_when_some_number_of_grids_holds_it(low, more, households):
    limits = Range(low, low + more)
    some_k = any(low * k <= households <= limits.high * k for k in range(1, households + 1))
    assert limits.fits(households) == some_k


def any_number(value):
    if isinstance(value, bool):
        return st.just(value)
    if isinstance(value, int):
        return st.integers(value, value + 60)
    if isinstance(value, float):
        low = value * 0.5
        return st.floats(1.0 if low < 1 <= value else low, value, allow_nan=False)
    return st.just(value)


@given(st.data())
def test_any_good_parameters_survive_the_file(tmp_path_factory, data):
    def draw(kind):
        default, values = kind(), {}
        for f in dataclasses.fields(kind):
            value = getattr(default, f.name)
            if isinstance(value, Range):
                low = data.draw(st.integers(1, 3000))
                values[f.name] = Range(low, low + data.draw(st.integers(0, 3000)))
            elif dataclasses.is_dataclass(value):
                values[f.name] = draw(type(value))
            elif isinstance(value, Mapping):
                values[f.name] = {
                    k: data.draw(st.floats(v / 2, v)) if isinstance(v, float) else v
                    for k, v in value.items()}
            else:
                values[f.name] = data.draw(any_number(value))
        return kind(**values)

    wanted = draw(Params)
    lines: list[str] = []
    room._describe(wanted, "", lines, data.draw(st.sampled_from(LANGUAGES)))
    path = tmp_path_factory.getbasetemp() / "drawn.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    assert load_params(path) == wanted


def test_parameters_of_the_run_table_are_plain_values():
    def plain(value):
        if isinstance(value, dict):
            return all(isinstance(k, str) and plain(v) for k, v in value.items())
        if isinstance(value, tuple | list):
            return all(map(plain, value))
        return isinstance(value, str | int | float) and not math.isnan(float(
            0 if isinstance(value, str) else value))

    assert plain(room.as_dict(Params()))
    assert set(tomllib.loads(template())) == set(room.as_dict(Params()))
