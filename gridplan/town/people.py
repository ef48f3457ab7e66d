"""Who works in the town and what a housing office keeps about it: staff, a ledger."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from gridplan.layers import LAYERS, Study, code_grid, typed
from gridplan.town.names import spell_number

_LANGUAGES = ("普通话", "普通话", "普通话", "普通话;英语", "普通话;手语")
# What a community has besides its grid staff, where it has a full crew, and how many.
_CREW = (("coordinator", 1), ("community_officer", 1), ("mediator", 2), ("guard", 2),
         ("social_worker", 1), ("liaison", 1))
_STEMS = "甲乙丙丁戊己庚辛壬癸"
ROSTER_ONLY = ("buildings", "wishes", "bars", "communities")


def make_staff(study: Study, truth: pd.Series, seed: int) -> pd.DataFrame:
    """Return who serves in the town, with the columns of ``staff`` and lists for the roster.

    Responsibles are about 1.2 for each 400 households, so that each community can fill its
    grids; a quarter as many assistants and backups; in every third community the whole crew of a
    community, and a newcomer assistant for each 1,000 newcomers. Some responsibles know
    buildings, wish for a grid, are barred from one, work part-time or may serve elsewhere.
    """
    rng = np.random.default_rng([seed, 6])
    assert study.totals is not None
    newcomers = study.buildings["newcomers"].fillna(0).groupby(
        study.buildings["community_id"].to_numpy()).sum()
    rows: list[dict[str, object]] = []
    for number, (community, total) in enumerate(study.totals.items()):
        count = max(math.ceil(int(total) / 400 * 1.2), 2)
        helpers = max(count // 4, 1)
        crew = [*["responsible"] * count, *["backup"] * (helpers // 2),
                *["assistant"] * (helpers - helpers // 2)]
        if number % 3 == 0:
            crew += [role for role, many in _CREW for _ in range(many)]
            crew += ["newcomer_assistant"] * (int(newcomers.get(community, 0)) // 1000)
        rows += [{"community_id": str(community), "role": role, "place": place,
                  "languages": str(rng.choice(_LANGUAGES))} for place, role in enumerate(crew)]
    frame = pd.DataFrame(rows)
    frame["staff_id"] = [f"W{i + 1:05d}" for i in range(len(frame))]
    _state_capacity(frame)
    _state_places(frame, study, truth)
    types = {c.name: c.kind for c in LAYERS["staff"].columns}
    data = {name: typed(frame[name], types.get(name, "text"), len(frame))
            for name in (*types, *ROSTER_ONLY)}
    staff = pd.DataFrame(data)
    return staff.set_index(pd.Index(staff.pop("staff_id").astype(object), name="staff_id"))


def _state_capacity(frame: pd.DataFrame) -> None:
    """State capacities: mostly 500 households, some two grids, one grid in half the time."""
    on_grids = frame["role"].isin(["responsible", "backup", "assistant"]).to_numpy()
    place = frame["place"].to_numpy()
    two = on_grids & (place % 4 == 1)
    half = on_grids & (place % 10 == 3)
    silent = on_grids & (place % 10 == 4)
    frame["capacity"] = pd.array(np.where(half, 1, np.where(two, 2, 500)), dtype="Int64")
    frame["capacity_unit"] = np.where(half | two, "grids", "households")
    frame["part_time"] = np.where(half, 0.5, 1.0)
    frame.loc[~on_grids | silent, "capacity"] = pd.NA
    frame.loc[~on_grids | silent, "capacity_unit"] = pd.NA


def _state_places(frame: pd.DataFrame, study: Study, truth: pd.Series) -> None:
    """State what responsibles know, wish for and are barred from, and where else they may serve.

    A community of H households has at least H / 500 grids, so their codes are known beforehand.
    """
    assert study.totals is not None
    assert study.communities is not None
    homes = study.buildings[(truth > 0).to_numpy(dtype=bool)].sort_values(
        ["community_id", "estate_id", "building_id"], kind="stable")
    ids = {str(key): list(group.index) for key, group in homes.groupby("community_id")}
    owners = study.communities["subdistrict_id"]
    beside = {str(c): [str(o) for o in owners.index if o != c and owners[o] == owners[c]]
              for c in owners.index}
    heads = frame["role"] == "responsible"
    count = frame[heads].groupby("community_id")["place"].size()
    for name in ROSTER_ONLY:
        frame[name] = pd.array([pd.NA] * len(frame), dtype="string")
    for at, community, place in zip(frame.index[heads], frame["community_id"][heads],
                                    frame["place"][heads], strict=True):
        held, many = ids.get(community, []), int(count[community])
        known = held[len(held) * place // many:len(held) * (place + 1) // many][:6]
        sure = math.ceil(int(study.totals[community]) / 500)
        if place % 6 != 5 and known:
            frame.loc[at, "buildings"] = ";".join(known)
        if place % 5 == 2:
            frame.loc[at, "wishes"] = code_grid(community, place % sure + 1)
        if place % 7 == 3:
            frame.loc[at, "bars"] = code_grid(community, (place + 1) % sure + 1)
        if place % 10 == 1 and beside[community]:
            frame.loc[at, "communities"] = beside[community][place % len(beside[community])]


def name_person(word: str, number: int) -> str:
    """Return a name that is plainly made up: the role, a stem and a numeral.

    >>> name_person("网格员", 0), name_person("社工", 11)
    ('网格员甲一', '社工乙二')
    """
    return word + _STEMS[number % 10] + spell_number(number // 10 + 1)


def make_ledger(study: Study, truth: pd.Series, seed: int) -> pd.DataFrame:
    """Return the ledger of a housing office: households by estate and building number.

    It is spelled as such ledgers are: 幢, 栋, 号楼, #, Chinese numerals, full-width digits, runs
    of numbers on one row, names of estates in short or with a slip of the pen.
    """
    rng = np.random.default_rng([seed, 8])
    estates = study.layer("estates")
    held = study.buildings["number"].notna().to_numpy()
    table = pd.DataFrame({
        "estate": study.buildings["estate_id"].to_numpy()[held],
        "number": study.buildings["number"][held].astype(int).to_numpy(),
        "households": truth.to_numpy(dtype=int)[held],
        "community": study.buildings["community_id"].to_numpy()[held]})
    table = table.sort_values(["estate", "number"], kind="stable")
    rows: list[tuple[str, str, str, int]] = []
    for estate, group in table.groupby("estate", sort=True):
        spelled = _spell_estate(str(estates["name"][estate]), rng)
        numbers, households = group["number"].to_numpy(), group["households"].to_numpy()
        style = int(rng.integers(7))
        if style == 6 and len(numbers) >= 3:
            gaps = np.flatnonzero(np.diff(numbers) > 1) + 1
            rows += [(group["community"].iloc[0], spelled, _spell_run(numbers[run]),
                      int(households[run].sum()))
                     for run in np.split(np.arange(len(numbers)), gaps)]
            continue
        rows += [(group["community"].iloc[0], spelled, _spell_building(int(n), style), int(h))
                 for n, h in zip(numbers, households, strict=True)]
    assert study.totals is not None
    rows.append((str(study.totals.index[0]), "待建安置房", "1幢", 0))
    ledger = pd.DataFrame(rows, columns=["社区编码", "小区名称", "幢号", "户数"])
    ledger["口径"] = "户籍" if study.facts["household_basis"] == "registered" else "常住"
    ledger["截止日期"] = study.facts["household_date"]
    return ledger.astype({"社区编码": "string", "小区名称": "string", "幢号": "string",
                          "户数": "Int64", "口径": "string", "截止日期": "string"})


def _spell_building(number: int, style: int) -> str:
    wide = str(number).translate({ord("0") + d: ord("０") + d for d in range(10)})
    chinese = spell_number(number)
    return (f"{number}幢", f"{number}栋", f"{number}号楼", f"{number}#", f"{chinese}幢",
            f"{wide}幢", f"{number}幢")[style]


def _spell_run(numbers: np.ndarray) -> str:
    return f"{numbers[0]}-{numbers[-1]}幢" if len(numbers) > 1 else f"{numbers[0]}幢"


def _spell_estate(name: str, rng: np.random.Generator) -> str:
    """Spell the name of an estate as a clerk would, now and then with a slip."""
    chance = rng.random()
    if chance < 0.08:
        return f" {name} "
    if chance < 0.14:
        return name if name.endswith("小区") else name + "小区"
    if chance < 0.19 and len(name) >= 4:
        return name[:1] + "某" + name[2:]
    return name
