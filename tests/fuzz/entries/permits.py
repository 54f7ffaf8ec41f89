"""Visas, permits, applications and events at borders."""
import pandas as pd

from humanflows.sources import ircc_tr
from humanflows.sources.iom_gdidata import MONTHLY, TWICE

from ..samples import Table, csv_of, rda_of, sheet_of, workbook
from . import source

_CANADA = [(2022, m, c, n) for m in ircc_tr.MONTHS for c, n in (("India", 100), ("Nevis", "--"), ("Other", 5))]
_PERMITS = Table({**dict(zip(ircc_tr.COLUMNS, map(list, zip(*_CANADA)))), "FR_MOIS": ["mois"] * len(_CANADA)},
                 csv_of("\t"), codes=("EN_COUNTRY_OF_CITIZENSHIP",), years=("EN_YEAR",), counts=("TOTAL",),
                 words=("EN_MONTH",))
_FIRST = "Fiscal Year 2023"
_VISAS = {_FIRST: ["India", "Taiwan", "Kosovo", "Totals for Asia"], "B1/B2": [100, 4, 1, 105],
          "F1": [130730, 3, 6, 130739], "H-1B": [9, None, 2, 11], "Grand Total": [130839, 7, 9, 130855]}
_APPLICATIONS = [(2015, "SYR", "DEU", "G", "N", "NA", "P", 158657), (2015, "SYR", "DEU", "G", "A", "JR", "P", 900),
                 (2015, "CHN", "USA", "G", "N", "IN", "C", 1000), (2001, "IRQ", "GBR", "G", "V", "FI", "C", 400),
                 (2018, "XXA", "DEU", "G", "N", "FI", "P", 11), (2025, "SYR", "DEU", "G", "N", "FI", "P", 23256)]
_APPLIED = ["year", "coo_iso", "coa_iso", "procedure_type", "app_type", "dec_level", "app_pc", "applied"]
_SOLUTIONS = {"year": [2024, 2024, 1990], "coo_iso": ["SSD", "SSD", "AFG"], "coa_iso": ["SDN", "USA", "UNK"],
              "returned_refugees": [292919.0, None, 40.0], "resettlement": [None, 1256.0, None],
              "naturalisation": [None, 17.0, None], "returned_idps": [None, None, 5.0]}
_DISPLACED = dict(codes=("coo_iso", "coa_iso"), years=("year",))


def _day(year: int, month: int = 1) -> int:
    return (pd.Timestamp(year, month, 1) - pd.Timestamp(1970, 1, 1)).days


def _events(name: str) -> Table:
    breakdown = MONTHLY[name][2] if name in MONTHLY else ["route", "type"]
    when = [_day(2022, m) for m in range(1, 13)]
    columns = {"t": [*when, _day(2018, 5)], "nat": [*["VEN"] * 12, "OOO"],
               **{c: ["x"] * 13 for c in breakdown}, "n": [10.0] * 13}
    return Table(columns, rda_of(name), codes=("nat",), years=() if name == "irreg_darien_nat" else ("t",),
                 counts=("n",), ordered=name in TWICE)      # in these a nationality may stand twice


_APPLICANTS = Table({"geo": ["DEU", "DEU", "EU27", "DEU"], "t": [2022] * 4, "nat": ["SYR", "SYR", "SYR", "XKX"],
                     "sex": ["female", "male", "male", "male"], "n": [20.0, 45.0, 900.0, 5.0]}, rda_of("eu_asyapp"),
                    codes=("geo", "nat"), years=("t",), counts=("n",), words=("sex",))

ENTRIES = (
    source("us_niv", {"us_niv/FYs97-24_NIVDetailTable.xlsx": Table(
        _VISAS, sheet_of(), codes=(_FIRST,), parts=("F1", "H-1B"), wrap=workbook("FY23"))}),
    source("ircc_tr", {f"ircc_tr/ODP-TR-{k}.csv": _PERMITS
                       for k in ("Study-IS_CITZ", "Work-IMP-CITZ", "Work-TFWP-CITZ")}),
    source("unhcr_more", {
        "unhcr_more/asylum_applications.rda": Table(
            dict(zip(_APPLIED, map(list, zip(*_APPLICATIONS)))), rda_of("asylum_applications"), **_DISPLACED,
            counts=("applied",), words=tuple(_APPLIED[3:7])),
        "unhcr_more/solutions.rda": Table(_SOLUTIONS, rda_of("solutions"), **_DISPLACED,
                                          counts=("returned_refugees", "resettlement"))}),
    source("iom_gdidata", {**{f"iom_gdidata/{name}.rda": _events(name) for name in (*MONTHLY, "frontex")},
                           "iom_gdidata/eu_asyapp.rda": _APPLICANTS}, share=0.5),
)
