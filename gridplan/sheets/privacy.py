"""Tells columns about persons, by their name or by what stands in them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Set

import pandas as pd

from gridplan.sheets.columns import fold

# Folded names of columns that are about persons in any layer of places.
PRIVATE_NAMES = frozenset((
    "姓名", "户主", "户主姓名", "居民姓名", "业主", "业主姓名", "联系人", "身份证", "身份证号",
    "身份证号码", "证件号", "证件号码", "公民身份号码", "电话", "电话号码", "联系电话",
    "联系方式", "手机", "手机号", "手机号码", "户号", "户口号", "户口簿号", "户籍号",
    "residentname", "resident", "fullname", "firstname", "lastname", "surname", "personname",
    "ownername", "householder", "householdername", "headofhousehold", "householdhead", "idcard",
    "idcardno", "idcardnumber", "idno", "idnumber", "identitynumber", "identitycard",
    "nationalid", "passport", "passportno", "ssn", "phone", "phoneno", "phonenumber",
    "contactphone", "tel", "telephone", "mobile", "mobilephone", "cellphone", "householdno",
    "householdnumber", "householdid", "hukou", "hukouno", "dateofbirth", "birthday", "出生日期"))
PRIVATE_PART = re.compile("身份证|手机号|户主|居民姓名|业主姓名|联系电话|证件号")
# Kinds that are persons, not places.
_PERSON_KINDS = frozenset((
    "person", "persons", "people", "resident", "residents", "petitioner", "exoffender", "patient",
    "individual", "suspect", "drugaddict", "人", "人员", "居民", "重点人员", "重点人群", "重点人口",
    "特殊人群", "精神病患者", "精神障碍患者", "吸毒人员", "上访人员", "信访人员", "刑满释放人员",
    "社区矫正人员", "残疾人", "独居老人", "老人", "低保户", "贫困户", "租客", "个人"))
# A ledger has few columns, so parts of words are enough there.
_WORDS = re.compile(
    "姓名|户主|业主|住户名|居民名|联系人|租客|房东|身份证|证件号|公民身份|电话|手机|联系方式|"
    "户号|户口|户籍号|出生|微信|银行卡|车牌")
_ENGLISH = re.compile(
    r"(?:resident|owner|tenant|person|householder|contact|first|last|full|family|sur)_?\s?name|"
    r"id_?\s?card|identity|passport|\bphone|telephone|mobile|\btel\b|birth|hukou|"
    r"household_?\s?(?:no|number|id)$", re.IGNORECASE)
_IDENTITY = re.compile(
    r"[1-9]\d{5}(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dX]")
_IDENTITY_NAME = re.compile(
    r"身份证|证件号|公民身份|身份号码|id_?\s?card|identity|passport|national_?\s?id",
    re.IGNORECASE)
_PHONE = re.compile(r"(?:\+?86)?1[3-9]\d{9}")
# The same inside a text.
_PHONE_INSIDE = re.compile(
    r"(?<![0-9])(?:\+?86[\s-]?)?1[3-9][0-9](?:[\s-]?[0-9]{4}){2}(?![0-9])")
_IDENTITY_INSIDE = re.compile(r"(?<![0-9])[1-9][0-9]{16}[0-9Xx](?![0-9])")
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS = "10X98765432"
_CLANS = ("王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩邓冯曹彭曾肖田董潘袁蔡蒋余于杜叶程"
          "魏苏吕丁任卢姚沈钟姜崔谭陆范汪廖石金韦贾夏付方邹熊白孟秦邱侯江尹薛闫段雷龙黎史陶贺毛郝顾龚邵万覃武"
          "钱戴严莫孔向常")
_PERSON = re.compile(rf"[{_CLANS}][\u4e00-\u9fff]{{1,2}}")
_ENOUGH, _SHARE = 5, 0.8


def private_columns(names: list[str], table: pd.DataFrame, *, known: Set[int], codes: Set[int]
                    ) -> list[int]:
    """Return the positions of columns that look like a resident's.

    Parameters
    ----------
    names
        The column names, in order.
    table
        The cells, all text, columns numbered.
    known
        Columns that mean something to the reader: their values are not read as names of people.
    codes
        Columns of codes: their values are not read as phone numbers.
    """
    return [c for c, name in enumerate(names)
            if (c not in known and _is_private(name)) or _holds_persons(table[c], c in known,
                                                                       c in codes)]


def is_identity_number(text: str) -> bool:
    """Tell whether a text is a Chinese identity number: 18 places, a birthday, a check digit.

    The check is ISO 7064 MOD 11-2, as GB 11643-1999 prescribes.

    >>> is_identity_number("11010519491231002X"), is_identity_number("110105194912310021")
    (True, False)
    """
    if not _IDENTITY.fullmatch(text):
        return False
    return _CHECKS[sum(w * int(d) for w, d in zip(_WEIGHTS, text, strict=False)) % 11] == text[17]


def is_identity_column(name: str) -> bool:
    """Tell whether a column is named as one of identity numbers.

    >>> is_identity_column("身份证号码"), is_identity_column("ID card"), is_identity_column("编号")
    (True, True, False)
    """
    return bool(_IDENTITY_NAME.search(unicodedata.normalize("NFKC", name)))


def is_person(word: object) -> bool:
    """Tell whether a kind is a person, not a place.

    >>> is_person("重点人员"), is_person("park")
    (True, False)
    """
    return fold(word) in _PERSON_KINDS


def is_phone(text: str) -> bool:
    """Tell whether a text is a mobile phone number of China.

    >>> is_phone("+86 138-0000-0000"), is_phone("W00138")
    (True, False)
    """
    return bool(_PHONE.fullmatch(re.sub(r"[\s-]", "", text)))


def hide_persons(text: str) -> str:
    """Return a text with mobile phone and identity numbers of China blotted out.

    >>> hide_persons("岗亭 138-0000-0000"), hide_persons("Post 12")
    ('岗亭 …', 'Post 12')
    """
    hidden = _IDENTITY_INSIDE.sub(
        lambda m: "…" if is_identity_number(m[0].upper()) else m[0], text)
    return _PHONE_INSIDE.sub("…", hidden)


def _is_private(name: str) -> bool:
    plain = unicodedata.normalize("NFKC", name).strip()
    chinese = _WORDS.search(plain) and not plain.endswith(("户数", "口径"))
    return bool(chinese or _ENGLISH.search(plain))


def _holds_persons(cells: pd.Series, known: bool, code: bool) -> bool:
    text = cells.dropna().str.normalize("NFKC").str.upper().str.replace(r"[\s-]", "", regex=True)
    text = text[text != ""]
    if any(is_identity_number(value) for value in text[text.str.len() == 18]):
        return True
    if not code and text.str.fullmatch(_PHONE.pattern).any():
        return True
    people = text.str.fullmatch(_PERSON.pattern).fillna(False)
    return bool(not known and len(text) >= _ENOUGH and people.mean() >= _SHARE
                and text.nunique() > len(text) / 2)
