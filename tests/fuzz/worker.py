"""A process of its own that reads hostile files, so that a crash, a hang or a huge allocation is seen and survived."""
import faulthandler
import hashlib
import multiprocessing
import resource
import sys
import tempfile
import traceback
import warnings
from dataclasses import dataclass
from pathlib import Path

TIME_LIMIT = 30          # seconds for one input: a busy machine is slow, a hang is for ever
ADDRESS_SPACE = 6 << 30  # bytes that the process may have at all
MEMORY_LIMIT = 700 << 20  # bytes that one input may take beyond what the process had
MESSAGE_LIMIT = 2_000    # characters of an error: it is one line on a terminal


@dataclass(frozen=True)
class Outcome:
    """How the reading of one input ended: ``table``, ``refused``, ``broke``, ``crashed``, ``hung``."""

    kind: str
    told: str = ""          # error or traceback
    relation: str = ""      # of the table to that of the sound files: same, less, other
    fault: str = ""         # of a table or an error that is none: empty when all is well
    memory: int = 0         # bytes taken at the most
    where: str = ""         # kind of exception and line of the package it came from


class Sandbox:
    """Runs entries in a process; a process that dies is replaced."""

    def __init__(self):
        self._process = self._connection = None

    def ask(self, entry: str, files: dict[str, bytes]) -> Outcome:
        """Read an entry's sound files, these put in their places."""
        if self._process is None or not self._process.is_alive():
            self._start()
        self._connection.send((entry, files))
        try:
            if self._connection.poll(TIME_LIMIT):
                return self._connection.recv()
        except (EOFError, ConnectionError):
            pass
        else:
            self.close()
            return Outcome("hung", f"no answer in {TIME_LIMIT} seconds")
        self._process.join()
        code, self._process = self._process.exitcode, None
        return Outcome("crashed", f"the process ended with status {code}")

    def _start(self):
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        if not self._connection.poll(300):
            raise RuntimeError("the process that reads does not begin")
        self._connection.recv()

    def close(self):
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = None


def serve(connection) -> None:
    """Answer requests until the other end closes."""
    from .entries import entries

    faulthandler.enable(sys.stderr)
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    known, sound = entries(), {}
    connection.send("ready")
    while True:
        try:
            name, files = connection.recv()
        except EOFError:
            return
        entry = known[name]
        if name not in sound:
            try:
                sound[name] = _hashes(_read(entry, {})[0])
            except Exception:
                connection.send(Outcome("broke", f"the sound files: {traceback.format_exc()}"))
                continue
        connection.send(_outcome(entry, files, sound[name]))


def _outcome(entry, files, sound) -> Outcome:
    from humanflows.errors import InputError

    before = _memory(reset=True)
    try:
        table, fault = _read(entry, files)
    except InputError as error:
        return Outcome("refused", f"{type(error).__name__}: {error}"[:4 * MESSAGE_LIMIT],
                       fault=_bad_error(error, entry), memory=_memory() - before)
    except BaseException as error:
        told = traceback.format_exc(limit=-8)
        frames = [f for f in traceback.extract_tb(error.__traceback__) if "/humanflows/" in f.filename]
        where = f"{type(error).__name__} {frames[-1].filename.rsplit('/', 1)[1]}:{frames[-1].lineno}" if frames else ""
        return Outcome("broke", told[-4000:], memory=_memory() - before, where=where)
    hashes = _hashes(table)
    relation = "same" if len(hashes) == len(sound) and (hashes == sound).all() else (
        "less" if set(hashes) <= set(sound) else "other")
    return Outcome("table", "", relation, fault or entry.fault_of(table), _memory() - before)


def _read(entry, files: dict[str, bytes]):
    """The table, and what is wrong with the folder afterwards."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as top:
        folder = Path(top) / "a" / "b"
        places = {}
        for name, content in {**entry.sound(), **files}.items():
            places[name] = folder / name
            places[name].parent.mkdir(parents=True, exist_ok=True)
            places[name].write_bytes(content)
        before = _listed(Path(top), entry.changes)
        try:
            table = entry.read(places)
        finally:
            changed = "" if _listed(Path(top), entry.changes) == before else "the folder of the files was changed"
        return table, changed


def _listed(folder: Path, left_out: tuple[str, ...]) -> dict:
    return {str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest()
            for f in sorted(folder.rglob("*")) if f.is_file() and f.name not in left_out}


def _hashes(table):
    import numpy as np
    import pandas as pd

    table = table[sorted(table.columns)]
    return np.sort(pd.util.hash_pandas_object(table.astype({c: str for c in table.select_dtypes(object)}),
                                              index=False).to_numpy())


def _bad_error(error, entry) -> str:
    text = str(error)
    if len(text) > MESSAGE_LIMIT:
        return f"a message of {len(text)} characters"
    odd = [c for c in text if not c.isprintable() and c != "\n"]
    if odd:
        return f"control characters in the message: {odd[:5]!r}"
    if not error.remedy or not any(Path(n).name in text for n in [*entry.sound(), *entry.named]):
        return "neither a file nor a remedy is named"
    return ""


def _memory(reset: bool = False) -> int:
    """The most memory the process had since the last reset, bytes."""
    if reset and Path("/proc/self/clear_refs").exists():
        Path("/proc/self/clear_refs").write_text("5")
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) << 10
    except OSError:
        pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


