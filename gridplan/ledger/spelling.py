"""How clerks spell estates and buildings: the same thing in many writings → one.

``3幢``, ``3栋``, ``3号楼``, ``3#``, ``３座`` and ``三幢`` are building ``3``; ``1-3幢`` and
``1、2、3幢`` are three of them.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_UNIT = "(?:号楼|幢|栋|座|楼|号|#)"
_CHINESE = "零〇一二两三四五六七八九十百"
_LABEL = rf"(?:[A-Z]?\d+[A-Z]?|[A-Z]|[甲乙丙丁戊]|[{_CHINESE}]+|[IVX]{{2,}})"
_ONE = re.compile(rf"第?({_LABEL}){_UNIT}?")
_RANGE = re.compile(rf"第?({_LABEL}){_UNIT}?[-~至到](?:第)?({_LABEL}){_UNIT}?")
_BETWEEN = re.compile(r"[,、;/和及与]+")
_PARTS = re.compile(r"([A-Z]?)(\d+)([A-Z]?)")
_DIGIT = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_ROMAN = {word: str(i) for i, word in enumerate(
    ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X"), 1)}
# The signs Ⅰ–Ⅹ are numbers beyond doubt; a lone letter I, V or X may be a letter.
_ROMAN_SIGNS = {0x2160 + i: str(i + 1) for i in range(10)} | {
    0x2170 + i: str(i + 1) for i in range(10)}
_DASHES = str.maketrans(dict.fromkeys("‐‑‒–—―－～〜﹣∼~", "-"))
_LONGEST_RUN = 400


def read_numeral(text: str) -> int | None:
    """Return the value of Chinese numerals up to 999, or None.

    >>> [read_numeral(t) for t in ("三", "十", "十二", "三十五", "一百零八", "一零一", "甲")]
    [3, 10, 12, 35, 108, 101, None]
    """
    if not text or any(c not in _CHINESE for c in text):
        return None
    if "十" not in text and "百" not in text:
        return int("".join(str(_DIGIT[c]) for c in text))
    head, hundred, rest = text.partition("百") if "百" in text else ("", "", text)
    total = 100 * (_DIGIT.get(head, 1) if hundred else 0)
    tens, ten, ones = rest.partition("十")
    if not ten:
        tens, ones = "", rest
    if len(head) > 1 or len(tens.lstrip("零")) > 1 or len(ones.lstrip("零")) > 1:
        return None
    if ten:
        total += 10 * _DIGIT.get(tens.lstrip("零"), 1)
    return total + _DIGIT.get(ones.lstrip("零"), 0)


@lru_cache(maxsize=65536)
def read_label(text: str) -> str:
    """Return the one spelling of a building number, "" where it cannot be read.

    >>> [read_label(t) for t in ("3幢", "０３ 栋", "三号楼", "3#", "b座", "Ⅲ幢", "12A", "综合楼")]
    ['3', '3', '3', '3', 'B', '3', '12A', '']
    """
    found = _ONE.fullmatch(_plain(text))
    return _settle(found[1]) if found else ""


@lru_cache(maxsize=65536)
def read_labels(text: str) -> tuple[str, ...]:
    """Return every building that an entry names, () where it cannot be read.

    >>> read_labels("1-4幢"), read_labels("1、3、5-6号楼"), read_labels("A1至A3栋")
    (('1', '2', '3', '4'), ('1', '3', '5', '6'), ('A1', 'A2', 'A3'))
    >>> read_labels("9-1幢"), read_labels("一期")
    ((), ())
    """
    labels: list[str] = []
    for part in _BETWEEN.split(_plain(text)):
        run = _RANGE.fullmatch(part)
        one = _ONE.fullmatch(part)
        found = _run(_settle(run[1]), _settle(run[2])) if run else (
            (_settle(one[1]),) if one else ())
        if not found or not all(found):
            return ()
        labels.extend(found)
    return tuple(dict.fromkeys(labels))


@lru_cache(maxsize=65536)
def fold_estate(name: str) -> str:
    """Return an estate's name without width, case, spaces and punctuation.

    >>> fold_estate(" 云溪花园（一期） ") == fold_estate("云溪花园(一期)")
    True
    """
    text = unicodedata.normalize("NFKC", name.translate(_ROMAN_SIGNS)).casefold()
    return "".join(c for c in text if c.isalnum())


def _plain(text: str) -> str:
    text = unicodedata.normalize("NFKC", text.translate(_ROMAN_SIGNS).translate(_DASHES))
    return "".join(text.translate(_DASHES).upper().split())


def _settle(label: str) -> str:
    """Return a label with plain digits and without leading zeros."""
    if label in _ROMAN and len(label) > 1:
        return _ROMAN[label]
    numeral = read_numeral(label)
    if numeral is not None:
        return str(numeral)
    parts = _PARTS.fullmatch(label)
    return f"{parts[1]}{int(parts[2])}{parts[3]}" if parts else label


def _run(first: str, last: str) -> tuple[str, ...]:
    low, high = _PARTS.fullmatch(first), _PARTS.fullmatch(last)
    if not low or not high or low[3] or high[3] or (high[1] and high[1] != low[1]):
        return ()
    start, end = int(low[2]), int(high[2])
    if not 0 <= end - start <= _LONGEST_RUN:
        return ()
    return tuple(f"{low[1]}{n}" for n in range(start, end + 1))
