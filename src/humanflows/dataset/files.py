"""The door to the files of a release: what is read is what its manifest lists, in a format that this version knows."""
import hashlib
import json
from pathlib import Path

import netCDF4
import numpy as np

from .. import paths
from ..errors import ArtifactError
from ..results.birthplace_ends import KINDS, SHARES_FROM

FORMAT = 1      # of the files; a release without the number is of the first
_AGAIN = "restore data/release from the repository, or make the release or the package again"

# Where each variable lies (the first file that has it), and its dimensions. Those of CORE are always there.
CORE = ("flow", "stock", "net_migration")
_FLOW, _FACTOR = ("year", "origin", "destination"), ("birthplace", "origin", "year")
_STOCK = ("date_year", "birthplace", "residence")
PLACES = {
    "flow": (("flows.nc",), _FLOW), "flow_lower": (("flows.nc",), _FLOW), "flow_upper": (("flows.nc",), _FLOW),
    "flow_spread": (("flows.nc",), _FLOW), "flow_seen": (("flows.nc",), _FLOW),
    "spoke": (("flows.nc", "sources.nc"), _FLOW),
    "stock": (("stocks.nc",), _STOCK), "stock_lower": (("stocks.nc",), _STOCK), "stock_upper": (("stocks.nc",), _STOCK),
    "net_migration": (("net_migration.nc",), ("year", "residence")),
    "net_migration_lower": (("net_migration.nc",), ("year", "residence")),
    "net_migration_upper": (("net_migration.nc",), ("year", "residence")),
    "native_part": (("birthplace.nc",), ("origin", "destination", "year")),
    "return_part": (("birthplace.nc",), ("origin", "destination", "year")),
    "share_spread": (("birthplace.nc",), ("kind", "share_from")),
    "presence": (("birthplace.nc",), _FACTOR), "leaning": (("birthplace.nc",), ("birthplace", "destination", "year")),
}


class Store:
    """The variables of a release or package, each read when first asked for, then kept.

    Parameters
    ----------
    folder : with ``manifest.json`` and the files that it lists; ``data/release`` by default.

    Raises
    ------
    ArtifactError
        When there is no manifest, it is not readable, or it is of another format.
    """

    def __init__(self, folder: Path | str | None = None):
        self.folder = Path(folder) if folder is not None else paths.RELEASE
        self.manifest = self._read_manifest()
        self._arrays: dict[str, np.ndarray] = {}
        self._about: dict[str, dict] = {}
        self._whole: set[str] = set()
        self._holds: dict[str, frozenset[str]] = {}     # variables of files that were opened
        with self._open("flows.nc") as data:
            self._holds["flows.nc"] = frozenset(data.variables)
            try:
                self.years = [int(y) for y in data["year"][:]]
                self.codes = tuple(str(c) for c in data["origin"][:])
                other = tuple(str(c) for c in data["destination"][:])
            except (IndexError, KeyError, ValueError) as error:
                raise ArtifactError(self.folder / "flows.nc", "it holds no years or territories", _AGAIN) from error
        consecutive = self.years and self.years == list(range(self.years[0], self.years[-1] + 1))
        if not consecutive or not self.codes or other != self.codes:
            raise ArtifactError(self.folder / "flows.nc", "its years are not consecutive, or origins and destinations "
                                "are not the same territories", _AGAIN)
        self.dates = [*self.years, self.years[-1] + 1]
        self.position = {c: k for k, c in enumerate(self.codes)}

    def _read_manifest(self) -> dict:
        file = self.folder / "manifest.json"
        if not file.is_file():
            raise ArtifactError(file, "there is no release here", "name a folder with a release or package, or run "
                                "humanflows release --profile world")
        try:
            manifest = json.loads(file.read_text(encoding="utf-8"))
            files, version = dict(manifest["files"]), int(manifest.get("format", 1))
        except (ValueError, KeyError, TypeError, UnicodeDecodeError) as error:
            raise ArtifactError(file, f"not a manifest of a release ({type(error).__name__})", _AGAIN) from error
        if version != FORMAT:
            raise ArtifactError(file, f"files of format {version}, this version of humanflows reads format {FORMAT}",
                                "install the version of humanflows that the release names, or take the present release")
        return {**manifest, "files": files}

    def _open(self, which: str) -> netCDF4.Dataset:
        file = self.folder / which
        if not file.is_file():
            raise ArtifactError(file, "the file is missing", _AGAIN)
        if which not in self._whole:
            with open(file, "rb") as handle:
                same = hashlib.file_digest(handle, "sha256").hexdigest() == self.manifest["files"].get(which)
            if not same:
                raise ArtifactError(file, "not the version that the release's manifest lists", _AGAIN, key=which)
            self._whole.add(which)
        try:
            return netCDF4.Dataset(file)
        except OSError as error:
            raise ArtifactError(file, f"not readable as NetCDF ({error.strerror or error})", _AGAIN) from error

    def _file_of(self, name: str) -> str | None:
        for which in PLACES[name][0]:
            if which in self.manifest["files"]:
                if which not in self._holds:
                    with self._open(which) as data:
                        self._holds[which] = frozenset(data.variables)
                if name in self._holds[which]:
                    return which
        return None

    def has(self, name: str) -> bool:
        """Whether the release holds a variable of ``PLACES``."""
        return name in self._arrays or self._file_of(name) is not None

    def array(self, name: str) -> np.ndarray:
        """A whole variable with the dimensions of ``PLACES``.

        Raises
        ------
        ArtifactError
            When its file is missing, not the one listed, or of other dimensions.
        """
        if name not in self._arrays:
            which, dims = self._file_of(name), PLACES[name][1]
            if which is None:
                raise ArtifactError(self.folder / PLACES[name][0][-1], f"the release does not hold {name}",
                                    "take a later release", key=name)
            with self._open(which) as data:
                variable = data.variables[name]
                variable.set_auto_mask(False)
                sizes = {"year": len(self.years), "date_year": len(self.dates), "kind": len(KINDS),
                         "share_from": len(SHARES_FROM)}
                shape = tuple(sizes.get(d, len(self.codes)) for d in dims)
                if variable.dimensions != dims or variable.shape != shape:
                    raise ArtifactError(self.folder / which, f"{name} has dimensions {variable.dimensions} of "
                                        f"{variable.shape}, expected {dims} of {shape}", _AGAIN, key=name)
                self._about[name] = {k: variable.getncattr(k) for k in variable.ncattrs()}
                self._arrays[name] = variable[:]
        return self._arrays[name]

    def about(self, name: str) -> dict:
        """Attributes of a variable."""
        self.array(name)
        return self._about[name]
