"""Tables as offices keep them: a CSV file or a workbook, every cell as text, with its line."""

from gridplan.sheets.archive import ZIP_LIMIT, open_archive, zip_name
from gridplan.sheets.columns import find_columns, find_header, fold, to_table
from gridplan.sheets.errors import SheetError
from gridplan.sheets.privacy import hide_persons, is_identity_number, private_columns
from gridplan.sheets.reading import (
    Sheet,
    decode,
    open_sheet,
    open_workbook,
    split_csv,
)

__all__ = ["ZIP_LIMIT", "Sheet", "SheetError", "decode", "find_columns", "find_header", "fold",
           "hide_persons", "is_identity_number", "open_archive", "open_sheet", "open_workbook",
           "private_columns", "split_csv", "to_table", "zip_name"]
