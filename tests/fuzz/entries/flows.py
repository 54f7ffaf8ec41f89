"""Reported flows, and flows that others estimated."""
from humanflows.sources.statsnz import TITLE, TOTAL_GROUP

from ..samples import Document, Table, csv_of, rda_of, sheet_of, workbook
from . import source

_MONTHS = [f"2001M{m:02d}" for m in range(1, 13)]


def _nz(country: str) -> Table:
    return Table({"": [TOTAL_GROUP] * 12, " ": [country] * 12, "  ": _MONTHS, "Arrivals": list(range(12)),
                  "Departures": [3] * 12},
                 csv_of(above=[[TITLE, "", "", "", ""], ["", "", "", "Arrivals", "Departures"]], head=False,
                        below=[["Table information:"]]),
                 counts=("Arrivals", "Departures"), words=(" ", "  "), ordered=True)


_SHEET = {"Type": ["Immigrants", "Immigrants", "Emigrants"], "Coverage": ["Both", "Both", "Foreigners"],
          "OdName": ["Chile", "Norway", "Namibia"], "AREA": [1, 2, 3], "AreaName": [""] * 3, "REG": [4, 5, 6],
          "RegName": [""] * 3, "DEV": [7, 8, 9], "DevName": [""] * 3, 1989.0: [3, 4, 5], 1990.0: ["..", 6, 7]}
_ABOVE = [[""] for _ in range(20)]
_ABOVE[16], _ABOVE[17] = ["Reporting country: Sweden"], ["Criterion: Residence"]
_OECD = [("POL", "B11", "DEU", 2005, 7), ("POL", "B12", "DEU", 2005, 3), ("NAM", "B11", "DEU", 2006, 9),
         ("TOT", "B11", "DEU", 2005, 16), ("MEX", "B11", "USA", 2007, 8)]
_SQUARE = [[9, 9, 9, 9, 9, 9], [9, 5, 4, 0, 9, 7], [9, 8, 9, 0, 9, 9], [9, 0, 0, 0, 9, 0], [9, 9, 9, 9, 9, 9],
           [9, 2, 9, 0, 9, 3]]

ENTRIES = (
    source("statsnz", {f"statsnz/ITM331901_20160816_{k}.csv": _nz(c) for k, c in enumerate(("Japan", "Namibia"))}),
    source("undesa_imfsc", {"undesa_imfsc_2015/Sweden.xlsx": Table(
        _SHEET, sheet_of(_ABOVE), codes=("OdName",), counts=(1989.0, 1990.0), words=("Type", "Coverage"),
        wrap=workbook("By residence"))}),
    source("oecd", {"oecd_mig/Backup.RData": Table(
        {"CO2": [r[0] for r in _OECD], "VAR": [r[1] for r in _OECD], "GEN": ["TOT"] * 5, "COU": [r[2] for r in _OECD],
         "YEA": [r[3] for r in _OECD], "Value": [r[4] for r in _OECD]}, rda_of("data_oecd"), codes=("CO2", "COU"),
        years=("YEA",), counts=("Value",), words=("VAR", "GEN"))}),
    source("eurostat", {"eurostat_migmod/mig_data.rda": Table(
        {"SEX": ["Total"] * 3, "Year": [2012, 2013, 2014], "Sending_iso3": ["POL", "POL", "FRA"],
         "Receiving_iso3": ["DEU", "DEU", "ITA"], "Immi": [100.0, None, 7.0], "Emig": [40.0, 50.0, None]},
        rda_of("mig_data"), codes=("Sending_iso3", "Receiving_iso3"), years=("Year",), counts=("Immi", "Emig"),
        words=("SEX",))}),
    source("meta", {f"meta/flows_{y}_{y + 1}.json": Document(
        {"AE": {"BD": 193352, "AE": -7, "XK": 60}, "NA": {"AE": 51, "FR": 80}}) for y in (2020, 2021)}),
    source("abel_cohen", {
        "abel_cohen/flow_mig_rate.json": Document(
            {"names": ["Africa", "Chad", "Sudan*", "Sudan", "America", "Peru"], "regions": [0, 4],
             "matrix": {"1990": _SQUARE, "1995": _SQUARE}}, free=("names", "regions")),
        "abel_cohen/abelCohen2019flowsv6_flowdt.csv": Table(
            {"year0": [1990, 1990, 1995], "orig": ["NAM", "CLI", "ZAF"], "dest": ["ZAF", "ZAF", "NAM"],
             "flow": [3, 9, 0]}, csv_of(), codes=("orig", "dest"), years=("year0",), counts=("flow",))}, share=0.5),
)
