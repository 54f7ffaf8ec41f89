"""The downloads of a page: all flows of the territory, and its net migration with each other one, as zipped CSV files;
and what the page says as JSON."""
import io
import json
import tempfile
import zipfile
from collections.abc import Iterable
from dataclasses import asdict
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .. import artifacts
from ..dataset import tables as dataset_tables
from ..dataset.answers import Answers
from ..dataset.grades import GRADES
from .tables import PROVENANCE, SIDES, Country, Groups

_EPOCH = (1980, 1, 1, 0, 0, 0)      # of files in an archive: the same bytes whenever it is made


def zipped_csv(answers: Answers, code: str) -> bytes:
    """Flows into and out of a territory as in the package of the dataset: a zip archive of one CSV file.

    Rows go by side, then other territory, then year: neighbours are alike, which compresses best.
    """
    table, origin, destination = _flows(answers)
    here = answers.store.position[code]
    rows = np.flatnonzero((origin == here) | (destination == here))
    order = np.lexsort((table["year"].to_numpy()[rows], destination[rows], origin[rows], origin[rows] == here))
    return _zip(table.take(pa.array(rows[order])), f"{code}.csv")


def zipped_pairs(answers: Answers, code: str) -> bytes:
    """Net migration with each other territory, and both directions together: a zip archive of one CSV file."""
    return _zip(dataset_tables.pairs(answers, code), f"{code}_pairs.csv")


def _zip(table: pa.Table, name: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        plain = dataset_tables.write_csv(table, Path(folder) / name)
        content = plain.read_bytes()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo(plain.name, _EPOCH), content, zipfile.ZIP_DEFLATED, 9)
    return buffer.getvalue()


@cache
def _flows(answers: Answers) -> tuple[pa.Table, np.ndarray, np.ndarray]:
    """All flows, and positions of their origins and destinations; once in each process."""
    table = dataset_tables.flows(answers)
    origin, destination = (pc.index_in(table[c].cast(pa.string()), pa.array(answers.codes)).to_numpy()
                           for c in ("origin", "destination"))
    return table, origin, destination


def write_json(country: Country, target: Path, about: dict) -> Path:
    """What a page says, in whole numbers of persons where they have no meaning beyond.

    Parameters
    ----------
    about : of the release: version, licence.
    """
    content = {
        "territory": country.code, "name": country.name, "region": country.region, "unit": "persons", **about,
        "totals": {"year": country.years, **{k: _listed(v) for k, v in country.totals.items()}},
        "year_of_corridors": country.years[-1],
        "corridors": {s: [_plain(asdict(c)) for c in country.corridors[s]] for s in SIDES},
        "born_elsewhere_by_birthplace": _group(country.born_elsewhere),
        "born_here_by_residence": _group(country.living_elsewhere)}
    if country.known:
        content |= {
            "share_by_who_counted": {s: dict(zip(PROVENANCE, (_listed(v, 4) for v in country.provenance[s])))
                                     for s in SIDES},
            "share_by_grade": {s: dict(zip(GRADES, (_listed(v, 4) for v in country.graded[s]))) for s in SIDES},
            "grade_of_half_or_better": country.typical}
    return artifacts.write_text(target, json.dumps(content, ensure_ascii=False, separators=(",", ":"),
                                                   allow_nan=False) + "\n")


def _group(groups: Groups) -> dict:
    return {"date": [f"{d}-01-01" for d in groups.dates], "total": _listed(groups.total),
            "largest": [{"territory": c, "name": n, "people": _listed(v)}
                        for c, n, v in zip(groups.codes, groups.names, groups.values)]}


def _listed(values: Iterable[float], digits: int = 1) -> list:
    return [_number(float(v), digits) for v in values]


def _number(value: float, digits: int = 1) -> float | int | None:
    if not np.isfinite(value):
        return None
    value = round(value, digits)
    return int(value) if value.is_integer() else value


def _plain(row: dict) -> dict:
    """Without what is not there; float32 in the digits that it was stored with."""
    return {k: _number(v, 4) if isinstance(v, float) else v for k, v in row.items() if v == v and v != ""}
