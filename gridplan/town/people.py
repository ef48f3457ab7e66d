"""Who works in the town and what is kept about it: facilities, staff, teams, places, a ledger."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridplan.layers import Study, conform_input, typed
from gridplan.town.names import Names, spell_number

# A category, how many of it a community of 3,000 households has, and the ending of its name.
_SERVICES = (
    ("community_service_station", 1.0, "党群服务中心"), ("health_station", 1.0, "卫生服务站"),
    ("convenience_store", 4.0, "便利店"), ("pharmacy", 1.2, "药房"), ("supermarket", 0.8, "超市"),
    ("kindergarten", 1.0, "幼儿园"), ("elderly_day_care", 0.6, "日间照料中心"),
    ("bank", 0.5, "银行"), ("post_office", 0.2, "邮局"), ("police_post", 0.35, "警务站"),
    ("wet_market", 0.3, "菜市场"), ("recycling", 0.6, "回收站"), ("toilets", 0.8, "公厕"),
    ("bicycle_park", 1.0, "停车棚"), ("culture_centre", 0.25, "文化站"),
    ("mediation_room", 0.4, "调解室"), ("canteen_for_the_old", 0.4, "助老食堂"))
_PLACES = {"hospital": ("health_centre", "医院"), "market": ("wet_market;supermarket", "农贸市场"),
           "park": ("park;playground", "公园"), "campus": ("sports_centre;culture_centre", "学院")}
_BUS_CLASSES = ("primary", "secondary", "tertiary")
_ROLES = ("grid_head", "grid_head", "grid_assistant")
_LANGUAGES = ("zh", "zh", "zh", "zh;en", "zh;sign")
STAFF_TYPES = {"staff_id": "text", "role": "text", "community_id": "text", "capacity": "int",
               "capacity_unit": "text", "part_time": "float", "languages": "text"}


def make_facilities(study: Study, names: Names, seed: int) -> gpd.GeoDataFrame:
    """Return schools, clinics, shops, stations and bus stops as points on buildings and roads."""
    rng = np.random.default_rng([seed, 5])
    centre = shapely.get_coordinates(shapely.centroid(study.buildings.geometry.to_numpy()))
    rows: list[tuple[str, str, float, float]] = []
    assert study.totals is not None
    use = study.buildings["use"].to_numpy()
    owner = study.buildings["community_id"].to_numpy()
    order = np.argsort(owner, kind="stable")
    starts = np.searchsorted(owner[order], study.totals.index.to_numpy())
    ends = np.searchsorted(owner[order], study.totals.index.to_numpy(), side="right")
    for total, start, end in zip(study.totals, starts, ends, strict=True):
        mine = order[start:end]
        good = mine[np.isin(use[mine], ["retail", "mixed", "public", "apartments"])]
        good = good if len(good) else mine[np.isin(use[mine], ["house"])]
        for category, per, ending in _SERVICES:
            count = int(rng.poisson(per * int(total) / 3000))
            if category in ("community_service_station", "health_station"):
                count = max(count, 1)
            chosen = rng.choice(good, count) if len(good) else ()
            rows += [(names.take(ending), category, *centre[at]) for at in chosen]
        schools = mine[use[mine] == "school"]
        if len(schools):
            level = ("primary_school", "小学") if rng.random() < 0.62 else ("middle_school", "中学")
            rows.append((names.take(level[1]), level[0], *centre[schools[0]]))
    rows += _place_services(study, names)
    rows += _bus_stops(study)
    table = pd.DataFrame(rows, columns=["name", "categories", "x", "y"])
    table["facility_id"] = [f"F{i + 1:05d}" for i in range(len(table))]
    upper = table["categories"].str.contains("health_centre|sports|subdistrict")
    table["level"] = np.where(upper, "subdistrict", "community")
    table["source"] = "town"
    return conform_input("facilities", gpd.GeoDataFrame(
        table, geometry=shapely.points(np.round(table[["x", "y"]].to_numpy(float), 2)),
        crs=study.crs))


def _place_services(study: Study, names: Names) -> list[tuple[str, str, float, float]]:
    """Return what special places offer, and a service centre and police post per subdistrict."""
    rows = []
    for kind, name, shape in zip(study.layer("specials")["kind"], study.layer("specials")["name"],
                                 study.layer("specials").geometry, strict=True):
        if kind in _PLACES:
            point = shape.representative_point()
            rows.append((str(name), _PLACES[kind][0], point.x, point.y))
    assert study.communities is not None
    first = study.communities.drop_duplicates("subdistrict_id")
    offices = study.buildings[study.buildings["use"].isin(["office", "retail", "mixed"])]
    home = offices.drop_duplicates("community_id").set_index("community_id")
    for key in first.index:
        at = home.geometry.get(key)
        point = (first.geometry[key] if at is None else at).representative_point()
        rows.append((names.take("街道便民服务中心"), "subdistrict_service_centre",
                     point.x, point.y))
        rows.append((names.take("派出所"), "police_post", point.x + 3.0, point.y))
    return rows


def _bus_stops(study: Study) -> list[tuple[str, str, float, float]]:
    roads = study.roads[study.roads["road_class"].isin(_BUS_CLASSES)
                        & (study.roads["length_m"] > 250)]
    points = shapely.line_interpolate_point(roads.geometry.to_numpy(), 0.5, normalized=True)
    return [(f"{name}站", "bus_stop", p.x, p.y)
            for name, p in zip(roads["name"], points, strict=True)]


def make_staff(study: Study, seed: int) -> pd.DataFrame:
    """Return grid staff: about 1.2 for each 400 households, some of them part-time."""
    rng = np.random.default_rng([seed, 6])
    assert study.totals is not None
    count = np.maximum(np.ceil(study.totals.to_numpy(dtype=float) / 400 * 1.2), 1).astype(int)
    community = np.repeat(study.totals.index.to_numpy(), count)
    rows = len(community)
    part_time = rng.choice([1.0, 1.0, 1.0, 1.0, 0.5], rows)
    data = {"staff_id": [f"W{i + 1:05d}" for i in range(rows)],
            "role": rng.choice(_ROLES, rows), "community_id": community,
            "capacity": (500 * part_time).astype(int), "capacity_unit": ["households"] * rows,
            "part_time": part_time, "languages": rng.choice(_LANGUAGES, rows)}
    frame = pd.DataFrame({name: typed(values, STAFF_TYPES[name], rows)  # type: ignore[arg-type]
                          for name, values in data.items()})
    return frame.set_index(pd.Index(frame.pop("staff_id").astype(object), name="staff_id"))


def make_teams(study: Study) -> pd.DataFrame:
    """Return patrol teams: at each police post one on foot, one on e-bikes and one by car."""
    facilities = study.layer("facilities")
    posts = facilities[facilities["categories"] == "police_post"].index
    shifts = (("A", "07:30", "15:30"), ("B", "15:30", "23:30"), ("C", "23:30", "07:30"))
    rows = []
    for number, post in enumerate(posts):
        mode = ("foot", "ebike", "car")[number % 3]
        for crew, start, end in shifts:
            rows.append((f"T{number + 1:03d}{crew}", "town" if mode == "car" else "community", mode,
                         post, crew, start, end, 30, "", 2 if mode == "foot" else 3))
    frame = pd.DataFrame(rows, columns=["team_id", "tier", "mode", "station_id", "crew",
                                        "shift_start", "shift_end", "break_min", "break_window",
                                        "members"])
    frame["zone_id"] = pd.array([pd.NA] * len(frame), dtype="string")
    return frame.set_index("team_id")


def make_key_places(study: Study, seed: int) -> gpd.GeoDataFrame:
    """Return the places that patrols must pass: schools, stations, banks, special places."""
    rng = np.random.default_rng([seed, 7])
    facilities = study.layer("facilities")
    kinds = {"primary_school": ("school", 4, "07:20-08:20;16:00-17:30"),
             "middle_school": ("school", 4, "06:50-07:50;17:00-18:30"),
             "kindergarten": ("school", 2, "07:40-08:40;16:00-17:00"),
             "bank": ("bank", 3, "08:30-17:30"), "health_centre": ("hospital", 3, ""),
             "wet_market;supermarket": ("market", 3, "05:30-19:00"),
             "park;playground": ("park", 2, ""), "police_post": ("station", 1, "")}
    chosen = facilities[facilities["categories"].isin(list(kinds))]
    facts = [kinds[c] for c in chosen["categories"]]
    visits = np.array([f[1] for f in facts], dtype=int)
    return gpd.GeoDataFrame({
        "name": chosen["name"].array, "kind": [f[0] for f in facts], "tier": "community",
        "zone_id": pd.array([pd.NA] * len(chosen), dtype="string"),
        "priority": rng.integers(1, 4, len(chosen)), "visits_per_day": visits,
        "visits_per_week": visits * 7, "spacing_min": 60, "service_min": 10,
        "windows": [f[2] for f in facts], "optional": visits < 2,
        "penalty": np.where(visits < 2, 30, 0)}, geometry=chosen.geometry.to_numpy(),
        crs=study.crs, index=pd.Index([f"K{i + 1:04d}" for i in range(len(chosen))],
                                      name="stop_id"))


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
