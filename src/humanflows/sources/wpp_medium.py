"""UN World Population Prospects 2024, the medium projection: births, deaths, life expectancy, population after 2024.

Read for scenarios alone; what the model learns from is in ``sources/wpp.py`` and ends where estimates are wanted.
"""
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ..errors import SourceFileError
from ..territories import codes
from .wpp import LAST_ESTIMATE, _aggregates, _series

FILES = ("miscproj1dt.rda", "popproj1dt.rda", "e0proj1dt.rda", "UNlocations.txt")
LAST_YEAR = 2100
_THOUSAND = 1000.0


def read_medium(paths: Mapping[str, Path], years: Sequence[int],
                territories: Sequence[str] | None = None) -> dict[str, np.ndarray]:
    """Medium projection of every territory in the years wanted.

    Parameters
    ----------
    paths : file by name, the names being those of ``FILES``.
    years : consecutive calendar years after the last estimate.
    territories : alpha-3 codes in the order wanted; all 231 by default.

    Returns
    -------
    dict of ``births, deaths, population`` (persons; the population at the end of each year, that is on the next
    1 January) and ``life_expectancy`` (years, both sexes), each [year, territory].

    Raises
    ------
    SourceFileError
        For years that the projection does not have, or a file that is missing or damaged.
    """
    years, places = [int(y) for y in years], list(territories or codes())
    if not years or years[0] <= LAST_ESTIMATE or years[-1] > LAST_YEAR:
        raise SourceFileError("wpp2024", f"no projection of {years[:1]} to {years[-1:]}",
                              f"ask for years {LAST_ESTIMATE + 1} to {LAST_YEAR}", key=str(years[:1]))
    absent = [name for name in FILES if name not in paths]
    if absent:
        raise SourceFileError(absent[0], "file of the World Population Prospects not given", "fetch the group wpp2024")
    aggregates = _aggregates(paths["UNlocations.txt"])
    misc, population, life = (_series(paths[f"{name}.rda"], name, columns, aggregates) for name, columns in {
        "miscproj1dt": ["births", "deaths"], "popproj1dt": ["popM", "popF"], "e0proj1dt": ["e0B"]}.items())
    wide = {"births": misc["births"] * _THOUSAND, "deaths": misc["deaths"] * _THOUSAND,
            "population": population.sum(axis=1, skipna=False) * _THOUSAND, "life_expectancy": life["e0B"]}
    out = {}
    for name, series in wide.items():
        table = series.unstack("territory").reindex(index=years, columns=places)
        if table.isna().any().any():
            year, place = np.argwhere(table.isna().to_numpy())[0]
            raise SourceFileError("wpp2024", f"{name} is missing", "fetch the files again",
                                  key=f"{places[place]}, {years[year]}")
        out[name] = table.to_numpy(np.float64)
    return out
