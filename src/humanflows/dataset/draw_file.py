r"""Draws of the world in a compact file, ``draws.nc``: what a draw says of a corridor, relative to the released flow.

Of every corridor whose released flow reaches ``LEAST`` persons in some year, each draw x is stored as whole steps of
its log ratio to the released flow c,

.. math:: k = [\log(\max(x, f) / \max(c, f)) / s], \quad x ≈ \max(c, f) \exp(k s), \quad f = ``FLOOR``.

The step s of a corridor-year is ``STEPS_PER_DEVIATION`` to a root mean square of the log ratios over the draws, so that
rounding (a variance of s²/12) adds a hundredth to the variance of the draws where nothing else bounds it; it lies
between ``FINEST`` and ``COARSEST``. A fixed step would hide how sure a well reported corridor is, and waste room on one
that nobody reports. Steps are stored as differences from the year before, modulo 256.

The parts of a total may be much less sure than the total. So each draw's arrivals and departures of every territory are
stored beside, in steps of ``TOTAL_STEP``: sums over the whole world on one side are taken from these.
"""
from collections.abc import Iterable, Sequence
from pathlib import Path

import netCDF4
import numpy as np

from .. import artifacts
from ..errors import ArtifactError, InputError, SchemaError
from ..hdf5 import Arrays
from .files import Store
from .inputs import quoted
from .names import name

FILE = "draws.nc"
FORMAT = 1
LEAST = 10.0                # persons: a corridor that never has so many has no draws of its own
FLOOR = 0.25                # persons
SMALLEST = 0.5              # persons: less is zero, as in released flows
FINEST, COARSEST = 0.005, 0.2       # of log
STEPS_PER_DEVIATION = 3.0
TOTAL_STEP = 2e-5           # of log: net migration is a small difference of two totals
ROWS = 256                  # corridors a chunk: one corridor is read from one
MOST_DRAWS = 1000
_AGAIN = "restore data/release from the repository, or make the release again"
_CUTS = np.array([1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 40])     # steps, multiples of FINEST


def write_draws(draws: Iterable[np.ndarray], centre: np.ndarray, years: Sequence[int], codes: Sequence[str],
                file: Path, *, release: str, about: dict | None = None) -> Path:
    """Write draws of flows beside a release.

    Parameters
    ----------
    draws : each (year, origin, destination), persons; taken one at a time.
    centre : (year, origin, destination), persons: ``flow`` of the ``flows.nc`` beside it, to its bits.
    years, codes : of these dimensions.
    file : to write.
    release : sha256 of that ``flows.nc``.
    about : further global attributes.

    Returns
    -------
    The file.

    Raises
    ------
    SchemaError
        For no draw, one of another shape, or one with persons that are missing, infinite or negative; for a centre that
        has nowhere ``LEAST`` persons.
    """
    centre = np.asarray(centre, np.float64)
    if centre.shape != (len(years), len(codes), len(codes)) or not np.isfinite(centre).all() or (centre < 0).any():
        raise SchemaError(file, f"a centre of {centre.shape} for {len(years)} years and {len(codes)} territories, or "
                          "with persons that are missing or negative", "give the released flows", key="centre")
    origin, destination = active_corridors(centre)
    if not len(origin):
        raise SchemaError(file, f"no corridor has {LEAST:g} persons", "give flows in persons", key="centre")
    base = np.maximum(centre[:, origin, destination].T, FLOOR)              # (corridor, year)
    totals = {"arrivals": np.maximum(centre.sum(1), 1.0), "departures": np.maximum(centre.sum(2), 1.0)}
    fine, kept = [], {k: [] for k in totals}
    for number, draw in enumerate(draws, start=1):
        draw = np.asarray(draw)
        if draw.shape != centre.shape or not np.isfinite(draw).all() or (draw < 0).any():
            raise SchemaError(file, f"draw {number} of {draw.shape}, expected {centre.shape} with persons that are "
                              "neither missing, infinite nor negative", "give draws of the released flows", key=number)
        ratio = np.log(np.maximum(draw[:, origin, destination].T, FLOOR) / base)
        fine.append(np.rint(ratio / FINEST).astype(np.int16))
        for key, axis in (("arrivals", 1), ("departures", 2)):
            persons = np.maximum(draw.sum(axis, dtype=np.float64), 1.0)
            kept[key].append(np.rint(np.log(persons / totals[key]) / TOTAL_STEP).astype(np.int32))
    if not fine:
        raise SchemaError(file, "no draw", "give at least one")
    fine = np.stack(fine, axis=1)                                           # (corridor, draw, year)
    cut = _steps(fine)
    levels = np.empty(fine.shape, np.int8)
    for at in range(0, len(fine), ROWS):
        part = slice(at, at + ROWS)
        levels[part] = _coded(fine[part], cut[part], file)
    outside = float(centre.sum() - centre[:, origin, destination].sum())
    attributes = {
        "Conventions": "CF-1.11", "title": "Draws of migration flows", "format": np.int32(FORMAT), "release": release,
        "least_persons": LEAST, "floor_persons": FLOOR, "total_step": TOTAL_STEP, "finest_step": FINEST,
        "corridors_left_out": np.int32(len(codes) * (len(codes) - 1) - len(origin)),
        "share_of_persons_left_out": outside / centre.sum(),
        "comment": "draw = max(flow, floor_persons) * exp(finest_step * step * k), k = level accumulated over years "
                   "modulo 256 as int8; arrivals and departures: max(total of flow, 1) * exp(total_step * value)"}
    _write(file, {**attributes, **(about or {})}, years, codes, {
        "origin": (("corridor",), origin.astype(np.int16), None, "position of the territory of origin"),
        "destination": (("corridor",), destination.astype(np.int16), None, "position of the territory of destination"),
        "step": (("corridor", "year"), cut, None, "step of log, in multiples of finest_step"),
        "level": (("corridor", "draw", "year"), levels, (min(ROWS, len(fine)), *fine.shape[1:]),
                  "steps of the log ratio to the released flow, less those of the year before"),
        **{k: (("draw", "year", "territory"), np.stack(v), None, f"steps of the log ratio of {k} to the released")
           for k, v in kept.items()}})
    return file


def active_corridors(centre: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions (origin, destination) of corridors whose flow (year, origin, destination) reaches ``LEAST``."""
    reach = np.asarray(centre).max(0) >= LEAST
    np.fill_diagonal(reach, False)
    return np.nonzero(reach)


def _steps(fine: np.ndarray) -> np.ndarray:
    """Step of each corridor-year as a multiple of ``FINEST``: uint8 (corridor, year)."""
    out = np.empty((fine.shape[0], fine.shape[2]), np.uint8)
    for at in range(0, len(fine), ROWS):
        part = fine[at:at + ROWS].astype(np.float32)
        deviation = np.sqrt(((part - part.mean(1, keepdims=True))**2).mean(1))
        which = np.searchsorted(_CUTS, deviation / STEPS_PER_DEVIATION, side="right") - 1
        # No level may lie beyond a byte, however far the draws lie from the centre.
        which = np.maximum(which, np.searchsorted(_CUTS, np.abs(part).max(1) / 126, side="left"))
        out[at:at + ROWS] = _CUTS[np.clip(which, 0, len(_CUTS) - 1)]
    return out


def _coded(fine: np.ndarray, cut: np.ndarray, file: Path) -> np.ndarray:
    level = np.rint(fine / cut[:, None].astype(np.float32)).astype(np.int16)
    if np.abs(level).max() > 127:
        raise SchemaError(file, f"a draw lies a factor of exp({127 * COARSEST:g}) from the centre",
                          "check that both are persons")
    return np.diff(level, axis=2, prepend=np.int16(0)).astype(np.int8)      # wraps around, and so does the sum


def _write(file: Path, attributes: dict, years, codes, variables: dict) -> None:
    sizes = {"corridor": len(variables["origin"][1]), "draw": variables["level"][1].shape[1], "year": len(years),
             "territory": len(codes)}
    with artifacts.atomic(file) as temporary, netCDF4.Dataset(temporary, "w", format="NETCDF4") as data:
        data.setncatts(attributes)
        for dim, size in sizes.items():
            data.createDimension(dim, size)
        data.createVariable("year", "i4", ("year",))[:] = np.asarray(years)
        data.createVariable("territory", str, ("territory",))[:] = np.array(codes, dtype=object)
        data["territory"].long_name = "ISO 3166-1 alpha-3, in the order of origin, destination and territory"
        for key, (dims, values, chunks, text) in variables.items():
            stored = data.createVariable(key, values.dtype, dims, zlib=True, complevel=9, shuffle=True,
                                         chunksizes=chunks or values.shape, fill_value=False)
            stored.long_name = text
            stored[:] = values


class DrawFile:
    """The draws beside a release; corridors are read when they are asked for, from the chunks that hold them.

    May be used by several threads.

    Parameters
    ----------
    store : of the release.

    Raises
    ------
    ArtifactError
        When the release has no draws; when the file is damaged, not the one that the manifest lists, of another format
        or of another release; and, here or later, when what it holds are no draws of the released flows.
    """

    def __init__(self, store: Store):
        self._store, self.file = store, store.folder / FILE
        if FILE not in store.manifest["files"]:
            raise ArtifactError(self.file, "the release holds no draws", "take release 3 or a later one",
                                key=FILE)
        self._arrays = Arrays(store.content(FILE), self.file, _AGAIN)
        about = self._arrays.attributes()
        found = about.get("format")
        if not isinstance(found, np.integer) or int(found) != FORMAT:
            raise ArtifactError(self.file, f"draws of format {quoted(found)}, this version of humanflows reads format "
                                f"{FORMAT}", "install the version of humanflows that the release names", key="format")
        if about.get("release") != store.manifest["files"].get("flows.nc"):
            raise ArtifactError(self.file, "these are draws of another release: flows.nc beside them is not the one "
                                "that they were made for", _AGAIN, key="release")
        self._check(about)

    def _refuse(self, problem: str, key) -> ArtifactError:
        return ArtifactError(self.file, problem, _AGAIN, key=key)

    def _check(self, about: dict) -> None:
        arrays, codes, years = self._arrays, self._store.codes, self._store.years
        wanted = {"year", "territory", "origin", "destination", "step", "level", "arrivals", "departures"}
        if wanted - arrays.names:
            raise self._refuse("not a file of draws: a variable is missing", sorted(wanted - arrays.names)[0])
        told = arrays.texts("territory")
        for code in told:
            if code not in self._store.position:
                raise self._refuse(f"the code {quoted(code)} is not a territory of the release", code)
        if told != tuple(codes):
            raise self._refuse("its territories are not those of flows.nc", "territory")
        if arrays.shape("year") != (len(years),) or arrays.numbers("year").tolist() != list(years):
            raise self._refuse("its years are not those of flows.nc", "year")
        shape = arrays.shape("level")
        sizes = dict(zip(("corridor", "draw", "year"), (*shape, 0, 0, 0)))
        if len(shape) != 3 or not 0 < sizes["draw"] <= MOST_DRAWS or sizes["year"] != len(years) or not shape[0]:
            raise self._refuse(f"levels of {shape} for {len(years)} years", "level")
        expected = {"origin": (shape[0],), "destination": (shape[0],), "step": (shape[0], len(years)),
                    **dict.fromkeys(("arrivals", "departures"), (shape[1], len(years), len(codes)))}
        for key, size in expected.items():
            if arrays.shape(key) != size:
                raise self._refuse(f"{key} of {arrays.shape(key)}, expected {size}", key)
        steps = [about.get(k) for k in ("finest_step", "total_step", "floor_persons")]
        if not all(isinstance(s, np.floating) and 0 < s < 1 for s in steps):
            raise self._refuse("it does not say how large its steps are", "finest_step")
        self._finest, self._total_step, self._floor = map(float, steps)
        self.number = int(shape[1])
        self._step = arrays.numbers("step")
        self._o, self._d = (arrays.numbers(k).astype(int) for k in ("origin", "destination"))
        n = len(codes)
        if min(self._o.min(), self._d.min()) < 0 or max(self._o.max(), self._d.max()) >= n \
                or (self._o == self._d).any():
            raise self._refuse("corridors of territories that are not there", "origin")
        self._row = np.full((n, n), -1)
        self._row[self._o, self._d] = np.arange(shape[0])
        if (self._row >= 0).sum() != shape[0]:
            raise self._refuse("a corridor stands there twice", "origin")

    @property
    def left_out(self) -> tuple[int, float]:
        """How many corridors have no draws of their own, and their share of all persons that move."""
        about = self._arrays.attributes()
        return int(about["corridors_left_out"]), float(about["share_of_persons_left_out"])

    def has(self, origin, destination) -> np.ndarray:
        """Whether corridors, by positions, have draws of their own."""
        return self._row[origin, destination] >= 0

    def corridor(self, origin: int, destination: int, at: np.ndarray) -> np.ndarray:
        """Draws of one corridor: (draw, year), persons.

        Parameters
        ----------
        origin, destination : positions of territories.
        at : positions of years.

        Raises
        ------
        InputError
            For a corridor that is too small to have draws of its own.
        """
        row = int(self._row[origin, destination])
        if row < 0:
            codes = self._store.codes
            raise InputError(self.file, f"{name(codes[origin])} to {name(codes[destination])} has no draws of its own: "
                             f"its flow is below {LEAST:g} persons in all years", "ask for a sum that holds it, or for "
                             "its estimate (flow)", key=f"{codes[origin]}-{codes[destination]}")
        return self._decoded(np.array([row]))[0][:, at]

    def corridors(self, origins: np.ndarray, destinations: np.ndarray, at: np.ndarray) -> np.ndarray:
        """Draws of corridors: (corridor, draw, year), persons; those without draws of their own stay as released.

        Parameters
        ----------
        origins, destinations : positions, one each for every corridor.
        at : positions of years.
        """
        rows = self._row[origins, destinations]
        centre = self._store.array("flow")[:, origins, destinations].T.astype(np.float64)[:, at]
        out = np.repeat(centre[:, None], self.number, 1)
        out[rows >= 0] = self._decoded(rows[rows >= 0])[:, :, at]
        return out

    def total(self, origins: np.ndarray, destinations: np.ndarray, at: np.ndarray) -> np.ndarray:
        """Draws of all that move from any of some territories to any of others: (draw, year), persons.

        Where all territories stand on one side the sum is of stored totals. Corridors without draws of their own count
        as released.

        Parameters
        ----------
        origins, destinations : positions of territories, each once.
        at : positions of years.
        """
        n = len(self._store.codes)
        if len(origins) == n:
            return self._totals("arrivals")[:, :, destinations].sum(2)[:, at]
        if len(destinations) == n:
            return self._totals("departures")[:, :, origins].sum(2)[:, at]
        flow, square = self._store.array("flow"), np.ix_(origins, destinations)
        rows = self._row[square]
        left = (rows < 0)[None] * flow[(slice(None), *square)].astype(np.float64)
        out = np.repeat(left.sum((1, 2))[None, at], self.number, 0)
        rows = np.sort(rows[rows >= 0])
        for k in range(0, len(rows), 4 * ROWS):         # a few at a time: all would take gigabytes
            out += self._decoded(rows[k:k + 4 * ROWS])[:, :, at].sum(0)
        return out

    def _totals(self, key: str) -> np.ndarray:
        centre = self._store.array("flow").sum(1 if key == "arrivals" else 2, dtype=np.float64)
        return np.maximum(centre, 1.0) * np.exp(self._total_step * self._arrays.numbers(key))

    def _decoded(self, rows: np.ndarray) -> np.ndarray:
        """(row, draw, year), persons."""
        level = np.cumsum(self._arrays.rows("level", rows), axis=2, dtype=np.int8)
        base = np.maximum(self._store.array("flow")[:, self._o[rows], self._d[rows]].T, self._floor)
        step = self._finest * self._step[rows].astype(np.float64)
        persons = base[:, None] * np.exp(step[:, None] * level)
        return np.where(persons < SMALLEST, 0.0, persons)
