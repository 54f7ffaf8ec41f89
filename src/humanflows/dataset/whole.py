"""Whether a release or package is whole: every file the one that is listed, and numbers that say the same everywhere.

What is made of a release (pages, packages, the explorer, the book) is made after this check, so that a file that was
altered, whether or not its digest was altered along, is found before anything is drawn from it. Added up again are

- net migration, from the flows: the difference is rounding alone;
- the totals of ``sums.csv``, from the flows, to the digits in which they are written;
- the facts that are totals or largest flows, to their digits and to what flows below half a person may hide;
- parts of ``birthplace.nc``: no more of a flow is born somewhere than moves;
- stocks, where there are flows by birthplace: of the people who live outside their birthplace, what neither moves nor
  is there a year later has died, which is few of them and never fewer than none.
"""
import hashlib
import io
import json
import re
import threading
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from .. import artifacts, paths
from ..errors import ArtifactError
from ..results.estimates import net_migration_of
from ..results.labels import LABEL
from ..results.released_sums import LOWER, TOLERANCE, UPPER, match_totals, totals_of
from .birthplace import ByBirthplace, parts_of
from .files import LEVELS, PLACES, Store
from .names import name

HIDDEN = 0.5                # persons: a flow below is stored as zero
ROUNDING = 2.0**-13         # of a stored flow
NET = 1e-6                  # of arrivals and departures together, beside a hundredth of a person
DEATHS = -0.05, 0.25        # share of the people who live outside their birthplace, of a territory in a year
FEW = 1000.0                # persons: deaths of fewer are not looked at; rounding weighs too much
REMEDY = "restore the folder from the repository, or make the release or package again"
_MILLION = re.compile(r"([\d.,]+) (million|thousand)")
_passed: dict[Path, tuple] = {}     # what each folder looked like when it was found whole
_alone = threading.Lock()


def check_release(folder: Path | str | None = None) -> None:
    """Check a release or package as a whole; again in the same process only where a file has changed.

    Parameters
    ----------
    folder : ``data/release`` by default.

    Raises
    ------
    ArtifactError
        Naming the file, what does not agree, and what to do, for the first of: no manifest, or one that does not say
        whether data are simulated; a file that is missing, not listed, or another one than the one that is listed;
        numbers that cannot be; and numbers of two files that do not agree.
    """
    folder = (Path(folder) if folder is not None else paths.RELEASE).resolve()
    seen = _stat(folder)
    with _alone:
        if seen and _passed.get(folder) == seen:
            return
    check_files(folder)
    store = Store(folder)
    for check in (_intervals, _net_migration, _sums, _facts, _birthplaces, _stocks):
        check(store)
    with _alone:
        _passed[folder] = seen


def _stat(folder: Path) -> tuple:
    return tuple((str(f.relative_to(folder)), *_times(f)) for f in artifacts.visible_files(folder))


def _times(file: Path) -> tuple[int, int, int]:
    about = file.stat()
    return about.st_size, about.st_mtime_ns, about.st_ino


def check_files(folder: Path) -> None:
    """Compare every file of a release or package with its manifest.

    Raises
    ------
    ArtifactError
        For the first that is missing, not listed or another one.
    """
    listed = Store(folder).manifest["files"]
    there = {f.relative_to(folder).as_posix(): f for f in artifacts.visible_files(folder)}
    there.pop("manifest.json", None)
    for which in sorted(listed.keys() - there.keys()):
        raise ArtifactError(folder / which, "the manifest lists it, but the file is missing", REMEDY, key=which)
    for which in sorted(there.keys() - listed.keys()):
        raise ArtifactError(there[which], "a file that the manifest does not list", f"remove it, or {REMEDY}",
                            key=which)
    for which, file in sorted(there.items()):
        with open(file, "rb") as handle:
            if hashlib.file_digest(handle, "sha256").hexdigest() != listed[which]:
                raise ArtifactError(file, "not the version that the manifest lists", REMEDY, key=which)


def _differ(store: Store, which: str, problem: str, key) -> ArtifactError:
    return ArtifactError(store.folder / which, problem, REMEDY, key=key)


def _where(store: Store, at: tuple[int, ...], dims: tuple[str, ...]) -> tuple:
    """Names of a cell."""
    names = {"year": store.years, "date_year": store.dates}
    return tuple(names.get(d, store.codes)[k] for d, k in zip(dims, at))


def _first(wrong: np.ndarray) -> tuple[int, ...]:
    return tuple(int(k) for k in np.argwhere(wrong)[0])


def _intervals(store: Store) -> None:
    """Read every variable, which checks it; an interval has two ends or none."""
    for variable in PLACES:
        if store.has(variable):
            store.array(variable)
    for variable in ("flow", "stock", "net_migration"):
        there = [store.has(f"{variable}_{end}") for end in ("lower", "upper")]
        if there[0] != there[1] or (all(there) and (wrong := np.isnan(store.array(f"{variable}_lower"))
                                                    != np.isnan(store.array(f"{variable}_upper"))).any()):
            key = _where(store, _first(wrong), PLACES[variable][1]) if all(there) else variable
            raise _differ(store, PLACES[variable][0][0], f"{variable} has one end of an interval without the other",
                          key)
        _nested(store, variable)


def _nested(store: Store, variable: str) -> None:
    """The 50% interval lies within the 80%, and that within the 95%."""
    ends = [f"{variable}_lower{k}" for k in LEVELS] + [f"{variable}_upper{k}" for k in reversed(LEVELS)]
    for low, high in pairwise([e for e in ends if store.has(e)]):
        with np.errstate(invalid="ignore"):
            wrong = store.array(low) > store.array(high)
        if wrong.any():
            raise _differ(store, PLACES[variable][0][0], f"{low} is above {high} in {int(wrong.sum()):,} cells",
                          _where(store, _first(wrong), PLACES[variable][1]))


def _net_migration(store: Store) -> None:
    flow, net = store.array("flow"), store.array("net_migration")
    turnover = flow.sum(1, dtype=np.float64) + flow.sum(2, dtype=np.float64)
    added = net_migration_of(flow)
    wrong = ~(np.abs(net - added) <= 0.01 + NET * turnover)
    if wrong.any():
        at = _first(wrong)
        raise _differ(store, "net_migration.nc", f"net migration is {net[at]:,.1f} where flows.nc adds up to "
                      f"{added[at]:,.1f}, and differs in {int(wrong.sum()):,} cells",
                      _where(store, at, ("year", "residence")))


def read_sums(store: Store) -> pd.DataFrame | None:
    """The table ``sums.csv`` of a release, which is the one that is listed; None where there is none."""
    if "sums.csv" not in store.manifest["files"]:
        return None
    try:
        return pd.read_csv(io.BytesIO(store.content("sums.csv")), keep_default_na=False, na_values=[""])
    except (ValueError, UnicodeDecodeError) as error:
        raise _differ(store, "sums.csv", f"not a table ({' '.join(str(error).split())[:100]})", "sums.csv") from error


def _sums(store: Store) -> None:
    sums = read_sums(store)
    if sums is None:
        return
    file = store.folder / "sums.csv"
    added = match_totals(sums, totals_of(store.array("flow"), store.years, store.codes), file)
    if LABEL in sums and (sums[LABEL] != store.data_kind).any():
        raise _differ(store, "sums.csv", f"its rows do not say that data are {store.data_kind}", LABEL)
    ends = [k for k in (*LOWER, "persons", *UPPER) if k in sums]
    for column in ends:
        if sums[column].dtype.kind not in "iuf" or not np.isfinite(sums[column]).all() or (sums[column] < 0).any():
            raise _differ(store, "sums.csv", "a number of persons is missing, infinite or negative", column)
    persons = sums["persons"].to_numpy()
    wrong = np.abs(persons - added) > HIDDEN * TOLERANCE + TOLERANCE * added
    if wrong.any():
        at = _first(wrong)[0]
        raise _differ(store, "sums.csv", f"a total of {persons[at]:,.1f} where flows.nc adds up to {added[at]:,.1f}, "
                      f"and {int(wrong.sum()):,} rows differ by more than {TOLERANCE:g} of it", _key(sums, at))
    for low, high in pairwise(ends):
        crossed = (sums[low] > sums[high] * (1 + TOLERANCE)).to_numpy()
        if crossed.any():
            raise _differ(store, "sums.csv", f"{low} is above {high}", _key(sums, _first(crossed)[0]))


def _key(sums: pd.DataFrame, at: int) -> tuple:
    return tuple(sums[["total", "origin", "destination", "year"]].iloc[at].tolist())


def _facts(store: Store) -> None:
    """Totals and the largest flow, as ``results.release.build_facts`` writes them."""
    if "facts.json" not in store.manifest["files"]:
        return
    try:
        facts = dict(json.loads(store.content("facts.json")))
    except (ValueError, TypeError, RecursionError) as error:
        raise _differ(store, "facts.json", f"not a list of facts ({type(error).__name__})", "facts.json") from error
    flow, n = store.array("flow"), len(store.codes)
    first, last = flow[0], flow[-1]
    o, d = np.unravel_index(last.argmax(), last.shape)
    hidden = [HIDDEN * (int((f == 0).sum()) - n) for f in (first, last)]
    texts = {"first_year": str(store.years[0]), "last_year": str(store.years[-1]),
             "largest_corridor": f"{name(store.codes[o])} to {name(store.codes[d])}"}
    numbers = {"flow_first_year": (first.sum(dtype=np.float64), hidden[0]),
               "flow_last_year": (last.sum(dtype=np.float64), hidden[1]),
               "largest_corridor_flow": (float(last[o, d]), 0.0)}
    for key, text in texts.items():
        if key in facts and facts[key] != text:
            raise _differ(store, "facts.json", f"it says {str(facts[key])[:80]!r} where flows.nc says {text!r}", key)
    for key, (value, less) in numbers.items():
        if key not in facts:
            continue
        found = _MILLION.fullmatch(str(facts[key]))
        unit = {"million": 1e6, "thousand": 1e3}[found[2]] if found else 1.0
        said = float(found[1].replace(",", "")) * unit if found else np.nan
        half = unit / 2 / (10 if found and "." in found[1] else 1)
        slack = half * 1.001 + ROUNDING * value
        if not value - slack <= said <= value + slack + less:
            raise _differ(store, "facts.json", f"it says {str(facts[key])[:80]!r} where flows.nc adds up to "
                          f"{value:,.0f}", key)


def _birthplaces(store: Store) -> None:
    if not (store.has("native_part") and store.has("return_part")):
        return
    parts = store.array("native_part").astype(np.int32) + store.array("return_part")
    wrong = parts > parts_of(store.array("flow")).transpose(1, 2, 0)
    if wrong.any():
        at = _first(wrong)
        raise _differ(store, "birthplace.nc", "more of a flow is born in its origin and destination than moves by "
                      f"flows.nc, in {int(wrong.sum()):,} cells", _where(store, at, ("origin", "destination", "year")))


def _stocks(store: Store) -> None:
    """Who is abroad on one 1 January and moved nowhere is there on the next, or died."""
    if not all(store.has(v) for v in ("native_part", "return_part", "presence", "leaning")):
        return
    reader, stock = ByBirthplace(store), store.array("stock")
    at_home = np.eye(len(store.codes), dtype=bool)
    for t in range(len(store.years)):
        arrivals, departures = reader.margins(t)
        lost = np.where(at_home, 0.0, stock[t] + arrivals - departures - stock[t + 1]).sum(0)
        abroad = np.where(at_home, 0.0, np.maximum(stock[t], stock[t + 1])).sum(0, dtype=np.float64)
        share = lost / np.maximum(abroad, FEW)
        wrong = (abroad > FEW) & ~((share >= DEATHS[0]) & (share <= DEATHS[1]))
        if wrong.any():
            k = _first(wrong)[0]
            raise _differ(store, "stocks.nc", f"of {abroad[k]:,.0f} people born elsewhere {lost[k]:,.0f} would have "
                          "died, by flows.nc and birthplace.nc", (store.years[t], store.codes[k]))
