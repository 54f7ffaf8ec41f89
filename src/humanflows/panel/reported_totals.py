"""What sources say of whole territories: totals of reports, residents, foreign-born, displaced people.

Small tables of ``data/panel``, made from the panel of the real sources, against which estimates are judged
(``results.plausibility``) where no source file is at hand. Nothing here is fitted, and no estimate is read.
"""
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import DuplicateKeyError, SchemaError
from ..plain_files import read_table
from ..schema import STATUS
from ..territories import check_codes

ARRIVALS, DEPARTURES = "arrivals", "departures"
DIRECTIONS = (ARRIVALS, DEPARTURES)
_DIRECTION = {"immigration": ARRIVALS, "emigration": DEPARTURES}
FOREIGN_BORN = "undesa_ims_2024|stock|residence|birthplace|total"
RETURNED = "unhcr_more|refugees_returned"
_COUNTED = [STATUS.index(s) for s in ("reported", "missing")]     # missing: no line yet, so that all of the first grew
# Evidence of fewer persons says nothing of a spike: ten thousand are five times two thousand.
SMALLEST_EVIDENCE = 2_000.0

TOTAL_COLUMNS = ("source", "territory", "direction", "criterion", "year", "persons", "all_persons")
STATE_COLUMNS = ("year", "territory", "population", "net_migration", "displaced_arrivals", "displaced_departures")
FOREIGN_COLUMNS = ("territory", "year", "persons")
CORRIDOR_COLUMNS = ("year", "origin", "destination", "report", "displaced")
RATE_COLUMNS = ("direction", "from_population", "to_population", "territories", "reports", "calm", "lowest",
                "lowest_of", "middle", "percentile_99_5", "highest", "highest_of")
# Rates depend on size: the fewer the residents, the larger the share of any group that comes. Below a million only six
# territories report (Liechtenstein alone below a hundred thousand), so that a finer division would rest on one office.
SIZE_CLASSES = (0.0, 1e6, 1e7, np.inf)
# A year in which more than this share of the movers reported were displaced people says nothing of other years.
DISPLACED_SHARE = 0.1


def total_reports(panel: xr.Dataset) -> pd.DataFrame:
    """Totals of the arrivals and departures of a territory and year, by source and criterion.

    Parameters
    ----------
    panel : the panel.

    Returns
    -------
    Columns of ``TOTAL_COLUMNS``, one row a series and year: ``persons`` is the total that the office prints, where it
    does, and otherwise the sum of its corridors and of the remainder that no corridor holds. ``all_persons`` is true
    where that is a total of all who move, whatever they are told apart by: a printed total by residence, or by
    citizenship or birthplace when the office's own nationals or natives are counted too; or corridors by residence with
    a remainder. A platform without a territory of its own counts for every territory that it reports of.
    """
    keys = ["source", "territory", "direction", "criterion", "year"]
    summed = _corridor_sums(panel).groupby(keys)["persons"].sum()
    margins = _flow_margins(panel)
    wide = margins.pivot_table(index=keys, columns="group", values="persons", aggfunc="sum").reindex(
        columns=["total", "own", "others"])
    frame = wide.join(summed.rename("summed"), how="outer").reset_index()
    residence = frame["criterion"] == "residence"
    printed, rest = frame["total"].notna(), frame["summed"].notna() & frame["others"].notna()
    frame["persons"] = frame["total"].where(printed, frame["summed"].fillna(0.0) + frame["others"].fillna(0.0))
    frame["all_persons"] = (printed & (residence | frame["own"].notna())) | (~printed & residence & rest)
    frame = frame[printed | frame["summed"].notna()]
    return frame[list(TOTAL_COLUMNS)].sort_values(keys, ignore_index=True)


def territory_states(panel: xr.Dataset) -> pd.DataFrame:
    """Residents, net migration and displaced people of every territory and year.

    Returns
    -------
    Columns of ``STATE_COLUMNS``; ``population`` on 1 January and, in the years of flows, net migration of WPP and the
    persons that UNHCR counts among those who came or left in the year (``displaced_moves``). The last date has a
    population alone; NaN elsewhere.
    """
    dates, years, codes = panel["date_year"].values, panel["year"].values, panel["residence"].values.astype(str)
    moved = displaced_moves(panel)
    frame = pd.DataFrame({"year": np.repeat(dates, len(codes)), "territory": np.tile(codes, len(dates)),
                          "population": panel["population"].values.ravel()})
    flows = pd.DataFrame({"year": np.repeat(years, len(codes)), "territory": np.tile(codes, len(years)),
                          "net_migration": panel["net_migration"].values.ravel(),
                          "displaced_arrivals": moved.sum(1).ravel(), "displaced_departures": moved.sum(2).ravel()})
    return frame.merge(flows, on=["year", "territory"], how="left")[list(STATE_COLUMNS)]


def displaced_moves(panel: xr.Dataset) -> np.ndarray:
    """Displaced people who moved in the year [year, origin, destination], persons; zero where UNHCR has no number.

    New refugees and asylum seekers of the year, or the growth of all who are there where that is more: those of whom
    UNHCR learns after they came (Burundians of 1993, Iraqis in Jordan in 2006) are in the second number alone. A growth
    that touches a bridged year or a recount does not count, nor one where somebody reports the flow: the Iranians in
    Germany grew by 52 thousand in 2002 in which three reports have six thousand. Refugees who returned are added.
    """
    moved = np.nan_to_num(panel["displaced_flow"].values.astype(float))
    if "displaced_stock" in panel:
        stock = panel["displaced_stock"].values.astype(float)
        counted = np.isin(panel["displaced_stock_status"].values, _COUNTED) & (panel["displaced_break"].values == 0)
        counted[1:] &= np.isin(panel["displaced_stock_status"].values[:-1], _COUNTED)
        growth = np.diff(stock, axis=0, prepend=panel["displaced_before"].values[None].astype(float))
        counted &= largest_reports(panel) == 0
        moved = np.maximum(moved, np.where(counted, np.nan_to_num(growth), 0.0))
    if RETURNED in panel.get("indicator", xr.DataArray([])).values:
        series = int(np.flatnonzero(panel["indicator"].values == RETURNED)[0])
        mine = panel["indicator_series"].values == series
        where = tuple(panel[f"indicator_{k}"].values[mine].astype(int) for k in ("year", "origin", "destination"))
        np.add.at(moved, where, np.nan_to_num(panel["indicator_value"].values[mine]))
    return moved


def largest_reports(panel: xr.Dataset) -> np.ndarray:
    """Largest report of every flow by any source and criterion [year, origin, destination]; zero where none is."""
    report = np.zeros(panel["displaced_flow"].shape)
    where = tuple(panel[f"flow_{k}"].values.astype(int) for k in ("year", "origin", "destination"))
    np.maximum.at(report, where, panel["flow_persons"].values)
    return report


def foreign_born_totals(panel: xr.Dataset) -> pd.DataFrame:
    """Persons born elsewhere by territory and year, mid-year, as UN DESA prints them, unknown birthplaces included.

    Returns
    -------
    Columns of ``FOREIGN_COLUMNS``.

    Raises
    ------
    SchemaError
        When the panel has no such margin.
    """
    place = np.flatnonzero(panel["margin"].values == FOREIGN_BORN)
    if not len(place):
        raise SchemaError("panel", "no totals of foreign-born persons", "harmonise the panel with undesa_ims",
                          key=FOREIGN_BORN)
    mine = panel["margin_series"].values == place[0]
    return pd.DataFrame({
        "territory": panel["residence"].values.astype(str)[panel["margin_territory"].values[mine]],
        "year": panel["year"].values[panel["margin_year"].values[mine]],
        "persons": panel["margin_persons"].values[mine]}).sort_values(["territory", "year"], ignore_index=True)


def corridor_evidence(panel: xr.Dataset, smallest: float = SMALLEST_EVIDENCE) -> pd.DataFrame:
    """What is reported of corridors and years: the largest report by any source and criterion, and displaced people.

    Parameters
    ----------
    panel : the panel.
    smallest : persons; a corridor and year of which both numbers are smaller is left out.

    Returns
    -------
    Columns of ``CORRIDOR_COLUMNS``; zero where there is no number, so that neither is NaN.
    """
    displaced, report = displaced_moves(panel), largest_reports(panel)
    y, o, d = np.nonzero(np.maximum(report, displaced) >= smallest)
    codes = panel["origin"].values.astype(str)
    return pd.DataFrame({"year": panel["year"].values[y], "origin": codes[o], "destination": codes[d],
                         "report": report[y, o, d], "displaced": displaced[y, o, d]})


def reported_rates(reports: pd.DataFrame, states: pd.DataFrame) -> pd.DataFrame:
    """Lowest to highest crude rates that offices ever reported, by direction and number of residents.

    Parameters
    ----------
    reports, states : see ``total_reports`` and ``territory_states``.

    Returns
    -------
    Columns of ``RATE_COLUMNS``, rates per 1,000 residents of 1 January, by class of residents [from, to). Only totals
    of all persons count; where a year was reported several times the median does. ``percentile_99_5`` and ``highest``
    are those of the ``calm`` years, in which displaced people were at most ``DISPLACED_SHARE`` of those who came or
    left: displaced people are allowed for person by person.

    Raises
    ------
    SchemaError
        When a class of residents has no report at all.
    """
    joined = reports[reports["all_persons"] & (reports["persons"] > 0)].merge(states, on=["year", "territory"])
    joined = joined[joined["population"] > 0]
    displaced = joined[["displaced_arrivals", "displaced_departures"]].max(axis=1)
    joined = joined.assign(rate=1000 * joined["persons"] / joined["population"],
                           calm=displaced <= DISPLACED_SHARE * joined["persons"])
    joined = joined.groupby(["direction", "territory", "year"], as_index=False).agg(
        {"rate": "median", "population": "first", "calm": "all"})
    rows = []
    for direction in DIRECTIONS:
        for lower, upper in pairwise(SIZE_CLASSES):
            part = joined[(joined["direction"] == direction) & joined["population"].between(lower, upper, "left")]
            calm = part[part["calm"]]
            if calm.empty:
                raise SchemaError("reports", "no office reports a total in this class of residents",
                                  "join the class to another in SIZE_CLASSES", key=f"{direction}, {lower:.0f}")
            lowest, highest = part.loc[part["rate"].idxmin()], calm.loc[calm["rate"].idxmax()]
            rows.append((direction, lower, upper, part["territory"].nunique(), len(part), len(calm), lowest["rate"],
                         f"{lowest['territory']} {lowest['year']}", part["rate"].median(),
                         calm["rate"].quantile(0.995), highest["rate"], f"{highest['territory']} {highest['year']}"))
    return pd.DataFrame(rows, columns=list(RATE_COLUMNS))


def describe_totals(panel: xr.Dataset) -> dict[str, pd.DataFrame]:
    """All tables of this module by the name of their file in ``data/panel``, rounded to what they are read for:
    whole persons, three digits of what single corridors and series report."""
    reports, states = total_reports(panel), territory_states(panel)
    whole = {c: states[c].round().astype("Int64") for c in STATE_COLUMNS[2:]}
    corridors = corridor_evidence(panel)
    return {"reported_totals": reports.assign(persons=reports["persons"].round().astype("int64")),
            "territory_states": states.assign(**whole),
            "foreign_born": foreign_born_totals(panel).assign(persons=lambda t: t["persons"].round().astype("int64")),
            "reported_corridors": corridors.assign(**{c: _digits(corridors[c]) for c in ("report", "displaced")}),
            "plausible_rates": reported_rates(reports, states).round(3)}


def read_totals(folder: Path) -> dict[str, pd.DataFrame]:
    """The tables that ``describe_totals`` made, from files.

    Parameters
    ----------
    folder : ``data/panel``.

    Returns
    -------
    Tables by name, numbers as numbers; an empty cell is NaN.

    Raises
    ------
    SourceFileError
        For a file that is not there.
    SchemaError
        For a column that is missing, or something else than a number.
    UnknownTerritoryError
        For a code that is no territory.
    DuplicateKeyError
        For two rows about the same thing.
    """
    columns = {"reported_totals": TOTAL_COLUMNS, "territory_states": STATE_COLUMNS, "foreign_born": FOREIGN_COLUMNS,
               "reported_corridors": CORRIDOR_COLUMNS, "plausible_rates": RATE_COLUMNS}
    return {name: _typed(read_table(Path(folder) / f"{name}.csv", wanted), Path(folder) / f"{name}.csv")
            for name, wanted in columns.items()}


_TEXTS = ("source", "territory", "direction", "criterion", "origin", "destination", "lowest_of", "highest_of")
_KEYS = ("source", "territory", "direction", "criterion", "year", "origin", "destination", "from_population")


def _typed(frame: pd.DataFrame, file: Path) -> pd.DataFrame:
    for column in frame.columns:
        if column in ("territory", "origin", "destination"):
            check_codes(frame[column], file=file)
        if column == "all_persons":
            frame[column] = frame[column] == "True"
        elif column not in _TEXTS:
            number = pd.to_numeric(frame[column].mask(frame[column] == ""), errors="coerce")
            bad = (number.isna() & (frame[column] != "")).to_numpy()
            if bad.any():
                raise SchemaError(file, f"{column} is {frame[column][bad].iloc[0]!r}, which is not a number",
                                  "run scripts/describe_panel.py again", key=f"row {int(np.argmax(bad))}")
            frame[column] = number.astype("int64") if column == "year" else number
    keys = [k for k in _KEYS if k in frame]
    twice = frame.duplicated(keys)
    if twice.any():
        raise DuplicateKeyError(file, "two rows speak of the same", "keep one of them",
                                key=", ".join(str(v) for v in frame.loc[twice, keys].iloc[0]))
    return frame


def _digits(values: pd.Series, digits: int = 3) -> pd.Series:
    """Whole numbers of so many digits."""
    power = 10.0 ** np.maximum(np.floor(np.log10(np.maximum(values, 1))) - digits + 1, 0)
    return (np.round(values / power) * power).astype("int64")


def _corridor_sums(panel: xr.Dataset) -> pd.DataFrame:
    """Persons of every report with the territory, direction, source and criterion that it counts for."""
    witness = panel["flow_witness"].values.astype(int)
    codes, years = panel["origin"].values.astype(str), panel["year"].values
    frame = pd.DataFrame({"source": panel["witness_source"].values[witness].astype(str),
                          "side": panel["witness_side"].values[witness].astype(str),
                          "criterion": panel["witness_criterion"].values[witness].astype(str),
                          "year": years[panel["flow_year"].values.astype(int)],
                          "origin": codes[panel["flow_origin"].values.astype(int)],
                          "destination": codes[panel["flow_destination"].values.astype(int)],
                          "persons": panel["flow_persons"].values})
    both = frame["side"] == "both"
    arrivals = frame[both | (frame["side"] == "immigration")].assign(direction=ARRIVALS)
    departures = frame[both | (frame["side"] == "emigration")].assign(direction=DEPARTURES)
    return pd.concat([arrivals.assign(territory=arrivals["destination"]),
                      departures.assign(territory=departures["origin"])], ignore_index=True)


def _flow_margins(panel: xr.Dataset) -> pd.DataFrame:
    series = panel["margin_series"].values.astype(int)
    frame = pd.DataFrame({"source": panel["margin_source"].values[series].astype(str),
                          "quantity": panel["margin_quantity"].values[series].astype(str),
                          "direction": pd.Series(panel["margin_side"].values[series].astype(str)).map(_DIRECTION),
                          "criterion": panel["margin_criterion"].values[series].astype(str),
                          "group": panel["margin_group"].values[series].astype(str),
                          "year": panel["year"].values[panel["margin_year"].values.astype(int)],
                          "territory": panel["residence"].values.astype(str)[
                              panel["margin_territory"].values.astype(int)],
                          "persons": panel["margin_persons"].values})
    return frame[(frame["quantity"] == "flow") & frame["direction"].notna()]
