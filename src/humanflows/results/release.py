"""The results of a run of the real world, compact enough to be committed, and the door through which readers open them.

Flows, stocks and net migration, the weights, the score tables, what the twelve corridors' figure needs, figures that
need source files as the run drew them, and the facts that prose may quote. Nothing in here is anybody else's table.
"""
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from .. import artifacts, paths
from ..config import Config
from ..errors import ArtifactError
from ..hdf5 import Arrays
from ..territories import name
from .errors import TABLES as ERROR_TABLES
from .estimates import net_migration_of
from .headline import Headline, score_facts
from .labels import LABEL, SIMULATED, attributes_of, kind_of
from .protocol_tables import Collected, file_name
from .released_sums import LOWER, UPPER, add_again
from .released_values import check_codes, check_values

LICENCE = "CC BY 4.0"
FORMAT = 1          # of the release's files; raised when a reader of older ones would misread them
TABLES = ("scores", "net_migration_scores", "stock_scores", "world_totals", "five_year_scores", "five_year_totals",
          "witnesses", *ERROR_TABLES)
ENSEMBLE_TABLES = ("coverage", "interval_variants", "sums", "ensemble_scores")
SMALLEST = 0.5      # persons; a flow or stock below half a person is stored as zero
BITS = 13           # of a stored number's fraction: it is off by 0.006 per cent at most, and compresses well
END_BITS = 6        # of those of ends of intervals, which are rounded outwards, by 1.6 per cent at most
MEMBERS = "members"     # folder of the ensemble's packed weights


@dataclass(frozen=True)
class Together:
    """What an ensemble brings to a release."""

    estimates: xr.Dataset                       # mean of its members
    bounds: xr.Dataset                          # ends of 95% intervals, see ``write_estimates_of``
    tables: Mapping[str, pd.DataFrame]          # by name, those of ``ENSEMBLE_TABLES``
    pack: Callable[[Path], Iterable[Path]]      # writes the members' packed weights into a folder
    about: Mapping                              # for the manifest: members, and what made them


def release_file(which: str, folder: Path | None = None) -> Path:
    """Path of a file of the release, which must exist.

    Raises
    ------
    ArtifactError
        When it does not.
    """
    return artifacts.require((folder or paths.RELEASE) / which, "humanflows release --profile world")


def open_release(folder: Path | None = None) -> xr.Dataset:
    """The released estimates: ``flow(year, origin, destination)``, ``stock(date_year, birthplace, residence)``,
    ``net_migration(year, residence)``, persons.

    Raises
    ------
    ArtifactError
        When a file is missing or is not the one that the release's manifest lists.
    """
    folder = folder or paths.RELEASE
    listed = json.loads(release_file("manifest.json", folder).read_text(encoding="utf-8"))["files"]
    parts, remedy = [], "restore data/release from the repository, or make the release again"
    for which in ("flows.nc", "stocks.nc", "net_migration.nc"):
        file = release_file(which, folder)
        content = file.read_bytes()
        if hashlib.sha256(content).hexdigest() != listed.get(which):
            raise ArtifactError(file, "the file is not the one that the release's manifest lists", remedy, key=which)
        parts.append(_read(Arrays(content, file, remedy), file, remedy))
    return xr.merge(parts, join="exact", combine_attrs="drop_conflicts")


def _read(arrays: Arrays, file: Path, remedy: str) -> xr.Dataset:
    """A released file as a Dataset in memory, its numbers and codes checked."""
    variables, coordinates = {}, {}
    for which in sorted(arrays.names):
        dims = arrays.dims(which)
        if dims == (which,):
            coordinates[which] = arrays.numbers(which) if which.endswith("year") else np.array(arrays.texts(which))
            if not which.endswith("year"):
                check_codes(coordinates[which].tolist(), file, remedy)
        else:
            values = arrays.numbers(which)
            check_values(which, values, file, remedy)
            about = {k: v for k, v in arrays.attributes(which).items() if k != "_FillValue"}
            variables[which] = (dims, values, about)
    return xr.Dataset(variables, coordinates, arrays.attributes())


def open_flows(folder: Path) -> xr.DataArray:
    """Flows of a release that is being written, before there is a manifest."""
    file = folder / "flows.nc"
    return _read(Arrays(file.read_bytes(), file, "make the release again"), file, "make the release again")["flow"]


def compact(values: np.ndarray) -> np.ndarray:
    """Round to ``BITS`` binary digits and drop what is smaller than ``SMALLEST``; float32."""
    return _rounded(np.where(values < SMALLEST, 0.0, values), BITS, np.rint)


def compact_end(values: np.ndarray, *, upper: bool) -> np.ndarray:
    """Round ends of intervals outwards, to ``END_BITS`` binary digits; float32. Signs are kept."""
    return _rounded(values, END_BITS, np.ceil if upper else np.floor)


def _rounded(values: np.ndarray, bits: int, how) -> np.ndarray:
    """Fractions of so many binary digits: what is rounded stays as it is when it is rounded again."""
    fraction, exponent = np.frexp(np.asarray(values, dtype=np.float64))     # 0.5 <= |fraction| < 1
    return np.ldexp(how(fraction * 2.0 ** (bits + 1)), exponent - bits - 1).astype(np.float32)


def write_estimates_of(estimates: xr.Dataset, folder: Path, bounds: xr.Dataset | None = None, *,
                       profile: str = "world") -> None:
    """Write flows, stocks and net migration; net migration is taken from the flows as stored, so it sums to zero.

    Parameters
    ----------
    estimates : ``flow, stock, net_migration``, see ``results.estimates``.
    folder : of the release.
    bounds : ends of 95% intervals, ``flow_lower, flow_upper, stock_lower, …``, on some or all years of the estimates,
        and ``flow_seen``, what was seen of each corridor and year; those that there are.
    profile : whose the estimates are; the files say whether they are simulated.
    """
    about = {"licence": LICENCE, "creator": "humanflows", "method": "factorised recurrent stock-flow network after "
             "Gaskin & Abel (2026)", "precision": f"{BITS} binary digits, zero below {SMALLEST} persons",
             **attributes_of(profile)}
    flow = estimates.flow.copy(data=compact(estimates.flow.values))
    stock = estimates.stock.copy(data=compact(estimates.stock.values))
    net = estimates.net_migration.copy(data=net_migration_of(flow.values))
    for which, array in (("flows.nc", flow), ("stocks.nc", stock), ("net_migration.nc", net)):
        parts = {array.name: array, **_ends(array, bounds)}
        artifacts.write_netcdf(xr.Dataset(parts).assign_attrs(about), folder / which, compress=9)


def _ends(array: xr.DataArray, bounds: xr.Dataset | None) -> dict[str, xr.DataArray]:
    """The ends of an array's intervals, rounded outwards, never inside of the number itself."""
    out = {}
    for end, upper in (("lower", False), ("upper", True)):
        if bounds is not None and (name := f"{array.name}_{end}") in bounds:
            given = bounds[name].transpose(*array.dims)
            middle = array.sel({d: given[d] for d in array.dims}).values
            values = compact_end(given.values, upper=upper)
            values = np.maximum(values, middle) if upper else np.minimum(values, middle)
            about = {"units": "persons", "long_name": f"{end} end of the 95% interval of {array.name}"}
            out[name] = given.copy(data=values.astype(np.float32)).assign_attrs(about)
    if bounds is not None and (name := f"{array.name}_seen") in bounds:
        out[name] = bounds[name]
    return out


def protocols_made(folder: Path, collected: Collected | None, inputs: Mapping, *, fresh: bool) -> dict | None:
    """What the release's manifest says of the tables of the validation protocols.

    Parameters
    ----------
    folder : the release, whose manifest is the earlier one.
    collected : new tables; without them the earlier entry is carried on.
    inputs : of the weights that are released, as their manifest has them.
    fresh : whether present settings, data and code would make these weights, as the protocols' are made.

    Returns
    -------
    dict: what made the tables, and ``of_this_release``: whether protocols and estimates were made alike. None where
    the release has no such tables.
    """
    if collected:
        return {**collected.made, "of_this_release": fresh}
    if not (folder / file_name("scores")).is_file():
        return None
    file = folder / "manifest.json"
    earlier = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    entry = earlier.get("protocols") or {}
    same = artifacts.digest(earlier.get("inputs")) == artifacts.digest(dict(inputs))
    return {**entry, "of_this_release": same and bool(entry.get("of_this_release"))}


def write_manifest(folder: Path, config: Config, inputs: dict, *, protocols: dict | None = None,
                   ensemble: Mapping | None = None) -> Path:
    """List every file of the release with its sha256, and what made them.

    ``protocols`` as :func:`protocols_made`; ``ensemble`` as :class:`Together` has it.
    """
    return _list_files(folder, {
        "format": FORMAT, "profile": config.profile, LABEL: kind_of(config.profile, folder), "seed": config.seed,
        "licence": LICENCE, "inputs": inputs, **({"ensemble": dict(ensemble)} if ensemble else {}),
        **({"protocols": protocols} if protocols else {})})


def _list_files(folder: Path, about: Mapping) -> Path:
    files = {f.relative_to(folder).as_posix(): artifacts.sha256(f) for f in artifacts.visible_files(folder)
             if f != folder / "manifest.json"}
    about = {**about, "files": files, "bytes": sum((folder / f).stat().st_size for f in files)}
    return artifacts.write_text(folder / "manifest.json", json.dumps(about, indent=1) + "\n")


def renew_sums(folder: Path | None = None) -> tuple[int, int]:
    """Add up the totals of a release's ``sums.csv`` again from its flows, and list the table anew.

    Parameters
    ----------
    folder : of the release, whose files are those that its manifest lists, but for ``CHANGELOG.md``.

    Returns
    -------
    int, int : how many totals changed by more than a twentieth, and how many rows had an end of an interval moved.

    Raises
    ------
    ArtifactError
        When another file is not the one that is listed.
    """
    folder = folder or paths.RELEASE
    file, manifest = folder / "sums.csv", _whole_manifest(folder, {"CHANGELOG.md"})
    before = pd.read_csv(file, keep_default_na=False, na_values=[""])
    after = add_again(before, open_flows(folder))
    artifacts.write_text(file, after.to_csv(index=False, float_format="%.6g"))
    _list_files(folder, manifest)
    ends = [k for k in (*LOWER, *UPPER) if k in before]
    return (int((np.abs(after["persons"] - before["persons"]) > 0.05 * before["persons"]).sum()),
            int((after[ends] != before[ends]).any(axis=1).sum()))


def add_table(which: str, table: pd.DataFrame, folder: Path | None = None) -> Path:
    """Write a table into a release that is there, and list it in the release's manifest.

    Parameters
    ----------
    which : name of the file.
    table : written without its index.
    folder : of the release, whose other files are those that its manifest lists, but for ``CHANGELOG.md``.

    Raises
    ------
    ArtifactError
        When another file is not the one that is listed.
    """
    folder = folder or paths.RELEASE
    manifest = _whole_manifest(folder, {"CHANGELOG.md", which})
    file = artifacts.write_text(folder / which, table.to_csv(index=False, float_format="%.6g"))
    _list_files(folder, manifest)
    return file


def _whole_manifest(folder: Path, but: set[str]) -> dict:
    """The manifest of a release whose files, but for some, are those that it lists."""
    manifest = json.loads(release_file("manifest.json", folder).read_text(encoding="utf-8"))
    for which, wanted in manifest["files"].items():
        if which not in but and artifacts.sha256(release_file(which, folder)) != wanted:
            raise ArtifactError(folder / which, "the file is not the one that the release's manifest lists",
                                "restore data/release from the repository", key=which)
    return manifest


def build_facts(estimates: xr.Dataset, headline: Headline, panel: xr.Dataset, seconds: float) -> dict:
    """The numbers that prose may say, each a formatted string, computed from the run alone."""
    total = estimates.flow.sum(("origin", "destination"))
    years = estimates.year.values
    facts = {"first_year": str(years[0]), "last_year": str(years[-1]),
             "flow_first_year": f"{float(total[0]) / 1e6:.1f} million",
             "flow_last_year": f"{float(total[-1]) / 1e6:.1f} million",
             "observations": f"{panel.sizes['observation']:,}", "witnesses": str(panel.sizes["witness"]),
             "training_minutes": f"{seconds / 60:.0f}"}
    last = estimates.flow.isel(year=-1).values
    o, d = np.unravel_index(last.argmax(), last.shape)
    places = estimates.origin.values
    facts["largest_corridor"] = f"{name(str(places[o]))} to {name(str(places[d]))}"
    facts["largest_corridor_flow"] = f"{last[o, d] / 1e3:,.0f} thousand"
    return facts | score_facts(headline)


def write_results(folder: Path, estimates: xr.Dataset, tables: dict[str, pd.DataFrame], history: pd.DataFrame,
                  splits: xr.Dataset, weights: Path, together: Together | None = None, *,
                  profile: str = "world") -> None:
    """Fill a release folder with estimates, tables, weights and the list of corridors that were held out.

    With an ensemble ``estimates`` are its mean, and get its intervals; ``weights``, of the member that the tables of
    scores speak of, lie beside those of the ensemble's members.
    """
    from ..model.compact import save_compact  # torch: readers of a release do without
    from ..model.train import read_weights

    write_estimates_of(estimates, folder, together.bounds if together else None, profile=profile)
    if together:
        together.pack(folder / MEMBERS)
        tables = {**tables, **together.tables}
    if "sums" in tables:
        tables = {**tables, "sums": add_again(tables["sums"], open_flows(folder))}
    for which, table in {**tables, "history": history}.items():
        artifacts.write_text(folder / f"{which}.csv", table.to_csv(index=False, float_format="%.6g"))
    save_compact(read_weights(weights)[0], folder / "member.safetensors")
    artifacts.write_text(folder / "splits.csv", _held_out(splits))


def write_facts(folder: Path, facts: dict[str, str]) -> Path:
    """Write what prose may say in numbers."""
    return artifacts.write_text(folder / "facts.json", json.dumps(facts, indent=1, ensure_ascii=False) + "\n")


def label_tables(folder: Path, profile: str) -> None:
    """Give every table of a release of the simulated world a column that says so; tables of the real one stay."""
    if kind_of(profile, folder) != SIMULATED:
        return
    for file in sorted(folder.rglob("*.csv")):
        table = pd.read_csv(file, dtype=str, keep_default_na=False)
        if LABEL not in table:
            artifacts.write_text(file, table.assign(**{LABEL: SIMULATED}).to_csv(index=False))


def _held_out(splits: xr.Dataset) -> str:
    """Corridors never learned from, so that anyone can score others on the same: CSV of corridor and split."""
    o, d = np.nonzero(splits.held_out.values | splits.validation.values)
    frame = pd.DataFrame({"origin": splits.origin.values[o], "destination": splits.destination.values[d],
                          "split": np.where(splits.held_out.values[o, d], "held_out", "validation")})
    return frame.to_csv(index=False)
