"""The door to the files of a release: what is read is what its manifest lists, in a format that this version knows."""
import hashlib
import json
import threading
from pathlib import Path

import numpy as np

from .. import paths
from ..errors import ArtifactError
from ..hdf5 import Arrays
from ..results.birthplace_ends import KINDS, SHARES_FROM
from ..results.labels import LABEL, SIMULATED, kind_of
from ..results.released_values import check_codes, check_end, check_names, check_values, check_years

FORMATS = (1, 2)        # of the files; a release without the number is of the first
LEVELS = ("", "80", "50")       # of intervals, beginning with 95%; format 2 has the others
ENDS = tuple(f"{end}{level}" for level in LEVELS for end in ("lower", "upper"))
MOST_BYTES = 1 << 29        # of one file; those of a release have 6 MB
_AGAIN = "restore data/release from the repository, or make the release or the package again"

# Where each variable lies (the first file that has it), and its dimensions. Those of CORE are always there.
CORE = ("flow", "stock", "net_migration")
_FLOW, _FACTOR = ("year", "origin", "destination"), ("birthplace", "origin", "year")
_STOCK = ("date_year", "birthplace", "residence")
PLACES = {
    "flow": (("flows.nc",), _FLOW), **{f"flow_{end}": (("flows.nc",), _FLOW) for end in ENDS},
    "flow_spread": (("flows.nc",), _FLOW), "flow_seen": (("flows.nc",), _FLOW),
    "flow_evidence": (("flows.nc",), _FLOW),
    "spoke": (("flows.nc", "sources.nc"), _FLOW),
    "stock": (("stocks.nc",), _STOCK), **{f"stock_{end}": (("stocks.nc",), _STOCK) for end in ENDS},
    "net_migration": (("net_migration.nc",), ("year", "residence")),
    **{f"net_migration_{end}": (("net_migration.nc",), ("year", "residence")) for end in ENDS},
    "native_part": (("birthplace.nc",), ("origin", "destination", "year")),
    "return_part": (("birthplace.nc",), ("origin", "destination", "year")),
    "share_spread": (("birthplace.nc",), ("kind", "share_from")),
    "presence": (("birthplace.nc",), _FACTOR), "leaning": (("birthplace.nc",), ("birthplace", "destination", "year")),
}


class Store:
    """The variables of a release or package, each read and checked when first asked for, then kept.

    Files are read into memory as a whole: no file stays open, and what is read is what was compared with the manifest.
    May be used by several threads.

    Parameters
    ----------
    folder : with ``manifest.json`` and the files that it lists; ``data/release`` by default.

    Raises
    ------
    ArtifactError
        When there is no manifest, it is not readable, or it is of another format; and, here or when a file is first
        used, when the file is damaged, not the one listed, or holds what estimates cannot be.
    """

    def __init__(self, folder: Path | str | None = None):
        self.folder = Path(folder) if folder is not None else paths.RELEASE
        self.manifest = self._read_manifest()
        self.data_kind = kind_of(self.manifest["profile"], self.folder / "manifest.json")
        self._alone = threading.RLock()
        self._arrays: dict[str, np.ndarray] = {}
        self._about: dict[str, dict] = {}
        self._files: dict[str, Arrays] = {}
        self.codes, self.years = (), []
        flows, file = self._file("flows.nc"), self.folder / "flows.nc"
        if not {"year", "origin", "destination"} <= flows.names:
            raise ArtifactError(file, "it holds no years or territories", _AGAIN)
        self.codes, self.years = flows.texts("origin"), self._years(flows, "year")
        check_codes(self.codes, file, _AGAIN)
        check_years(self.years, file, _AGAIN)
        self.dates = [*self.years, self.years[-1] + 1]
        self.position = {c: k for k, c in enumerate(self.codes)}
        self._check_coordinates("flows.nc", flows)

    @property
    def simulated(self) -> bool:
        """Whether the release is of the simulated world."""
        return self.data_kind == SIMULATED

    def _read_manifest(self) -> dict:
        file = self.folder / "manifest.json"
        if not file.is_file():
            raise ArtifactError(file, "there is no release here", "name a folder with a release or package, or run "
                                "humanflows release --profile world")
        try:
            manifest = json.loads(file.read_text(encoding="utf-8"))
            files, version = dict(manifest["files"]), int(manifest.get("format", 1))
            profile = manifest.get("profile") or dict(manifest.get("made_from") or {}).get("profile")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ArtifactError(file, f"not a manifest of a release ({type(error).__name__})", _AGAIN) from error
        if version not in FORMATS:
            raise ArtifactError(file, f"files of format {version}, this version of humanflows reads formats "
                                f"{' and '.join(map(str, FORMATS))}",
                                "install the version of humanflows that the release names, or take the present release")
        check_names(files, file, _AGAIN)
        return {**manifest, "format": version, "files": files, "profile": profile if isinstance(profile, str) else None}

    def content(self, which: str) -> bytes:
        """Bytes of a file, which is the one that the manifest lists.

        Raises
        ------
        ArtifactError
            When it is missing, not listed, too large, or another one.
        """
        file = self.folder / which
        if not file.is_file():
            raise ArtifactError(file, "the file is missing", _AGAIN, key=which)
        if file.stat().st_size > MOST_BYTES:
            raise ArtifactError(file, f"a file of more than {MOST_BYTES:,} bytes", _AGAIN, key=which)
        content = file.read_bytes()
        if hashlib.sha256(content).hexdigest() != self.manifest["files"].get(which):
            raise ArtifactError(file, "not the version that the release's manifest lists", _AGAIN, key=which)
        return content

    def _file(self, which: str) -> Arrays:
        with self._alone:
            if which not in self._files:
                arrays = Arrays(self.content(which), self.folder / which, _AGAIN)
                said = arrays.attributes().get(LABEL)
                if said is not None and said != self.data_kind:
                    raise ArtifactError(self.folder / which, f"it says of itself: {said}; the manifest: "
                                        f"{self.data_kind}", _AGAIN, key=LABEL)
                if self.codes:
                    self._check_coordinates(which, arrays)
                self._files[which] = arrays
            return self._files[which]

    def _years(self, arrays: Arrays, name: str) -> list[int]:
        values = arrays.numbers(name) if arrays.shape(name)[0] <= 10_000 else np.zeros(0)
        return [int(y) for y in values] if values.dtype.kind in "iu" else []

    def _check_coordinates(self, which: str, arrays: Arrays) -> None:
        """Every file has the territories and years of the flows, in the same order."""
        wanted = {"year": self.years, "date_year": self.dates,
                  **{d: list(self.codes) for d in ("origin", "destination", "birthplace", "residence")}}
        used = {d for n in arrays.names & set(PLACES) for d in arrays.dims(n)} & set(wanted)
        for name in sorted(used):
            there = name in arrays.names
            found = self._years(arrays, name) if there and name.endswith("year") else \
                list(arrays.texts(name)) if there else None
            if found != wanted[name]:
                raise ArtifactError(self.folder / which, f"{name} is not that of the flows" if there else
                                    f"it does not say what its {name} are", _AGAIN, key=name)

    def _file_of(self, name: str) -> str | None:
        for which in PLACES[name][0]:
            if which in self.manifest["files"] and name in self._file(which).names:
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
            When its file is missing, not the one listed, or of other dimensions, or it holds what it cannot be: flows
            that are missing, infinite or negative, ends of intervals on the wrong side of the estimate.
        """
        with self._alone:
            if name not in self._arrays:
                self._read(name)
            return self._arrays[name]

    def _read(self, name: str) -> None:
        which, dims = self._file_of(name), PLACES[name][1]
        if which is None:
            raise ArtifactError(self.folder / PLACES[name][0][-1], f"the release does not hold {name}",
                                "take a later release", key=name)
        arrays, file = self._file(which), self.folder / which
        sizes = {"year": len(self.years), "date_year": len(self.dates), "kind": len(KINDS),
                 "share_from": len(SHARES_FROM)}
        shape = tuple(sizes.get(d, len(self.codes)) for d in dims)
        if arrays.dims(name) != dims or arrays.shape(name) != shape:
            raise ArtifactError(file, f"{name} has dimensions {arrays.dims(name)} of {arrays.shape(name)}, expected "
                                f"{dims} of {shape}", _AGAIN, key=name)
        values = arrays.numbers(name)
        check_values(name, values, file, _AGAIN)
        if name.endswith(("_lower", "_upper")):
            check_end(name, values, self.array(name.rsplit("_", 1)[0]), file, _AGAIN)
        values.setflags(write=False)        # what is handed out is what every other question is answered from
        self._about[name], self._arrays[name] = arrays.attributes(name), values

    @property
    def format(self) -> int:
        """Of the files: 2 where the release has 80 and 50% intervals and classes of evidence."""
        return self.manifest["format"]

    def about(self, name: str) -> dict:
        """Attributes of a variable."""
        self.array(name)
        return self._about[name]
