"""Workbooks (.xlsx), read after a look at how much they would unpack to."""
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

from python_calamine import CalamineWorkbook

from .cells import UNPACKED, opening

CELLS = 20_000_000     # of the rectangle that holds all cells of a sheet; the largest source's has 30 thousand
_SHEET = re.compile(r"xl/worksheets/[^/]+\.xml", re.IGNORECASE)
_PLACE = re.compile(rb"[\s<:]r\s*=\s*[\"']\s*([A-Za-z]{1,3})?([0-9]{1,9})\s*[\"']")
_PIECE, _OVERLAP = 1 << 20, 64


def read_sheets(path: Path, wanted: Callable[[str], bool] = lambda name: True) -> dict[str, list[list] | None]:
    """Sheets of a workbook as rows of cells, from the first row and column; None for those that are not wanted.

    Parameters
    ----------
    path : the file.
    wanted : tells by its name whether a sheet is to be read.

    Raises
    ------
    SourceFileError
        When the file is missing or no workbook, or would unpack to more than `cells.UNPACKED` bytes or `CELLS` cells: a
        sheet that is read is a full rectangle, so that one cell far away stands for gigabytes.
    """
    with opening(path, "a workbook"):
        _weigh(path)
        book = CalamineWorkbook.from_path(str(path))
        return {name: book.get_sheet_by_name(name).to_python(skip_empty_area=False) if wanted(name) else None
                for name in book.sheet_names}


def _weigh(path: Path) -> None:
    size = 0
    with zipfile.ZipFile(path) as book:
        for part in book.infolist():
            last_row = last_column = 0
            with book.open(part) as packed:      # a size that the directory states too small ends in an error
                tail, is_sheet = b"", _SHEET.fullmatch(part.filename)
                while piece := packed.read(_PIECE):
                    size += len(piece)
                    if size > UNPACKED:
                        raise ValueError(f"more than {UNPACKED >> 20} MiB once unpacked")
                    if is_sheet:
                        piece = tail + piece
                        for column, row in _PLACE.findall(piece):
                            last_row, last_column = max(last_row, int(row)), max(last_column, _number(column))
                        tail = piece[-_OVERLAP:]
            if last_row * last_column > CELLS:
                raise ValueError(f"{part.filename} reaches to row {last_row} and column {last_column}")


def _number(letters: bytes) -> int:
    """Place of a column, from 1; 0 for none."""
    out = 0
    for letter in letters.upper():
        out = out * 26 + letter - 64
    return out
