"""UN DESA, International Migrant Stock: who was born where and lives where, every five years and in 2024.

The source calls the birthplace an origin (``from``) and the residence ``geo``; both are renamed at the door. An absent
pair is unknown, not zero.
"""
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import DuplicateKeyError, NegativeCountError, SchemaError, SourceFileError, UnknownTerritoryError
from ..schema import validate
from ..territories import check_codes
from .cells import numbers, whole_numbers
from .omissions import Omissions
from .rdata_io import read_frame

OTHERS = "OOO"
# Residual "others", the Channel Islands as one, and the Holy See: in the source, not among the 231.
NOT_TERRITORIES = frozenset({OTHERS, "XCX", "VAT"})
OBJECTS = {2020: "undesa_stocks_2020", 2024: "undesa_stocks"}
_COLUMNS = ["geo", "t", "from", "sex", "n", "type_b", "type_c", "type_r", "type_i"]


def read_undesa_ims(paths: Iterable[Path], *, omitted: Omissions | None = None) -> dict[str, pd.DataFrame]:
    """Stocks of one or more revisions, both sexes together.

    Parameters
    ----------
    paths : files named ``…_<year>rev.rda``.
    omitted : collects what is left out.

    Returns
    -------
    dict
        ``stock``: ``definition`` is ``citizenship`` where the territory counts foreign citizens, ``foreign_born`` where
        it counts birthplaces, ``mixed`` where it does both, or neither and all is imputed from elsewhere; ``status`` is
        ``imputed`` where the source says that the territory has no data of its own. ``margin``: quantity stock, side
        residence, of source ``undesa_ims_<revision>``: all foreign-born of a territory (group total, whatever their
        birthplace) and those whose birthplace the source does not name (group others). Criterion is birthplace
        throughout: where a territory counts citizens instead, ``definition`` of its stocks says so.

    Raises
    ------
    SourceFileError, UnknownTerritoryError, NegativeCountError
    """
    omitted = Omissions() if omitted is None else omitted
    read = [_read(Path(path), omitted) for path in paths]
    return {table: pd.concat([r[table] for r in read], ignore_index=True) for table in ("stock", "margin")}


def world_total(path: Path, year: int) -> int:
    """All migrants of a year in one revision, others and the territories outside the 231 included."""
    frame = _raw(Path(path))
    return int(frame.loc[frame["t"] == year, "n"].sum())


def _revision(path: Path) -> int:
    found = re.search(r"(\d{4})rev", path.name)
    if not found or int(found[1]) not in OBJECTS:
        raise SourceFileError(path, "file name names no known revision", f"name it …_<year>rev.rda, year in "
                              f"{sorted(OBJECTS)}")
    return int(found[1])


def _raw(path: Path) -> pd.DataFrame:
    raw = read_frame(path, OBJECTS[_revision(path)], _COLUMNS)
    columns = {"t": whole_numbers(raw["t"], file=path)}
    for c in ("n", *(c for c in _COLUMNS if c.startswith("type_"))):
        columns[c] = numbers(raw[c], file=path)
    return raw.assign(**columns)


def _read(path: Path, omitted: Omissions) -> dict[str, pd.DataFrame]:
    raw = _raw(path)
    sexes = set(raw["sex"].unique())
    if sexes != {"female", "male"}:
        raise SourceFileError(path, f"sexes are {sorted(map(str, sexes))} instead of female and male",
                              "mend the reader: a row for both sexes would be counted twice")
    residence = check_codes(raw["geo"], file=path, outside=NOT_TERRITORIES)
    birthplace = check_codes(raw["from"], file=path, outside=NOT_TERRITORIES)
    own = residence & (raw["geo"] == raw["from"])
    if own.any():
        row = own.idxmax()
        raise UnknownTerritoryError(path, "a territory is listed among its own immigrants", "fetch the file again",
                                    key=f"row {row}: {raw.at[row, 'geo']}")
    keys = ["geo", "t", "from"]
    raw = _check_sexes(raw, path).assign(named=birthplace, others=raw["from"] == OTHERS)
    raw = omitted.keep(raw, residence, "residence outside the 231 territories", persons="n", year="t")
    margin = _margins(raw, path)
    raw = omitted.keep(raw[~raw["others"]], raw.loc[~raw["others"], "named"],
                       "birthplace outside the 231 territories", persons="n", year="t")
    frame = raw.groupby(keys, observed=True, as_index=False).agg(
        persons=("n", "sum"), type_b=("type_b", "max"), type_c=("type_c", "max"), type_i=("type_i", "max"))
    born, citizens = frame["type_b"].to_numpy() == 1, frame["type_c"].to_numpy() == 1
    frame = pd.DataFrame({
        "source": "undesa_ims", "revision": np.int64(_revision(path)), "year": frame["t"],
        "birthplace": frame["from"].astype(str), "residence": frame["geo"].astype(str),
        "persons": frame["persons"].astype("float64"),
        "definition": np.select([born & ~citizens, citizens & ~born], ["foreign_born", "citizenship"], "mixed"),
        "status": np.where(frame["type_i"] == 1, "imputed", "reported"),
    })
    return {"stock": validate(frame, "stock", file=path), "margin": margin}


def _margins(raw: pd.DataFrame, path: Path) -> pd.DataFrame:
    """All foreign-born of a territory, and those of no birthplace named, of one revision."""
    parts = []
    for group, rows in (("total", raw), ("others", raw[raw["others"]])):
        summed = rows.groupby(["geo", "t"], observed=True, as_index=False)["n"].sum()
        parts.append(pd.DataFrame({
            "source": f"undesa_ims_{_revision(path)}", "quantity": "stock", "side": "residence",
            "criterion": "birthplace", "territory": summed["geo"].astype(str), "group": group,
            "year": summed["t"].astype("int64"), "persons": summed["n"].astype("float64")}))
    return validate(pd.concat(parts, ignore_index=True), "margin", file=path)


def _check_sexes(raw: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Refuse a missing, negative or repeated row before the sexes are summed, where it would go unseen."""
    keys = ["geo", "t", "from", "sex"]
    for bad, kind, what in ((raw["n"].isna(), SchemaError, "missing count"),   # the other sex alone would be the sum
                            (raw["n"] < 0, NegativeCountError, "negative count"),
                            (raw.duplicated(keys), DuplicateKeyError, "duplicate key")):
        if bad.any():
            row = bad.idxmax()
            shown = ", ".join(f"{k}={raw.at[row, k]}" for k in keys)
            raise kind(path, what, "fetch the file again; if it is the registered one, mend the reader",
                       key=f"row {row}: {shown}")
    return raw
