"""Eurostat's tables as delimited text."""
from ..samples import Table, csv_of, gz
from . import source


def _columns(names: str, rows: list[tuple]) -> dict[str, list]:
    return dict(zip(names.split("|"), map(list, zip(*rows, strict=True)), strict=True))


_LABELS = dict(codes=("Country of citizenship", "geo"), years=("year",), counts=("Migrants number",))
_CITIZENS = [("Ukraine", "Czechia", 2022, 307563), ("Total", "Czechia", 2022, 347429),
             ("Reporting country", "Czechia", 2022, 3031), ("Czechia", "Czechia", 2022, 3031),
             ("Stateless", "Czechia", 2022, 12), ("Southern Africa", "Czechia", 2022, 41),
             ("Kosovo*", "Austria", 2022, 900), ("Greenland", "Austria", 2022, 0), ("Bermuda", "Austria", 2022, 1),
             ("Serbia", "Austria", 1999, 0), ("Total", "Austria", 1999, 72723), ("Total", "Estonia", 2000, 0),
             ("Ukraine", "European Union - 27 countries (from 2020)", 2022, 9)]
_VALID = [("India", "Germany", 2019, 100000), ("Croatia", "Germany", 2015, 0), ("Kosovo*", "Germany", 2019, 200),
          ("Total", "Germany", 2019, 100236), ("Viet Nam", "Malta", 2022, 0), ("India", "Malta", 2022, 4)]
_PREVIOUS = [("GR", "UK", 2018, 500), ("PL", "DE", 2018, 0), ("OTHER", "DE", 2018, 355014),
             ("DE", "OTHER", 2005, 3), ("AT", "AT", 2018, 4), ("PL", "AT", 2009, 0), ("OTHER", "AT", 2018, 9)]
_PROTECTED = [("EL", "2022-11", 20000, "", "UA"), ("EL", "2022-12", 21315, "", "UA"),
              ("IE", "2022-12", 68475, "e", "UA"), ("CY", "2022-12", None, "", "UA")]
_EMIGRATION = [("AL", "AT", 2015, 107, "T"), ("TOTAL", "AT", 2015, 56689, "T"), ("NAT", "AT", 2015, 21000, "T"),
               ("NEU28_FOR", "AT", 2015, 18000, "T"), ("TOTAL", "EU27_2020", 2015, 9, "T"),
               ("AL", "EL", 2021, None, "T")]
_PERMITS = [("TOTAL", "AL", "EL", 2020, 7768), ("EDUC", "AL", "EL", 2020, 90), ("TOTAL", "TOTAL", "EL", 2020, 9999),
            ("TOTAL", "AL", "BE", 2025, 1236)]
_LABELLED = "Country of citizenship|geo|year|Migrants number"
_CODED = dict(codes=("citizen", "geo"), years=("TIME_PERIOD",), counts=("OBS_VALUE",))

ENTRIES = (
    source("eurostat_imm1ctz", {"eurostat_imm1ctz/immigration_by_citizenship.csv": Table(
        _columns(_LABELLED, _CITIZENS), csv_of(), **_LABELS)}),
    source("eurostat_resvalid", {"eurostat_resvalid/migrants_all_valid_permits.csv": Table(
        _columns(_LABELLED, _VALID), csv_of(), **_LABELS)}),
    source("eurostat_imm5prv", {"eurostat_imm5prv/immigration_bilateral_total.csv": Table(
        _columns("partner|geo|year|value", _PREVIOUS), csv_of(), codes=("partner", "geo"), years=("year",),
        counts=("value",))}),
    source("eurostat_asytpsm", {"eurostat_asytpsm/temporary_protection_beneficiaries_monthly.csv": Table(
        {**_columns("geo|TIME_PERIOD|OBS_VALUE|OBS_FLAG|citizen", _PROTECTED), "sex": ["T"] * 4, "age": ["TOTAL"] * 4,
         "unit": ["PER"] * 4}, csv_of(), codes=("geo",), counts=("OBS_VALUE",),
        words=("TIME_PERIOD", "citizen", "sex", "age", "unit"), free=("OBS_FLAG",))}),
    source("eurostat_albania", {
        "eurostat_albania/eurostat_albanian_citizens_emigration.csv.gz": Table(
            {**_columns("citizen|geo|TIME_PERIOD|OBS_VALUE|sex", _EMIGRATION), "age": ["TOTAL"] * 6,
             "unit": ["NR"] * 6}, csv_of(), **_CODED, words=("sex", "age", "unit"), wrap=gz),
        "eurostat_albania/eurostat_first_residence_permits_albania.csv.gz": Table(
            {**_columns("reason|citizen|geo|TIME_PERIOD|OBS_VALUE", _PERMITS), "duration": ["TOTAL"] * 4,
             "unit": ["PER"] * 4}, csv_of(), **_CODED, words=("reason", "duration", "unit"), wrap=gz)}),
)
