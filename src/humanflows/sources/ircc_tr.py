"""Immigration, Refugees and Citizenship Canada: temporary permits that became effective, by citizenship, from 2015.

Permits, not people who arrive: an extension counts again, somebody may hold a permit to study and one to work, and a
permit is dated when it becomes effective, not when its holder lands. They bound arrivals from above. Work permits are
those of the International Mobility Program and of the Temporary Foreign Worker Program together.

Monthly numbers are rounded to five; ``--`` stands for one to five, and a month without permits has no row. ``--`` is
read as three. A year is flagged ``imputed`` where more than a tenth of its number is made of such months. A calendar
year counts when the file has all its months.
"""
from pathlib import Path

import pandas as pd

from ..errors import DuplicateKeyError
from .csv_io import numbers, one_of, read_texts, years
from .omissions import FORMER_STATE, INCOMPLETE_YEAR, OTHERS, OUTSIDE, STATELESS, UNKNOWN, Omissions
from .partners import Labels, check_rows, indicators

SOURCE = "ircc_tr"
DESTINATION = "CAN"
COLUMNS = ("EN_YEAR", "EN_MONTH", "EN_COUNTRY_OF_CITIZENSHIP", "TOTAL")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
CENSORED, CENSORED_AS = "--", 3.0   # one to five
LARGEST_SHARE = 0.1   # of a reported number that is made of censored months
LABELS = Labels(
    names={"Bahama Islands, The": "BHS", "Congo, Democratic Republic of the": "COD",
           "Congo, People's Republic of the": "COG",
           "Korea, People's Democratic Republic of": "PRK", "Korea, Republic of": "KOR", "Nevis": "KNA",
           "St. Kitts-Nevis": "KNA", "Palestinian Authority (Gaza/West Bank)": "PSE",
           "United Kingdom and Overseas Territories": "GBR", "Bonaire, Sin Eustatius And Saba": "BES",
           "Sint-Maarten": "SXM"},
    left_out={"Netherlands Antilles, The": FORMER_STATE, "Other": OTHERS, "Stateless": STATELESS,
              "Country of Citizenship not stated": UNKNOWN,
              **dict.fromkeys(("Holy See", "Kosovo, Republic of", "Saint-Martin", "Aland Island",
                               "United States Minor Outlying Islands"), OUTSIDE)})


def read_ircc_tr(study: Path, mobility: Path, foreign_workers: Path, *,
                 omitted: Omissions | None = None) -> pd.DataFrame:
    """Study and work permits of Canada by citizenship and calendar year.

    Parameters
    ----------
    study, mobility, foreign_workers : ``ODP-TR-Study-IS_CITZ.csv``, ``ODP-TR-Work-IMP-CITZ.csv`` and
        ``ODP-TR-Work-TFWP-CITZ.csv``.

    Returns
    -------
    Table ``pair_year``: ``study_permits`` and ``work_permits``, ``origin`` the citizenship, ``destination`` Canada,
    status ``reported``, or ``imputed`` where more than `LARGEST_SHARE` of the number is of months with one to five.

    Raises
    ------
    SourceFileError, SchemaError, YearRangeError, UnknownTerritoryError, NegativeCountError, DuplicateKeyError
        Naming the file and the row.
    """
    omitted = Omissions() if omitted is None else omitted
    studying = _years(study, omitted)
    working = pd.concat([_years(mobility, omitted), _years(foreign_workers, omitted)], ignore_index=True)
    # The two programs are parts of one number; one that gave a citizenship no permit in a year has no row of it.
    working = _sum(working)
    return pd.concat([indicators(_flagged(frame), LABELS, source=SOURCE, variable=variable, destination=DESTINATION,
                                 file=file, omitted=omitted)
                      for variable, frame, file in (("study_permits", studying, study),
                                                    ("work_permits", working, mobility))], ignore_index=True)


def _years(path: Path, omitted: Omissions) -> pd.DataFrame:
    """Calendar years of one file: ``row, label, year, value, censored``, of the value what is made of censored months.
    """
    raw = read_texts(path, COLUMNS, separator="\t")
    censored = raw["TOTAL"] == CENSORED
    frame = pd.DataFrame({
        "row": raw["row"], "label": raw["EN_COUNTRY_OF_CITIZENSHIP"], "year": years(raw, "EN_YEAR", file=path),
        "month": one_of(raw, "EN_MONTH", MONTHS, file=path), "censored": censored,
        "value": numbers(raw, "TOTAL", file=path, missing=(CENSORED,)).mask(censored, CENSORED_AS)})
    twice = frame.duplicated(["label", "year", "month"])
    if twice.any():
        row = frame.loc[twice.idxmax()]
        raise DuplicateKeyError(path, f"a second number for {row['label']!r}, {row['month']} {row['year']}",
                                "keep one of the rows", key=f"row {row['row']}")
    check_rows(frame, "value", ["label", "year", "month"], path)   # a negative number would hide in a sum
    whole = frame.groupby("year")["month"].transform("nunique") == len(MONTHS)
    frame = omitted.keep(frame, whole, INCOMPLETE_YEAR, persons="value")
    return _sum(frame.assign(censored=frame["value"].where(frame["censored"], 0.0)))


def _sum(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.groupby(["label", "year"], as_index=False, sort=False).agg(
        row=("row", "first"), value=("value", "sum"), censored=("censored", "sum"))


def _flagged(frame: pd.DataFrame) -> pd.DataFrame:
    imputed = frame["censored"] > LARGEST_SHARE * frame["value"]
    return frame.assign(status=imputed.map({True: "imputed", False: "reported"}))
