"""UN World Population Prospects 2024: births, deaths, net migration, population and life expectancy, every year.

The files give thousands; here are persons. Estimates end in 2023, the medium projection goes on.
"""
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import SchemaError, SourceFileError, UnknownTerritoryError
from ..schema import validate
from ..territories import codes, from_m49
from .cells import AGAIN, numbers, read_texts, refuse_repeats, whole_numbers
from .rdata_io import read_frame

FIRST_YEAR, LAST_YEAR, LAST_ESTIMATE = 1980, 2025, 2023
# Parts of other territories here, or outside the 231: Guernsey, Jersey, Holy See, Kosovo, Saint Barthélemy, Saint
# Martin (French part). Jersey and Guernsey are the XCX of the stocks.
OUTSIDE = frozenset({831, 832, 336, 412, 652, 663})
OUTSIDE_WDI = frozenset({"ANT", "BLM", "CHI", "GGY", "JEY", "MAF", "VAT", "XKX"})
FILES = ("e01dt.rda", "e0proj1dt.rda", "mig1dt.rda", "migproj1dt.rda", "misc1dt.rda", "miscproj1dt.rda",
         "popproj1dt.rda", "UNlocations.txt", "gdidata_wdi.rda")
_THOUSAND = 1000.0


def read_wpp(paths: Mapping[str, Path]) -> pd.DataFrame:
    """Demographic series of the 231 territories, 1980–2025.

    Parameters
    ----------
    paths : file by name, the names being those of ``FILES``.

    Returns
    -------
    Table ``territory_year`` with births, deaths, net_migration, population_change (during the year), population
    (1 January), population_midyear (1 July) and life_expectancy. Status is ``estimated`` up to 2023 (1 January 2024)
    and ``projected`` after.

    Notes
    -----
    Population of 1 January is that of 31 December 2024 less the changes of the years between: the same balance as in
    the source, so births − deaths + net migration leads from one to the next up to its rounding. Mid-year population
    is the published one up to 2023 and the mean of two 1 Januaries after.

    Raises
    ------
    SourceFileError, UnknownTerritoryError, NegativeCountError, DuplicateKeyError
    """
    absent = [name for name in FILES if name not in paths]
    if absent:
        raise SourceFileError(absent[0], "file of the World Population Prospects not given", "fetch the group wpp2024")
    aggregates = _aggregates(paths["UNlocations.txt"])
    read = {name: _series(paths[f"{name}.rda"], name, columns, aggregates) for name, columns in {
        "misc1dt": ["births", "deaths", "PopChange"], "miscproj1dt": ["births", "deaths", "PopChange"],
        "mig1dt": ["mig"], "migproj1dt": ["mig"], "e01dt": ["e0B"], "e0proj1dt": ["e0B"],
        "popproj1dt": ["popM", "popF"]}.items()}

    def both(stem: str, column: str) -> pd.DataFrame:
        past, future = (read[f"{stem}{part}1dt"][column].unstack("territory") for part in ("", "proj"))
        return pd.concat([past.loc[:LAST_ESTIMATE], future.loc[LAST_ESTIMATE + 1:]]).loc[:LAST_YEAR]

    change = both("misc", "PopChange") * _THOUSAND
    # A sex that is missing makes the sum missing, not small.
    end_of_year = read["popproj1dt"].sum(axis=1, skipna=False).unstack("territory") * _THOUSAND
    lacking = [y for y in (LAST_ESTIMATE + 1, LAST_ESTIMATE + 2) if y not in end_of_year.index]
    if lacking:
        raise SchemaError(paths["popproj1dt.rda"], "the population to reckon back from is missing", AGAIN,
                          key=lacking[0])
    population = _first_of_january(end_of_year, change)
    midyear = _midyear(paths["gdidata_wdi.rda"], population)
    wide = {"births": both("misc", "births") * _THOUSAND, "deaths": both("misc", "deaths") * _THOUSAND,
            "net_migration": both("mig", "mig") * _THOUSAND, "population_change": change, "population": population,
            "population_midyear": midyear, "life_expectancy": both("e0", "e0B")}
    frame = pd.concat([_long(name, table) for name, table in wide.items()], ignore_index=True)
    return validate(frame, "territory_year", file=paths["misc1dt.rda"])


def _aggregates(path: Path) -> frozenset[int]:
    """Codes of the world, regions and groups: everything in the list of locations that is not of type 4 (country)."""
    places = read_texts(path, ["country_code", "location_type"], sep="\t")
    code, kind = (whole_numbers(places[c], file=path) for c in ("country_code", "location_type"))
    return frozenset(code[kind != 4].tolist()) | OUTSIDE


def _series(path: Path, name: str, columns: list[str], aggregates: frozenset[int]) -> pd.DataFrame:
    """Columns indexed by (year, territory) for the 231 territories."""
    frame = read_frame(path, name, ["country_code", "year", *columns])
    frame = frame.assign(**{c: whole_numbers(frame[c], file=path) for c in ("country_code", "year")},
                         **{c: numbers(frame[c], file=path) for c in columns})
    territory = frame["country_code"].map(from_m49())
    unknown = territory.isna() & ~frame["country_code"].isin(aggregates)
    if unknown.any():
        row = unknown.idxmax()
        raise UnknownTerritoryError(path, f"unknown M49 code {frame.at[row, 'country_code']}",
                                    "add it to data/territories.csv or declare it outside in wpp.OUTSIDE", f"row {row}")
    frame = frame.assign(territory=territory)[territory.notna()]
    lacking = set(codes()) - set(frame["territory"])
    if lacking:
        raise SourceFileError(path, f"{len(lacking)} territories are missing", "fetch the file again",
                              key=sorted(lacking)[0])
    refuse_repeats(frame, ["year", "territory"], file=path)
    return frame.set_index(["year", "territory"])[columns]


def _first_of_january(end_of_year: pd.DataFrame, change: pd.DataFrame) -> pd.DataFrame:
    """Population on 1 January of 1980 to 2026, from 31 December 2024 backwards by the changes; 2026 is projected."""
    anchor = LAST_ESTIMATE + 1
    back = change.loc[FIRST_YEAR:anchor].iloc[::-1].cumsum().iloc[::-1]  # year → what was added from then to the anchor
    population = end_of_year.loc[anchor] - back
    population.loc[anchor + 1] = end_of_year.loc[anchor]
    population.loc[anchor + 2] = end_of_year.loc[anchor + 1]
    return population.sort_index()


def _midyear(path: Path, population: pd.DataFrame) -> pd.DataFrame:
    wdi = read_frame(path, "wdi", ["geo", "var", "t", "v"])
    wdi = wdi[wdi["var"] == "pop"]
    outside = ~wdi["geo"].isin(codes())
    unknown = outside & ~wdi["geo"].isin(OUTSIDE_WDI)
    if unknown.any():
        raise UnknownTerritoryError(path, f"unknown territory code {wdi.at[unknown.idxmax(), 'geo']!r}",
                                    "declare it outside in wpp.OUTSIDE_WDI", key=f"row {unknown.idxmax()}")
    wdi = wdi[~outside]
    wdi = wdi.assign(t=whole_numbers(wdi["t"], file=path), v=numbers(wdi["v"], file=path))
    refuse_repeats(wdi, ["geo", "t"], file=path)
    published = wdi.pivot(index="t", columns="geo", values="v")
    later = ((population + population.shift(-1)) / 2).loc[LAST_ESTIMATE + 1:LAST_YEAR]
    return pd.concat([published.loc[:LAST_ESTIMATE], later])


def _long(variable: str, table: pd.DataFrame) -> pd.DataFrame:
    table = table.loc[FIRST_YEAR:LAST_YEAR].rename_axis(index="year", columns="territory")
    frame = table.melt(ignore_index=False, value_name="value").reset_index()
    # 1 January 2024 closes the last estimated year
    last = LAST_ESTIMATE + (variable == "population")
    return frame.assign(source="wpp", variable=variable, territory=frame["territory"].astype(str),
                        year=frame["year"].astype("int64"), value=frame["value"].astype("float64"),
                        status=np.where(frame["year"] <= last, "estimated", "projected"))
