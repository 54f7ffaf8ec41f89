"""Trade, visas, democracy."""
import numpy as np
import pandas as pd

from humanflows import paths

from ..samples import Grid, Table, csv_of, matlab, rda_of
from . import source

_ORDER = pd.read_csv(paths.DATA / "baci_order.csv", keep_default_na=False)["iso3"].tolist()
_CUBE = np.zeros((len(_ORDER), len(_ORDER), 21))
_CUBE[_ORDER.index("MEX"), _ORDER.index("USA")] = np.linspace(5, 9, 21)
_CUBE[_ORDER.index("USA"), _ORDER.index("MEX")] = 3.0
_LABELS = ["MEX", "USA", "NAM"]

ENTRIES = (
    source("trade", {
        "trade/DatiProcessati.mat": Grid({}, {"MatriceEx": (("o", "d", "y"), _CUBE)}, matlab),
        "trade/trade_cepii.csv": Table({"0": [None, 4.0, 0.0], "1": [6.0, None, 2.0], "2": [1.0, None, None]},
                                       csv_of(), counts=("0", "1", "2"), ordered=True),
        "trade/country_labels.csv": Table({"iso3": _LABELS, "iso_code": [1, 2, 3]}, csv_of(), codes=("iso3",),
                                          ordered=True),
        "trade/cow_trade_ddy.rds": Table(
            {"ccode1": [2, 70, 2, 2], "ccode2": [70, 2, 345, 365], "year": [1995, 2001, 1991, 1992],
             "flow1": [5.0, 4.0, 9.0, -9.0]}, rda_of(None), years=("year", "ccode1", "ccode2"),
            counts=("flow1",))}, share=0.5),
    source("visa", {"extras/passport-index-tidy-iso3.csv": Table(
        {"Passport": ["FRA", "FRA", "NAM", "FRA", "VAT"], "Destination": ["DEU", "USA", "FRA", "FRA", "FRA"],
         "Requirement": ["90", "eta", "visa required", "-1", "visa free"]}, csv_of(),
        codes=("Passport", "Destination"), words=("Requirement",))}),
    source("vdem", {"extras/vdem_simple.rda": Table(
        {"country_text_id": ["RUS", "RUS", "RUS", "UKR", "TKM", "DEU", "DDR"],
         "year": [1984, 1989, 1990, 1990, 1990, 1990, 1989],
         "v2x_polyarchy": [0.5, 0.2, 0.3, 0.4, None, 0.9, 0.1], "v2x_libdem": [0.5, 0.1, 0.2, 0.3, None, 0.8, 0.1]},
        rda_of("vdem_simple"), codes=("country_text_id",), years=("year",),
        signed=("v2x_polyarchy", "v2x_libdem"))}),
)
