"""Tables of single national offices."""
from humanflows.sources import cso_ireland, ons_uk, scb_sweden, statsnz_citizenship, uk_nino

from ..samples import Table, csv_of
from . import Entry, source, tabled


def _columns(names: tuple[str, ...], rows: list[tuple]) -> dict[str, list]:
    return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))


_SWEDEN = [(b, s, y, o, n) for b, y, o, n in (
    ("total", 2023, "Immigrations", 100), ("Syrian Arab Republic", 2023, "Immigrations", 30),
    ("Syrian Arab Republic", 2024, "Emigrations", 70), ("Sweden", 2023, "Emigrations", 20),
    ("Yugoslavia", 2023, "Immigrations", 4), ("Serbia", 2005, "Immigrations", 0)) for s in ("men", "women")]
_MONTHS = [f"{y}-{m:02d}-01" for y in (2001, 2002, 2003) for m in range(1, 13)][:29]
_ZEALAND = [(when, 10, side, label) for label, side in (
    ("India", "Arrivals"), ("New Zealand", "Departures"), ("Asia", "Arrivals"), ("India", "Net")) for when in _MONTHS]
_KINGDOM = [("Nigeria", 2023, 165000, 73000, 88000, 4000), ("USA", 2023, 19000, 8000, 7000, 4000)]
_NUMBERS = Table(_columns(uk_nino.COLUMNS, [(2022, "IND", 50, 100), (2022, "unknown", 5, 100), (2023, "IND", 60, 120)]),
                 csv_of(), codes=("nationality",), years=("year",), counts=("registrations", "total"))
_TO, _OF, _NET = "Emigrants: All destinations", "Immigrants: All origins", "Net migration"
_IRELAND = [(2023, "United Kingdom (1)", "Both sexes", _OF, "Thousand", 18.4),
            (2023, "United Kingdom (1)", "Male", _OF, "Thousand", 9.4),
            (2023, "United Kingdom (1)", "Both sexes", _TO, "Thousand", 14.6),
            (2023, "United Kingdom (1)", "Both sexes", _NET, "Thousand", -3.8),
            (2023, "Canada", "Both sexes", _OF, "Thousand", None),
            (2023, "All countries", "Both sexes", _OF, "Thousand", 141.6)]
_DENMARK = Table({"label": ["Poland", "Kosovo", "GDR", "Palestine", "Stateless", "Gambia, The"],
                  "persons": [45780, 5, 0, 0, 9, 8]}, csv_of(head=False), codes=("label",), counts=("persons",),
                 ordered=True)

ENTRIES = (
    source("scb_sweden", {"scb_sweden/sweden_immigration.csv": Table(
        _columns(scb_sweden.COLUMNS, _SWEDEN), csv_of(), codes=("country of birth",), years=("year",),
        counts=(scb_sweden.COLUMNS[-1],), words=("sex", "observations"))}),
    source("statsnz_citizenship", {"statsnz_2001_2026/df_citizenship_direction_20260728.csv": Table(
        _columns(statsnz_citizenship.COLUMNS, _ZEALAND), csv_of(), codes=("Citizenship",), counts=("Count",),
        words=("Month", "Direction"))}),
    source("ons_uk", {"ons_uk/immigration-by-country.csv": Table(
        _columns(ons_uk.COLUMNS, _KINGDOM), csv_of(), codes=("Country",), years=("Year",),
        counts=("All-reasons", *ons_uk.REASONS))}),
    Entry("uk_nino", {"uk_national_insurance.csv": _NUMBERS},
          lambda places: tabled(uk_nino.read_uk_nino(places["uk_national_insurance.csv"])), ("flow", "margin"),
          ("uk_nino",)),
    source("cso_ireland", {"cso_ireland/CSO_PEA18_Migration_Sex_Country.csv": Table(
        _columns(cso_ireland.COLUMNS, _IRELAND), csv_of(), codes=("Country",), years=("Year",), counts=("VALUE",),
        words=("Sex", "Origin or Destination", "UNIT"))}),
    source("dst_denmark", {f"dst_denmark/{side}.csv": _DENMARK for side in ("immigration", "emigration")}),
)
