"""UNHCR Refugee Data Finder: who was displaced from where to where, at year end and during the year."""
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import NegativeCountError
from ..schema import validate
from ..territories import check_codes
from .cells import numbers, whole_numbers
from .rdata_io import read_frame

FIRST_YEAR, LAST_YEAR = 1989, 2024  # the package also holds the first half of 2025
# Unknown origin (spelt two ways), stateless (two ways), Tibetans, Holy See, Saint Martin (French part).
OUTSIDE = frozenset({"UNK", "UKN", "XXA", "STA", "TIB", "VAT", "MAF"})
PARTS = ["refugees", "asylum_seekers", "oip"]


def read_unhcr(population: Path, flows: Path) -> pd.DataFrame:
    """Displaced people by territory of origin and of asylum, 1989–2024.

    Parameters
    ----------
    population : ``population.rda``, year-end stocks.
    flows : ``flows.rda``, refugees recognised and asylum applications of the year.

    Returns
    -------
    Table ``pair_year``: ``displaced_stock`` on 31 December of ``year``, ``displaced_flow`` during ``year``. Both sum
    refugees (and people in a refugee-like situation, which the flows count apart), asylum seekers and other people in
    need of international protection; a part that is not given counts as nothing where another is. Pairs that sum to
    nothing are left out, and so are people displaced within their own territory.

    Raises
    ------
    SourceFileError, UnknownTerritoryError, NegativeCountError, DuplicateKeyError
    """
    return pd.concat([_read(population, "population", "displaced_stock", PARTS),
                      _read(flows, "flows", "displaced_flow", [*PARTS, "refugee_like"])], ignore_index=True)


def world_refugees(population: Path, year: int) -> int:
    """All refugees of the world at the end of a year, unknown origins included."""
    frame = read_frame(population, "population", ["year", "refugees"])
    return int(frame.loc[frame["year"] == year, "refugees"].sum())


def _read(path: Path, name: str, variable: str, parts: list[str]) -> pd.DataFrame:
    raw = read_frame(path, name, ["year", "coo_iso", "coa_iso", *parts])
    raw = raw.assign(year=whole_numbers(raw["year"], file=path), **{p: numbers(raw[p], file=path) for p in parts})
    raw = raw[raw["year"].between(FIRST_YEAR, LAST_YEAR)]
    inside = check_codes(raw["coo_iso"], file=path, outside=OUTSIDE) & check_codes(raw["coa_iso"], file=path,
                                                                                   outside=OUTSIDE)
    _no_negative(raw, parts, path)
    raw = raw[inside & (raw["coo_iso"] != raw["coa_iso"]) & raw[parts].notna().any(axis=1)]
    frame = pd.DataFrame({
        "source": "unhcr", "variable": variable, "year": raw["year"],
        "origin": raw["coo_iso"].astype(str), "destination": raw["coa_iso"].astype(str),
        "value": raw[parts].sum(axis=1).astype("float64"), "status": np.repeat("reported", len(raw)),
    })
    return validate(frame[frame["value"] > 0], "pair_year", file=path)


def _no_negative(raw: pd.DataFrame, parts: list[str], path: Path) -> None:
    bad = (raw[parts] < 0).any(axis=1)
    if bad.any():
        row = bad.idxmax()
        raise NegativeCountError(path, "negative count", "fetch the file again; if it is the registered one, mend the "
                                 "reader", key=f"row {row}: {raw.loc[row, ['year', 'coo_iso', 'coa_iso']].to_list()}")
