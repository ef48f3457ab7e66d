"""The one catalogue of texts, in English and Chinese.

A key is ``room.name``; its texts stand in the file ``room.toml`` of this folder::

    [bow_tie]
    en = "the outline crosses itself"
    zh = "边界自相交"

A mend is a key of its own: ``["bow_tie.mend"]``. Texts are format strings.
A test holds that every key has both languages and that both name the same values.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files

LANGUAGES = ("en", "zh")


@cache
def load_room(room: str) -> dict[str, dict[str, str]]:
    """Return the texts of one room: name → language → text; empty when it has none."""
    source = files(__name__).joinpath(f"{room}.toml")
    if not source.is_file():
        return {}
    texts: dict[str, dict[str, str]] = tomllib.loads(source.read_text(encoding="utf-8"))
    return texts


def translate(key: str, lang: str = "en", /, **values: object) -> str:
    """Return the text of ``key`` in ``lang`` with ``values`` filled in.

    A mend that has no text is the empty string; any other unknown key is a bug
    and comes back as itself, so that a run never dies of a missing text.

    >>> translate("common.households", "zh")
    '户'
    """
    room, _, name = key.partition(".")
    text = load_room(room).get(name)
    if text is None:
        return "" if key.endswith(".mend") else key
    return text[lang if lang in text else "en"].format(**values)
