"""Eurostat's tables as comma-separated text: rows with their place in the file, numbers, years, and strict labels.

A label is a territory only if it stands in the project's list of names or in `NAMES`: no pattern is tried, since
"Southern Africa" would be found to be South Africa and "Micronesia", which is a region here, one of its states.
"""
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path

import pandas as pd

from ..errors import DuplicateKeyError, SchemaError, UnknownTerritoryError
from ..territories import from_iso2, territories
from .cells import counts, read_texts
from .omissions import AGGREGATE, FORMER_STATE, NO_NUMBER, OUTSIDE, REPEATED, UNREPORTED_YEAR, Omissions

NON_CITIZENS = "recognised non-citizens of Latvia and Estonia"

NAMES = {
    "Congo": "COG", "Côte d’Ivoire": "CIV", "Democratic Republic of the Congo": "COD", "Faroes": "FRO",
    "Federated States of Micronesia": "FSM", "Gambia, The": "GMB", "Mayotte (FR - part of EU as of 01.01.2014)": "MYT",
    "Myanmar/Burma": "MMR", "Palestine*": "PSE", "Saint Helena, Ascension and Tristan da Cunha": "SHN",
    "Saint Kitts and Nevis": "KNA", "Saint Lucia": "LCA", "Saint Pierre and Miquelon": "SPM",
    "Saint Vincent and the Grenadines": "VCT", "São Tomé and Príncipe": "STP", "Viet Nam": "VNM",
    "Wallis and Futuna": "WLF",
}
# Labels that are no territory, and why a row that bears one is left out.
NOT_TERRITORIES: dict[str, str] = {
    **dict.fromkeys((
        "Africa", "America", "Asia", "Europe", "Oceania", "Australia and New Zealand", "Caribbean", "Central Africa",
        "Central America", "Central Asia", "Eastern Africa", "Eastern Asia", "Melanesia", "Micronesia",
        "Northern Africa", "Northern America", "Polynesia", "South America", "South-Eastern Asia", "Southern Africa",
        "Southern Asia", "Western Africa", "Western Asia", "British overseas countries and territories",
        *(f"Other {c} countries (aggregate changing according to the context)"
          for c in ("African", "American", "Asian", "European", "Oceanian")),
        "European Union - 15 countries (1995-2004)", "European Union - 25 countries (2004-2006)",
        "European Union - 27 countries (2007-2013)", "European Union - 27 countries (from 2020)",
        "EU15 countries (1995-2004) except reporting country", "EU25 countries (2004-2006) except reporting country",
        "EU27 countries (2007-2013) except reporting country", "EU27 countries (from 2020) except reporting country",
        "EU28 countries (2013-2020) except reporting country",
        "Non-EU27 countries (2007-2013) nor reporting country and stateless",
        "Non-EU27 countries (from 2020) nor reporting country", "Non-EU28 countries (2013-2020) nor reporting country",
        "European Free Trade Association", "European Free Trade Association except reporting country",
        "Candidate countries in 2007 (3 countries)", "Candidate countries in 2010 (4 countries)",
        "Candidate countries from 2022 (8 countries) except reporting country",
        "Candidate countries from 2023 (9 countries) except reporting country",
        "Countries other than EU, EFTA and Candidate countries", "Foreign country and stateless",
        *(f"{level} developed countries (other than EU, EFTA and Candidate countries)"
          for level in ("Highly", "Medium", "Less"))), AGGREGATE),
    **dict.fromkeys(("Czechoslovakia", "Netherlands Antilles", "Serbia and Montenegro", "Soviet Union", "Yugoslavia"),
                    FORMER_STATE),
    **dict.fromkeys(("French Southern and Antarctic Lands", "Guernsey", "Holy See", "Jersey", "Kosovo*",
                     "Pitcairn Islands", "Saint Barthélemy", "Saint Martin"), OUTSIDE),
    "Recognised non-citizens": NON_CITIZENS,
}
# Codes that Eurostat writes otherwise than ISO 3166, and the groups among its reporters.
CODES = {"EL": "GRC", "GR": "GRC", "UK": "GBR"}
GROUPS = frozenset({"EU27_2020", "EU28", "EU27_2007", "EA19", "EA20"})


def read_rows(path: Path, columns: Mapping[str, str]) -> pd.DataFrame:
    """Text of some columns of a table, indexed by the row of the file (the header is row 1).

    Parameters
    ----------
    path : comma-separated text in UTF-8, or the same as ``.gz``.
    columns : name in the file → name wanted.

    Raises
    ------
    SourceFileError, SchemaError
        For a file that is no such table, has no row or lacks a column, or a row with too few cells.
    """
    frame = read_texts(path, columns)[list(columns)].rename(columns=dict(columns))
    frame.index = frame.index + 2
    return frame


def read_numbers(frame: pd.DataFrame, omitted: Omissions, *, file, persons: str = "persons") -> pd.DataFrame:
    """Rows with ``year`` as integer and ``persons`` as number; rows whose number is empty are left out.

    Raises
    ------
    SchemaError, NegativeCountError
        Naming the row.
    """
    bad = ~frame["year"].str.fullmatch("[0-9]{4}")
    if bad.any():
        raise SchemaError(file, f"year {frame.loc[bad.idxmax(), 'year']!r}", "expected four digits",
                          key=f"row {bad.idxmax()}")
    frame = frame.assign(year=frame["year"].astype("int64"),
                         **{persons: counts(frame[persons].str.strip(), file=file)})
    return omitted.keep(frame, frame[persons].notna(), NO_NUMBER)


def once(frame: pd.DataFrame, key: list[str], omitted: Omissions, *, file, persons: str = "persons") -> pd.DataFrame:
    """One row a key: the same number again is left out and counted.

    Raises
    ------
    DuplicateKeyError
        For two rows of one number that disagree.
    """
    again = frame.duplicated(key)
    differs = again & ~frame.duplicated([*key, persons])
    if differs.any():
        row = differs.idxmax()
        shown = ", ".join(f"{k}={frame.at[row, k]}" for k in key)
        raise DuplicateKeyError(file, "two rows of one number disagree", "keep one of the rows",
                                key=f"row {row}: {shown}")
    return omitted.keep(frame, ~again, REPEATED)


def reported_years(frame: pd.DataFrame, omitted: Omissions, *, reporter: str = "reporter") -> pd.DataFrame:
    """Without the years for which a reporter's every number is zero: cells that were filled, not counted."""
    largest = frame.groupby([reporter, "year"])["persons"].transform("max")
    return omitted.keep(frame, largest > 0, UNREPORTED_YEAR)


def territory_of(labels: pd.Series, *, file, outside: Mapping[str, str] = NOT_TERRITORIES) -> pd.Series:
    """Code of each label; missing for the labels of ``outside``.

    Raises
    ------
    UnknownTerritoryError
        For any other label, with its row and the nearest known ones.
    """
    known = _names()
    bad = ~labels.isin(known) & ~labels.isin(outside)
    if bad.any():
        row = bad.idxmax()
        near = get_close_matches(str(labels[row]), list(known), n=2, cutoff=0.5)
        raise UnknownTerritoryError(
            file, f"unknown label {labels[row]!r}", (f"did you mean {' or '.join(near)}? " if near else "")
            + "Give its code in eurostat_io.NAMES, or why it is no territory in NOT_TERRITORIES", key=f"row {row}")
    return labels.map({k: v for k, v in known.items() if k not in outside})


def code_of(values: pd.Series, *, file, outside: frozenset[str] = GROUPS) -> pd.Series:
    """Alpha-3 code of Eurostat's two-letter codes; missing for those of ``outside``.

    Raises
    ------
    UnknownTerritoryError
        For any other code.
    """
    known = from_iso2() | CODES
    bad = ~values.isin(known) & ~values.isin(outside)
    if bad.any():
        raise UnknownTerritoryError(file, f"unknown code {values[bad.idxmax()]!r}", "expected a two-letter code of "
                                    "data/territories.csv, EL or UK; or declare it outside in the reader",
                                    key=f"row {bad.idxmax()}")
    return values.map({k: v for k, v in known.items() if k not in outside})


def only(frame: pd.DataFrame, values: Mapping[str, str], *, file) -> pd.DataFrame:
    """Refuse rows of a breakdown beside its total, which would be counted twice; then without these columns.

    Raises
    ------
    SchemaError
    """
    for column, value in values.items():
        other = frame[column] != value
        if other.any():
            raise SchemaError(file, f"{column} {frame.loc[other.idxmax(), column]!r} beside {value!r}",
                              f"keep the rows with {value!r}", key=f"row {other.idxmax()}")
    return frame.drop(columns=list(values))


@cache
def _names() -> dict[str, str]:
    return {name: code for code, name in territories()["name"].items()} | NAMES
