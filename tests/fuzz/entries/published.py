"""The published estimates that are compared with."""
import pandas as pd

from humanflows.sources.published import (
    REGION_ROWS,
    read_published_flows,
    read_published_net_migration,
    read_published_stocks,
)
from humanflows.territories import codes, name

from ..samples import Document, Grid, netcdf3
from . import Entry

_REST = iter([name(c) for c in codes()])
_NAMES = ["Region" if i in REGION_ROWS else next(_REST) for i in range(242)]
_MATRIX = [[(7 * i + j) % 11 if i % 30 == 1 and j % 30 == 2 else 0 for j in range(242)] for i in range(242)]
_INDEX = "gaskin_abel/published/indexes-regions.json"
_FILES = {_INDEX: Document({"names": _NAMES, "regions": list(REGION_ROWS)}, free=("names", "regions"))}


def _square(kind: str, reader) -> Entry:
    file = f"gaskin_abel/published/{kind}/1990.json"

    def read(places) -> pd.DataFrame:
        return reader([places[file]], places[_INDEX]).to_series().dropna().rename("persons").reset_index()

    return Entry(f"published_{kind}", {**_FILES, file: Document({"matrix": _MATRIX})}, read, modules=("published",))


def _net(places) -> pd.DataFrame:
    return read_published_net_migration(places["net_migration.nc"]).to_dataframe().dropna().reset_index()


ENTRIES = (
    _square("flows", read_published_flows),
    _square("stocks", read_published_stocks),
    Entry("published_net_migration", {"net_migration.nc": Grid(
        {"Year": [1990, 1991], "Country ISO": ["USA", "NAM"]},
        {k: (("Year", "Country ISO"), [[1, 2], [3, 4]]) for k in ("mean", "std")}, netcdf3, signed=("mean", "std"))},
        _net, modules=("published",)),
)
