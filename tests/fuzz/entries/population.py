"""World Population Prospects: the estimates, and the medium projection that scenarios read."""
import pandas as pd

from humanflows.sources.wpp_medium import FILES, read_medium
from humanflows.territories import codes, from_m49

from ..samples import Table, csv_of, rda_of
from . import Entry, source

_M49 = {code: number for number, code in from_m49().items()}
_PLACES = [*(_M49[c] for c in codes()), 900]      # and the world
_CODE = dict(years=("year",))


def _series(name: str, years: tuple[int, ...], *columns: str, signed: tuple[str, ...] = ()) -> Table:
    rows = [(place, year) for place in _PLACES for year in years]
    values = {c: [1.0 + k % 7 + (1000 if c == "popM" else 0) for k in range(len(rows))] for c in columns}
    return Table({"country_code": [p for p, _ in rows], "year": [y for _, y in rows], **values}, rda_of(name),
                 counts=tuple(set(columns) - set(signed)), signed=signed, **_CODE)


_PAST, _FUTURE = (2022, 2023), (2024, 2025)
_LOCATIONS = Table({"country_code": _PLACES, "name": ["a place"] * len(_PLACES),
                    "location_type": [4] * len(codes()) + [1]}, csv_of("\t"), counts=("country_code",))
_PROSPECTS = {
    "wpp2024/misc1dt.rda": _series("misc1dt", _PAST, "births", "deaths", "PopChange", signed=("PopChange",)),
    "wpp2024/miscproj1dt.rda": _series("miscproj1dt", _FUTURE, "births", "deaths", "PopChange", signed=("PopChange",)),
    "wpp2024/mig1dt.rda": _series("mig1dt", _PAST, "mig", signed=("mig",)),
    "wpp2024/migproj1dt.rda": _series("migproj1dt", _FUTURE, "mig", signed=("mig",)),
    "wpp2024/e01dt.rda": _series("e01dt", _PAST, "e0B"), "wpp2024/e0proj1dt.rda": _series("e0proj1dt", _FUTURE, "e0B"),
    "wpp2024/popproj1dt.rda": _series("popproj1dt", _FUTURE, "popM", "popF"), "wpp2024/UNlocations.txt": _LOCATIONS,
    "wdi/gdidata_wdi.rda": Table(
        {"geo": [*codes(), *codes(), "GGY"], "var": ["pop"] * (2 * len(codes()) + 1),
         "t": [2022] * len(codes()) + [2023] * (len(codes()) + 1), "v": [1e6] * (2 * len(codes()) + 1)},
        rda_of("wdi"), codes=("geo",), years=("t",), counts=("v",))}


def _medium(places) -> pd.DataFrame:
    read = read_medium({k.rpartition("/")[2]: v for k, v in places.items()}, [2025], ["IND", "NAM"])
    return pd.DataFrame({k: v[0] for k, v in read.items()}, index=["IND", "NAM"]).rename_axis("place").reset_index()


ENTRIES = (
    source("wpp", _PROSPECTS, share=0.5),
    Entry("wpp_medium", {f"wpp2024/{k}": _PROSPECTS[f"wpp2024/{k}"] for k in FILES}, _medium,
          modules=("wpp_medium",), named=("wpp2024",)),
)
