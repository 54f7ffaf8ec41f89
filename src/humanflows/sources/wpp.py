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
from .omissions import AGGREGATE, ANOTHER_YEAR, OUTSIDE, Omissions
from .rdata_io import read_frame

FIRST_YEAR, LAST_YEAR, LAST_ESTIMATE = 1980, 2025, 2023
# Parts of other territories here, or outside the 231: Guernsey, Jersey, Holy See, Kosovo, Saint Barthélemy, Saint
# Martin (French part). Jersey and Guernsey are the XCX of the stocks.
OUTSIDE_M49 = frozenset({831, 832, 336, 412, 652, 663})
OUTSIDE_WDI = frozenset({"ANT", "BLM", "CHI", "GGY", "JEY", "MAF", "VAT", "XKX"})
FILES = ("e01dt.rda", "e0proj1dt.rda", "mig1dt.rda", "migproj1dt.rda", "misc1dt.rda", "miscproj1dt.rda",
         "popproj1dt.rda", "UNlocations.txt", "gdidata_wdi.rda")
_THOUSAND = 1000.0


def read_wpp(paths: Mapping[str, Path], *, omitted: Omissions | None = None) -> pd.DataFrame:
    """Demographic series of the 231 territories, 1980–2025.

    Parameters
    ----------
    paths : file by name, the names being those of ``FILES``.
    omitted : collects the rows that are left out; they count no persons.

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
    omitted = Omissions() if omitted is None else omitted
    absent = [name for name in FILES if name not in paths]
    if absent:
        raise SourceFileError(absent[0], "file of the World Population Prospects not given", "fetch the group wpp2024")
    aggregates = _aggregates(paths["UNlocations.txt"])
    read = {name: _series(paths[f"{name}.rda"], name, columns, aggregates, omitted) for name, columns in {
        "misc1dt": ["births", "deaths", "PopChange"], "miscproj1dt": ["births", "deaths", "PopChange"],
        "mig1dt": ["mig"], "migproj1dt": ["mig"], "e01dt": ["e0B"], "e0proj1dt": ["e0B"],
        "popproj1dt": ["popM", "popF"]}.items()}
    read = {name: _of_the_panel(frame.reset_index(), omitted).set_index(["year", "territory"])
            for name, frame in read.items()}

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
    midyear = _midyear(paths["gdidata_wdi.rda"], population, omitted)
    wide = {"births": both("misc", "births") * _THOUSAND, "deaths": both("misc", "deaths") * _THOUSAND,
            "net_migration": both("mig", "mig") * _THOUSAND, "population_change": change, "population": population,
            "population_midyear": midyear, "life_expectancy": both("e0", "e0B")}
    frame = pd.concat([_long(name, table) for name, table in wide.items()], ignore_index=True)
    return validate(frame, "territory_year", file=paths["misc1dt.rda"])


def _aggregates(path: Path) -> frozenset[int]:
    """Codes of the world, regions and groups: everything in the list of locations that is not of type 4 (country)."""
    places = read_texts(path, ["country_code", "location_type"], sep="\t")
    code, kind = (whole_numbers(places[c], file=path) for c in ("country_code", "location_type"))
    return frozenset(code[kind != 4].tolist()) | OUTSIDE_M49


def _series(path: Path, name: str, columns: list[str], aggregates: frozenset[int],
            omitted: Omissions | None = None) -> pd.DataFrame:
    """Columns indexed by (year, territory) for the 231 territories; rows outside the years of the panel are kept."""
    omitted = Omissions() if omitted is None else omitted
    frame = read_frame(path, name, ["country_code", "year", *columns])
    frame = frame.assign(**{c: whole_numbers(frame[c], file=path) for c in ("country_code", "year")},
                         **{c: numbers(frame[c], file=path) for c in columns})
    territory = frame["country_code"].map(from_m49())
    unknown = territory.isna() & ~frame["country_code"].isin(aggregates)
    if unknown.any():
        row = unknown.idxmax()
        raise UnknownTerritoryError(path, f"unknown M49 code {frame.at[row, 'country_code']}",
                                    "add it to data/territories.csv or declare it outside in wpp.OUTSIDE_M49",
                                    f"row {row}")
    reason = frame["country_code"].isin(OUTSIDE_M49).map({True: OUTSIDE, False: AGGREGATE})
    frame = omitted.keep(frame.assign(territory=territory), territory.notna(), reason, persons=None)
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


def _of_the_panel(frame: pd.DataFrame, omitted: Omissions) -> pd.DataFrame:
    return omitted.keep(frame, frame["year"].between(FIRST_YEAR, LAST_YEAR), ANOTHER_YEAR, persons=None)


def _midyear(path: Path, population: pd.DataFrame, omitted: Omissions) -> pd.DataFrame:
    wdi = read_frame(path, "wdi", ["geo", "var", "t", "v"]).rename(columns={"t": "year"})
    wdi = wdi.assign(year=whole_numbers(wdi["year"], file=path), v=numbers(wdi["v"], file=path))
    wdi = omitted.keep(wdi, wdi["var"] == "pop", "another series than the population", persons=None)
    outside = ~wdi["geo"].isin(codes())
    unknown = outside & ~wdi["geo"].isin(OUTSIDE_WDI)
    if unknown.any():
        raise UnknownTerritoryError(path, f"unknown territory code {wdi.at[unknown.idxmax(), 'geo']!r}",
                                    "declare it outside in wpp.OUTSIDE_WDI", key=f"row {unknown.idxmax()}")
    wdi = omitted.keep(wdi, ~outside, OUTSIDE, persons="v")
    refuse_repeats(wdi, ["geo", "year"], file=path)
    published = _of_the_panel(wdi, omitted).pivot(index="year", columns="geo", values="v")
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
