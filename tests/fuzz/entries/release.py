"""The files of a release: what answers from them, and what reads its tables and weights.

Whatever is done to a file, the manifest lists it as it is: the digest is the door, and this is about what lies behind.
"""
import importlib.util
import io
import json
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from humanflows import artifacts, paths

from ..samples import Document, Netcdf4, Table, csv_of
from . import Entry

_WITNESSES = [("undesa_imfsc", "DEU", "immigration", "residence"), ("meta", "", "both", "residence")]
_ENDS = ("net_migration", "net_migration_lower", "net_migration_upper")


def _maker():
    """The maker of small releases of the explorer's tests, which are no package."""
    file = Path(__file__).parents[2] / "explorer" / "small_release.py"
    spec = importlib.util.spec_from_file_location("small_release_of_the_explorer", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def _release() -> dict[str, bytes]:
    """The files of a release of eight made-up territories."""
    from humanflows.results.release import compact

    made = _maker()
    size, years = len(made.CODES), len(made.YEARS)
    flow = compact(np.arange(1.0, years * size * size + 1).reshape(years, size, size) * (1 - np.eye(size)))
    rows = [(t, 5, 1, w, 100 * t) for t in range(years) for w in (0, 1)]
    panel = xr.Dataset(
        {**{f"flow_{k}": ("observation", np.array(v)) for k, v in zip(
            ("year", "origin", "destination", "witness", "persons"), zip(*rows))},
         **{f"witness_{k}": ("witness", [w[i] for w in _WITNESSES]) for i, k in enumerate(
             ("source", "reporter", "side", "criterion"))}},
        coords={"year": made.YEARS, "origin": made.CODES, "destination": made.CODES,
                "witness": ["|".join(w) for w in _WITNESSES]})
    with tempfile.TemporaryDirectory() as folder:
        made.write_release(Path(folder) / "release", flow, panel)
        return {f.name: f.read_bytes() for f in sorted((Path(folder) / "release").iterdir())}


@cache
def _weights() -> bytes:
    """Packed weights of a member: steps, gaps, and a few as they are."""
    import torch

    from humanflows.model.compact import save_compact

    tensors = {"model.level": torch.linspace(-1, 1, 3000).reshape(60, 50), "model.few": torch.ones(2),
               "reported": torch.arange(0, 4000, 2, dtype=torch.int32)}
    with tempfile.TemporaryDirectory() as folder:
        return save_compact(tensors, Path(folder) / "member-01.safetensors", number=1).read_bytes()


def _pinned(places) -> Path:
    """The folder, with the manifest's digests mended unless the manifest is what was altered."""
    manifest = places["manifest.json"]
    if manifest.read_bytes() == _release()["manifest.json"]:
        said = json.loads(manifest.read_bytes())
        said["files"] = {name: artifacts.sha256(file) for name, file in places.items() if file != manifest}
        manifest.write_text(json.dumps(said), encoding="utf-8")
    return manifest.parent


def _answers(places) -> pd.DataFrame:
    """Answers of every kind of question, from the library and from the command line."""
    from humanflows.dataset import open_estimates

    folder = _pinned(places)
    asked = open_estimates(folder)
    frames = [asked.flow("SYR", "DEU"), asked.flow("COL", "ESP", "2010-2012"), asked.top("inflow", "DEU", 2015),
              asked.top("outflow", "VEN", 2020), asked.net("TUR"), asked.net("MLT"), asked.stock("POL", None, 2015),
              asked.stock(None, "DEU", 2016), asked.by_birthplace("SYR", "DEU", years=2015)]
    rows = [f"{k}: {row}" for k, f in enumerate(frames) for row in f.astype(str).to_dict("records")]
    rows += [text for question in (["flow", "SYR", "DEU"], ["top", "inflow", "DEU", "-y", "2015"], ["net", "TUR"])
             for text in _command([*question, "--data", str(folder), "-f", "json"])]
    return pd.DataFrame({"answer": rows})


def _command(words: list[str]) -> list[str]:
    """Lines that a question of the command line writes; InputError where it refuses as it says it does."""
    import typer

    from humanflows import cli_dataset
    from humanflows.errors import ArtifactError

    out, told = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(told):
        try:
            status = typer.main.get_command(cli_dataset.app).main(words, standalone_mode=False)
        except typer.Exit as error:
            status = error.exit_code
    if status == 2 and len(told.getvalue().strip().splitlines()) == 1:
        raise ArtifactError(words[-3], told.getvalue().strip(), "as it says")
    assert not status, f"status {status}: {told.getvalue()[-500:]}"
    return [json.dumps(row) for row in json.loads(out.getvalue(), parse_constant=_no_constant)]


def _no_constant(text: str):
    raise AssertionError(f"{text} is no JSON")


def _tabled(places) -> pd.DataFrame:
    """Ends of the intervals of totals, as the country pages take them."""
    from humanflows.countries.tables import total_ends

    made = _maker()     # the pages ask for the release's territories and years alone
    return pd.DataFrame({"row": [str(row) for row in total_ends(_pinned(places)).items()
                                 if row[0][1] in made.CODES and row[0][2] in made.YEARS]})


def _drawn(places) -> pd.DataFrame:
    """The same, as the explorer takes them."""
    from humanflows.dataset.answers import Answers
    from humanflows.explorer.estimates import _intervals_of_totals

    ends = _intervals_of_totals(Answers(_pinned(places)))
    return pd.DataFrame({"row": [f"{k} {at}: {v}" for k, values in ends.items() for at, v in np.ndenumerate(values)
                                 if not np.isnan(v)]})


def _facts(places) -> pd.DataFrame:
    from humanflows import book

    plain, paths.RELEASE = paths.RELEASE, places["facts.json"].parent
    try:
        return pd.DataFrame({"fact": [f"{k}: {v}" for k, v in book.load_facts().items()]})
    finally:
        paths.RELEASE = plain


def _unpacked(places) -> pd.DataFrame:
    from humanflows.model.compact import load_compact

    tensors = load_compact(places["member-01.safetensors"])
    return pd.concat([pd.DataFrame({"name": k, "value": v.double().numpy().ravel()}) for k, v in tensors.items()])


def _files() -> dict:
    files = _release()
    arrays = {k: Netcdf4(v, signed=_ENDS, gaps=("stock_lower", "stock_upper")) for k, v in files.items()
              if k.endswith(".nc")}
    sums = pd.read_csv(io.BytesIO(files["sums.csv"])).iloc[:6]
    table = Table({c: sums[c].tolist() for c in sums}, csv_of(), codes=("origin", "destination"), years=("year",),
                  counts=("lower", "upper"), words=("total",), may_be_empty=True)
    manifest = Document(json.loads(files["manifest.json"]), free=("profile", "format", "files"))
    return {**files, **arrays, "sums.csv": table, "manifest.json": manifest}


_FILES = _files()
ENTRIES = (
    *(Entry(f"answers of a release, {what}", _FILES, _answers, changes=("manifest.json",), hit=hit, share=0.8)
      for what, hit in (("flows", ("flows.nc",)), ("stocks and net migration", ("stocks.nc", "net_migration.nc")),
                        ("the rest", ("sources.nc", "birthplace.nc", "manifest.json")))),
    *(Entry(f"sums of a release, {where}", {k: v if k == "sums.csv" else _release()[k] for k, v in _FILES.items()},
            read, changes=("manifest.json",), hit=("sums.csv",))
      for where, read in (("country pages", _tabled), ("explorer", _drawn))),
    Entry("facts of a release", {"facts.json": Document({"members": "20", "total": "80 million"},
                                                        free=("members", "total"))}, _facts),
    Entry("weights of a member", {"member-01.safetensors": _weights()}, _unpacked),
)
