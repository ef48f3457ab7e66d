"""What categories are called in files: our ids, both names, OSM values, usual words."""

from __future__ import annotations

import re
from difflib import get_close_matches

from gridplan.categories import CategoryTable
from gridplan.sheets import fold

SCHOOL = "school"
# Usual words beyond the names of the table.
_WORDS = {
    "middle_school": ("中学", "初级中学", "junior high school", "secondary school"),
    "primary_school": ("完全小学", "elementary school"),
    "health_centre": ("医院", "卫生院", "乡镇卫生院", "社区卫生服务中心", "卫生服务中心",
                      "health center"),
    "health_station": ("卫生服务站", "卫生室", "村卫生室", "社区卫生站", "诊所"),
    "culture_centre": ("文化中心", "文化站", "图书馆", "文化活动站"),
    "subdistrict_service_centre": ("街道服务中心", "便民服务中心", "街道办事处", "政务服务中心"),
    "community_service_station": ("党群服务中心", "社区服务中心", "社区居委会", "便民服务站",
                                  "社区综合服务站"),
    "nursing_home": ("敬老院", "养老机构", "福利院"),
    "sports_centre": ("体育馆", "体育场", "体育中心"),
    "post_office": ("邮局", "邮政所"), "bank": ("银行",), "wet_market": ("农贸市场", "菜场"),
    "pitch": ("球场", "篮球场", "足球场"), "park": ("公园绿地", "游园", "广场公园"),
    "pharmacy": ("药房", "药铺"), "supermarket": ("大型超市", "商超"),
    "bus_stop": ("公交站点", "公交车站", "公交首末站"), "metro": ("地铁站", "地铁", "轨道站点"),
    "elderly_day_care": ("日间照料中心", "日间照料", "居家养老服务站", "老年日间照料中心"),
    "nursery": ("托儿所", "托育园", "托育点"), "convenience_store": ("小卖部", "便民超市"),
    "playground": ("健身苑", "健身点", "儿童游乐场"), "recycling": ("废品回收站", "垃圾分类回收点"),
    "toilets": ("公厕", "卫生间"), "police_post": ("派出所", "警务室", "警务站"),
    "mediation_room": ("调解室", "调解委员会"), "legal_aid": ("法律援助", "法律服务站"),
    "canteen_for_the_old": ("助老食堂", "社区食堂", "长者食堂", "老年助餐点"),
    "bicycle_park": ("自行车棚", "停车棚", "非机动车棚"),
    "aed": ("除颤仪", "除颤器", "defibrillator"),
    "street_light": ("街灯", "street lamp"),
    SCHOOL: ("学校", "九年一贯制学校")}
_PRIMARY = re.compile(r"小学|九年|primary school|elementary school", re.IGNORECASE)
_MIDDLE = re.compile(r"中学|初中|九年|middle school|junior high|secondary school", re.IGNORECASE)
_LEVELS = {"primary": "1", "小学": "1", "elementary": "1", "middle": "2", "初中": "2", "中学": "2",
           "secondary": "2", "juniorhigh": "2", "九年一贯制": "12", "九年制": "12"}


class Vocabulary:
    """Word → categories, whatever the spelling; ``ids`` are the categories in their order."""

    def __init__(self, table: CategoryTable, own: CategoryTable) -> None:
        known = {**own.known, **table.known}
        first = list(table.known)
        self.ids = [*first, *(c for c in known if c not in table.known)]
        self.known = known
        self._words: dict[str, tuple[str, ...]] = {SCHOOL: (SCHOOL,)}
        for (_, value), held in own.osm_tags().items():
            self._add(value, *held.split(";"))
        for category, words in _WORDS.items():
            for word in words:
                self._words[fold(word)] = (category,)
        for c in (*own.known.values(), *table.known.values()):
            for word in (c.name_en, c.name_zh, c.category):
                if word:
                    self._words[fold(word)] = (c.category,)

    def _add(self, word: str, *categories: str) -> None:
        held = self._words.get(fold(word), ())
        self._words[fold(word)] = tuple(dict.fromkeys((*held, *categories)))

    def find(self, word: str) -> tuple[str, ...]:
        """Return the categories a word means, none where it is not known."""
        return self._words.get(fold(word), ())

    def suggest(self, word: str) -> str:
        """Return the id of the category that is spelt most alike, ``""`` where none is."""
        near = get_close_matches(fold(word), self._words, 1, 0.6)
        return ";".join(self._words[near[0]]) if near else ""

    def order(self, categories: set[str]) -> list[str]:
        """Return categories in the order of the table, with those that include them behind."""
        wider = {c.category for c in self.known.values() if categories & set(c.includes)}
        return [c for c in self.ids if c in categories | wider]


def split_words(text: str) -> list[str]:
    """Return the words of a list, however they are parted.

    >>> split_words("药店、超市; bank")
    ['药店', '超市', 'bank']
    """
    return [w for part in re.split(r"[;；,，、|/]", text) if (w := part.strip())]


def school_levels(level: str, name: str) -> tuple[str, ...]:
    """Return primary_school, middle_school or both, by the level of a school, else by its name.

    >>> school_levels("", "第三小学"), school_levels("1-2", ""), school_levels("", "实验学校")
    (('primary_school',), ('primary_school', 'middle_school'), ())
    """
    told = _LEVELS.get(fold(level), "".join(c for c in level if c in "12"))
    if told == "" and level.strip("0123456789-; "):  # "community" is a tier and says no level
        level = ""
    hits = (("1" in told, "2" in told) if told or level.strip() else
            (bool(_PRIMARY.search(name)), bool(_MIDDLE.search(name))))
    return tuple(c for c, hit in zip(("primary_school", "middle_school"), hits, strict=True)
                 if hit)
