"""Invented Chinese names: towns, roads, estates and communities that do not exist."""

from __future__ import annotations

import numpy as np

_FIRST = "云清锦瑞和景明春翠松柏梅兰桂竹荷枫银金玉宝龙凤鹤鹭雁星月晨虹霞永安康宁福庆丰泰华兴"
_SECOND = "溪湖河泉塘湾洲堤桥门亭台阁园林岭峰原野川浦渡港城苑庄里坪源泽谷屏山岩石光辉晖盛昌隆达"
_ESTATE = ("花园", "新村", "小区", "家园", "苑", "公寓", "名邸", "雅居", "华庭", "府", "里", "新城")
_VILLAGE = ("家庄", "家湾", "家桥", "家塘", "家岗", "家渡")
_CLAN = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦许何吕施张孔曹严华金魏陶姜戚谢邹喻柏水窦章云苏潘葛"
DIGITS = "零一二三四五六七八九"


class Names:
    """Hands out names, each once; deterministic by its generator.

    >>> Names(np.random.default_rng(1)).take("路") != Names(np.random.default_rng(2)).take("路")
    True
    """

    def __init__(self, rng: np.random.Generator) -> None:
        pairs = [a + b for a in _FIRST for b in _SECOND if a != b]
        self._rng = rng
        self._words = [pairs[i] for i in rng.permutation(len(pairs))]
        self._used: dict[str, int] = {}

    def take(self, suffix: str) -> str:
        """Return the next word with ``suffix``; past the last word they get a prefix."""
        number = self._used.get(suffix, 0)
        self._used[suffix] = number + 1
        # Every kind of name starts elsewhere in the list, so that few words meet twice.
        shift = sum(ord(c) for c in suffix) * 97
        turn, place = divmod(number, len(self._words))
        word = self._words[(place + shift) % len(self._words)]
        return ("新" * turn) + word + suffix

    def take_estate(self) -> str:
        """Return the name of an estate."""
        return self.take(_ESTATE[int(self._rng.integers(len(_ESTATE)))])

    def take_village(self) -> str:
        """Return the name of a village."""
        clan = _CLAN[int(self._rng.integers(len(_CLAN)))]
        ending = _VILLAGE[int(self._rng.integers(len(_VILLAGE)))]
        number = self._used.get(clan + ending, 0)
        self._used[clan + ending] = number + 1
        place = ("", "东", "西", "南", "北", "上", "下", "前", "后", "中")[number % 10]
        return "新" * (number // 10) + place + clan + ending + "村"


def spell_number(number: int) -> str:
    """Write 1–99 in Chinese numerals, larger numbers digit by digit.

    >>> [spell_number(n) for n in (3, 10, 12, 20, 35, 101)]
    ['三', '十', '十二', '二十', '三十五', '一零一']
    """
    if number >= 100:
        return "".join(DIGITS[int(d)] for d in str(number))
    tens, ones = divmod(number, 10)
    head = "" if tens == 0 else "十" if tens == 1 else DIGITS[tens] + "十"
    return head + (DIGITS[ones] if ones or not tens else "")
