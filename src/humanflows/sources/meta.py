"""Meta's estimates of migration between 181 countries, 2019–2022, from the use of Facebook.

``flows_2019_2020.json`` holds the year 2019: {destination: {origin: persons}}, alpha-2 codes. A transition count:
people who lived in one country before and in another after. The same country on both sides is that country's net
migration, not a flow.
"""
import math
import re
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from ..errors import SchemaError, SourceFileError, UnknownTerritoryError
from ..schema import validate
from ..territories import from_iso2
from . import omissions
from .cells import load_json
from .omissions import Omissions

SOURCE = "meta"
REPORTER = "META"  # no office reports these numbers
CENSORED_BELOW = 50  # persons; smaller flows are left out of the files, so absence is a small number, not a zero
OUTSIDE = frozenset({"XK"})  # Kosovo
_NAME = re.compile(r"flows_(\d{4})_(\d{4})\.json$")


def read_meta(paths: Iterable[Path], *, omitted: Omissions | None = None) -> pd.DataFrame:
    """Flows between countries of every file.

    Parameters
    ----------
    paths : files named ``flows_Y_Y+1.json``; each speaks of the calendar year Y.

    Returns
    -------
    DataFrame
        Table ``flow``: reporter ``META``, side both, criterion residence, flow_type transition.

    Raises
    ------
    SourceFileError, SchemaError, UnknownTerritoryError, NegativeCountError, DuplicateKeyError
        Naming the file and the corridor.
    """
    omitted = Omissions() if omitted is None else omitted
    frames = [_read_year(Path(path), omitted) for path in paths]
    if not frames:
        raise SourceFileError(SOURCE, "no file given", "pass the paths of flows_Y_Y+1.json")
    return validate(pd.concat(frames, ignore_index=True), "flow", file=SOURCE)


def _read_year(path: Path, omitted: Omissions) -> pd.DataFrame:
    match = _NAME.search(path.name)
    if not match or int(match[2]) != int(match[1]) + 1:
        raise SourceFileError(path, "name does not tell the year", "name it flows_Y_Y+1.json, as published")
    table = load_json(path)
    if not isinstance(table, dict) or not table or not all(isinstance(origins, dict) for origins in table.values()):
        raise SchemaError(path, "no mapping of destinations to origins", "fetch it again")
    codes = from_iso2()
    rows = []
    for destination, origins in table.items():
        for origin, persons in origins.items():
            for code in (destination, origin):
                if code not in codes and code not in OUTSIDE:
                    raise UnknownTerritoryError(path, f"unknown alpha-2 code {code!r}", "mend it, or declare it in "
                                                "meta.OUTSIDE", key=f"corridor {origin}-{destination}")
            if isinstance(persons, bool) or not isinstance(persons, (int, float)) or not abs(persons) < math.inf:
                raise SchemaError(path, f"{persons!r} is no number of persons", "fetch it again",
                                  key=f"corridor {origin}-{destination}")
            rows.append((origin, destination, float(persons)))
    frame = pd.DataFrame(rows, columns=["origin", "destination", "persons"]).astype({"persons": float})
    frame = frame.assign(source=SOURCE, reporter=REPORTER, side="both", criterion="residence", flow_type="transition",
                         year=int(match[1]))
    # Net migration is no number of people who moved: its rows are counted without persons.
    frame = omitted.keep(frame, frame["origin"] != frame["destination"], omissions.BALANCE, persons=None)
    frame = omitted.keep(frame, ~(frame["origin"].isin(OUTSIDE) | frame["destination"].isin(OUTSIDE)),
                         omissions.OUTSIDE)
    frame = frame.assign(origin=frame["origin"].map(codes), destination=frame["destination"].map(codes))
    return validate(frame, "flow", file=path)
