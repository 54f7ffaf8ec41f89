"""Statistics Denmark, immigration and emigration of foreigners by citizenship: sums over 2014 to 2023.

Two files without a header or a year, one a side. Danish citizens are not in them, and no total either. Former states,
regions and citizenships that were not stated stand among the countries. Zeros of territories whose people hold, or are
counted under, another citizenship are no counts: Palestinians are among the stateless.
"""
from pathlib import Path

import pandas as pd

from ..schema import validate
from .csv_io import numbers, read_texts
from .omissions import AGGREGATE, COUNTED_ELSEWHERE, FORMER_STATE, OUTSIDE, STATELESS, UNKNOWN, Omissions
from .partners import Labels, check_rows

SOURCE = "dst_denmark"
REPORTER = "DNK"
FIRST_YEAR, LAST_YEAR = 2014, 2023   # of the sums; the files do not say
_NOT_STATED = ("Europe not stated", "Africa not stated", "North America not stated",
               "South and central America not stated", "Middle East not stated", "Asia not stated", "Not stated")
NO_CITIZENSHIP = frozenset({"ABW", "BMU", "COK", "CUW", "FLK", "GLP", "GUF", "HKG", "MAC", "MTQ", "PRI", "PSE", "REU",
                            "SHN"})
LABELS = Labels(
    names={"Gambia, The": "GMB", "Eswantini": "SWZ", "Congo, Democratic Republic": "COD", "Congo, Republic": "COG",
           # all of them zero
           **dict.fromkeys(("Palestine", "Gaza", "West Bank", "West bank and Gaza", "East Jerusalem"), "PSE"),
           **dict.fromkeys(("Abu Dhabi", "Dubai", "Trucial Oman"), "ARE"), "Sikkim": "IND", "Northern Ireland": "GBR",
           "Southwest Africa": "NAM"},
    left_out={
        **dict.fromkeys(("GDR", "Yugoslavia", "Yugoslavia, Federal Republic", "Serbia and Montenegro", "Soviet Union",
                         "Czechoslovakia", "Netherlands Antilles", "North Yemen", "Indochina"), FORMER_STATE),
        **dict.fromkeys(("Kosovo", "Vatican City State"), OUTSIDE),
        **dict.fromkeys(("Spanish territories in Africa", "British West Indies", "French West Indies", "West Indies",
                         "French territories in the Pacific", "Pacific Islands"), AGGREGATE),
        **dict.fromkeys(_NOT_STATED, UNKNOWN), "Stateless": STATELESS})


def read_dst_denmark(immigration: Path, emigration: Path, *, omitted: Omissions | None = None) -> pd.DataFrame:
    """Foreigners who moved to and from Denmark in ten years, by citizenship.

    Parameters
    ----------
    immigration, emigration : ``immigration.csv`` and ``emigration.csv``.

    Returns
    -------
    Table ``period_flow``: reporter ``DNK``, criterion citizenship, flow_type movement, 2014 to 2023.

    Raises
    ------
    SourceFileError, SchemaError, UnknownTerritoryError, NegativeCountError, DuplicateKeyError
        Naming the file and the row.
    """
    omitted = Omissions() if omitted is None else omitted
    parts = []
    for side, path in (("immigration", immigration), ("emigration", emigration)):
        raw = read_texts(path, ("label", "persons"), encoding="latin-1", header=False)
        raw["persons"] = numbers(raw, "persons", file=path)
        check_rows(raw, "persons", ["label"], path)
        raw["partner"] = LABELS.codes(raw, file=path)
        raw = omitted.keep(raw, raw["partner"].notna(), raw["label"].map(LABELS.left_out), year=None)
        summed = raw.groupby("partner", as_index=False)["persons"].sum()
        summed = omitted.keep(summed, (summed["persons"] > 0) | ~summed["partner"].isin(NO_CITIZENSHIP),
                              COUNTED_ELSEWHERE, year=None)
        here = pd.Series(REPORTER, index=summed.index)
        arrives = side == "immigration"
        parts.append(pd.DataFrame({
            "source": SOURCE, "reporter": REPORTER, "side": side, "criterion": "citizenship", "flow_type": "movement",
            "first_year": FIRST_YEAR, "last_year": LAST_YEAR, "origin": summed["partner"] if arrives else here,
            "destination": here if arrives else summed["partner"], "persons": summed["persons"]}))
    return validate(pd.concat(parts, ignore_index=True), "period_flow", file=immigration)
