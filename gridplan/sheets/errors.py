"""Why a table cannot be read, before it is told as a finding of the room that reads it."""

from __future__ import annotations

from typing import Any


class SheetError(Exception):
    """A file is no table; ``kind`` and ``values`` are those of the text that tells it.

    ``kind`` is the last part of a text's name (``damaged``, ``encoding``, ``zip_bomb``), so that
    a room can tell it in its own words.
    """

    def __init__(self, kind: str, *, row: object = "", **values: Any) -> None:
        super().__init__(kind)
        self.kind, self.row, self.values = kind, row, values
