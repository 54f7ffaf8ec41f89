"""Speed and memory as measured by ``benchmarks/``: power laws, what thousands of regions would take, and the words.

Everything that the book says is worked out here from the files that the benchmarks write; a number that was not
measured is said to be missing.
"""
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from ..artifacts import code_digest
from ..config import load_config
from ..errors import ArtifactError, InputError

# File of each benchmark and the command that writes it.
MEASURED = {
    "reference": ("reference.json", "benchmarks/bench_reference.py --threads 2"),
    "bandwidth": ("bandwidth.json", "benchmarks/bench_bandwidth.py --threads 2"),
    "scaling": ("scaling.json", "benchmarks/bench_scaling.py"),
    "regions": ("blocks.json", "benchmarks/bench_blocks.py --threads 2"),
}
ON_A_GPU = "bandwidth-cuda.json"
TIMES_FASTER, MOST_GIB, MEMBERS, MOST_MINUTES = 300, 2.0, 20, 60   # what was aimed at
REGIONS, REGION_YEARS = 3000, 35
QUIET_CORES = 0.2   # more than these kept busy by others, and times are not to be trusted
VAGUE = 1.0         # an exponent's interval that is wider says nothing in words
TABLES_HELD = 8     # N x N a year, by whoever adds tiles up: stock and four hazards; flow, arrivals and departures


def fit_power_law(x: Sequence[float], y: Sequence[float]) -> dict[str, float]:
    """Least squares of log y on log x: ``y = factor * x**exponent``.

    Parameters
    ----------
    x, y : positive numbers, at least three different x.

    Returns
    -------
    dict: ``exponent`` with its 95% interval ``low``, ``high`` (Student's t), ``factor``, ``r_squared``, ``n``.

    Raises
    ------
    InputError
        For too few sizes, or a number that is not positive.
    """
    import statsmodels.api as sm

    x, y = (np.asarray(v, float) for v in (x, y))
    if len(set(x)) < 3 or min(x.min(), y.min()) <= 0:
        raise InputError("fit_power_law", f"{len(set(x))} sizes, smallest numbers {x.min():g} and {y.min():g}",
                         "give three sizes or more, and positive numbers")
    fit = sm.OLS(np.log(y), sm.add_constant(np.log(x))).fit()
    low, high = fit.conf_int()[1]
    return {"exponent": round(float(fit.params[1]), 4), "low": round(float(low), 4), "high": round(float(high), 4),
            "factor": float(np.exp(fit.params[0])), "r_squared": round(float(fit.rsquared), 4), "n": len(x)}


def cost_of_year(regions: int, measured: Mapping) -> dict[str, float]:
    """What one year's bookkeeping by blocks costs, forward and backward, by arithmetic and memory traffic.

    A tile's three products are computed once forward, and again, with twice as many for the gradients, backward:
    ``24 N³`` floating-point operations. Bytes are ``p N² + q N³ / B``, tables and the rows that every tile reads anew,
    with p and q fitted to the bytes that were counted. The time is that of both, one after the other, at the measured
    rates: a bound for a program that overlaps them, too short for one whose small operations wait for one another.

    Parameters
    ----------
    regions : N.
    measured : of ``bench_blocks.py``; its block size B.

    Returns
    -------
    dict: ``flops``, ``bytes``, ``seconds``.
    """
    rows, rates = measured["blocks"], measured["machine_rates"]
    n, size = (np.array([r[k] for r in rows], float) for k in ("territories", "block"))
    # Relative errors, so that the small sizes count; with a single size its own bytes per N².
    terms = np.stack([n**2, n**3 / size], 1)
    counted = np.array([r["bytes"] for r in rows], float)
    if len(rows) > 1:
        p, q = np.linalg.lstsq(terms / counted[:, None], np.ones(len(rows)), rcond=None)[0]
    else:
        p, q = counted[0] / n[0] ** 2, 0.0
    flops = 24.0 * regions**3
    moved = float(p * regions**2 + q * regions**3 / size.max())
    return {"flops": flops, "bytes": moved,
            "seconds": flops / rates["product_gflop_per_s"] / 1e9 + moved / rates["triad_gb_per_s"] / 1e9}


def sent_bytes(regions: int, size: int) -> int:
    """Bytes (float32) that one year's tiles take and give, forward and backward, in blocks of ``size`` regions.

    Whole blocks only: the last one is taken to be as large as the others.
    """
    blocks, rows, square = math.ceil(regions / size), size * regions, size**2
    forward = 4 * rows + 5 * square + size      # onward, affinity; flow, arrivals; squares: three taken, two given
    backward = 6 * rows + 8 * square + size     # what is taken, its gradients, and the cotangents of what was given
    return 4 * (blocks**2 * (forward + backward) + blocks * 3 * rows)    # natives, where both blocks are the same


def read_measured(folder: Path, name: str) -> dict | None:
    """What a benchmark wrote (a key of ``MEASURED``, or a file name); None where it has not been run."""
    file = Path(folder) / (MEASURED[name][0] if name in MEASURED else name)
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None


def speed_text(section: str, folder: Path) -> str:
    """One section of the chapter on speed, as Markdown; a sentence where it was not measured.

    Parameters
    ----------
    section : a key of ``MEASURED``.
    folder : where the benchmarks write.

    Raises
    ------
    ArtifactError
        When a file lacks what its benchmark writes.
    """
    file, command = MEASURED[section]
    measured = read_measured(folder, section)
    if measured is None:
        return f"*This has not been measured yet: `{command}` writes `{file}`, from which this section is made.*\n"
    try:
        text = _SECTIONS[section](measured)
        if section == "bandwidth":
            text += "\n" + _on_a_gpu(read_measured(folder, ON_A_GPU))
        return text + "\n" + _measured_on(measured)
    except (KeyError, TypeError) as error:
        raise ArtifactError(Path(folder) / file, f"not what the benchmark writes now: {error!r}",
                            f"run {command} again") from error


def _measured_on(measured: Mapping) -> str:
    about = measured["machine"]
    text = f"Measured on {about['cores']} cores ({about['cpu']}, PyTorch {about['torch']})"
    if (busy := about["busy_cores_before"] or 0) > QUIET_CORES:
        text += f", of which others kept {_plain(busy)} busy: times are too long"
    moved_on = measured["code"] != code_digest("model")
    return f"*{text}{'; the code of the model has changed since' if moved_on else ''}.*\n"


def _reference(measured: Mapping) -> str:
    ours, theirs = measured["ours"], measured["reference"]
    table = _table(
        ["", "reference, rebuilt", "ours"],
        ["edges or cells that a year has", f"{theirs['edges']:,}", f"{_triples(ours['territories']):,}"],
        ["of them with gradients", f"{theirs['with_gradients']:,}", "all"],
        ["years", theirs["years"], ours["years"]],
        ["seconds per epoch", _plain(theirs["seconds_per_epoch"]), _plain(ours["seconds_per_epoch"])],
        ["peak memory, GiB", _plain(theirs["peak_gib"]), _plain(ours["peak_gib"])],
        ["epochs", f"{theirs['published_epochs']:,}", f"{load_config('world').train.epochs:,}"],
        ["one training", _duration(theirs["seconds_per_epoch"] * theirs["published_epochs"]),
         _duration(ours["seconds_per_member"])])
    if not theirs["published_size"]:
        return table + ("\nThe reference was measured at a smaller size than the published one, as a trial of the "
                        "benchmark. Nothing follows from it about how the two compare.\n")
    if ours["territories"] != len(_codes()):
        return table + "\nOurs was measured on a smaller world, as a trial of the benchmark; the two do not compare.\n"
    times = theirs["seconds_per_epoch"] / ours["seconds_per_epoch"]
    minutes = MEMBERS * ours["seconds_per_member"] / 60
    return table + (
        f"\nBoth ran with {_count(ours['threads'], 'thread')}, one after the other, each in a process of its own. One "
        f"of our epochs is **{_plain(times)} times** as fast as one of the reference's; the aim was {TIMES_FASTER}, "
        f"which is {_reached(times >= TIMES_FASTER)}. Ours needs {_plain(ours['peak_gib'])} GiB at its peak, the panel "
        f"included; the aim was at most {_plain(MOST_GIB)}, {_reached(ours['peak_gib'] <= MOST_GIB)}. The reference's "
        f"needs {_plain(theirs['peak_gib'] / ours['peak_gib'])} times as much memory.\n\n"
        "An epoch is not the same thing in both, though: ours fits effects while the network rests, theirs the "
        "network. Our network learns beforehand, in steps on single corridors, which are in the time of one training "
        f"and not in that of an epoch. What compares is the whole training: {_duration(ours['seconds_per_member'])} "
        f"for one member, against {_duration(theirs['seconds_per_epoch'] * theirs['published_epochs'])} for the "
        f"published number of epochs on the same machine. Its authors trained on a GPU. {MEMBERS} members of ours take "
        f"{_plain(minutes)} minutes one after another; the aim was {MOST_MINUTES}, "
        f"{_reached(minutes <= MOST_MINUTES)}.\n")


def _bandwidth(measured: Mapping) -> str:
    reach, epoch = measured["reachable"], measured["epoch"]
    written = epoch["as_written"]
    seconds = written["seconds_per_epoch"]
    text = (f"{_count(reach['threads'], 'thread')} can move {_plain(reach['triad_gb_per_s'])} GB a second (10⁹ bytes) "
            f"between memory and processor, and multiply matrices at {_plain(reach['product_gflop_per_s'])} Gflop/s. "
            f"One epoch, {written['territories']} territories and {written['years']} years, moves "
            f"{_plain(epoch['bytes'] / 1e9)} GB and has {_plain(epoch['product_flops'] / 1e9)} Gflop of matrix "
            f"products. As written, operation by operation, it takes {_plain(seconds)} s: "
            f"**{_percent(written['share_of_reachable'])} of the bandwidth** within reach")
    arithmetic = epoch["product_flops"] / seconds / 1e9 / reach["product_gflop_per_s"]
    text += f", and {_percent(arithmetic)} of the arithmetic.\n"
    if "compiled" in epoch:
        fast = epoch["compiled"]
        text += (f"\nCompiled, it takes {_plain(fast['seconds_per_epoch'])} s. As written it would have to move "
                 f"{_plain(fast['gb_per_s'])} GB/s for that, {_percent(fast['share_of_reachable'])} of what is within "
                 "reach; joined operations move less, and by how much is not counted.\n")
    if max(written["share_of_reachable"], epoch.get("compiled", written)["share_of_reachable"]) > 1:
        text += ("\nMore than everything is no mistake of the clock: many of the tables fit into the caches, which the "
                 "count leaves out of account.\n")
    most = sorted(epoch["bytes_by_operation"].items(), key=lambda kv: -kv[1])[:8]
    rows = [[f"`{k}`", _plain(v / 1e9), _percent(v / epoch["bytes"])] for k, v in most]
    return text + ("\n````{dropdown} Which operations move the most\n"
                   + _table(["operation of PyTorch", "GB an epoch", "of all"], *rows) + "````\n")


def _on_a_gpu(measured: Mapping | None) -> str:
    if measured is None:
        return ("On a GPU this has not been measured: `benchmarks/bench_bandwidth.py --device cuda --output "
                f"benchmarks/results/{ON_A_GPU}` does it.\n")
    reach, epoch = measured["reachable"], measured["epoch"]
    fast = epoch.get("compiled", epoch["as_written"])
    text = (f"On a GPU ({reach.get('name', 'unnamed')}) an epoch takes {_plain(fast['seconds_per_epoch'])} s, which "
            f"would be {_percent(fast['share_of_reachable'])} of the {_plain(reach['triad_gb_per_s'])} GB/s that a "
            "triad reaches there")
    return text + (f" and {_percent(fast['share_of_peak'])} of the peak that its maker states.\n"
                   if "share_of_peak" in fast else ".\n")


_GROWS = {"territories": "territories", "years": "years", "members": "members"}


def _scaling(measured: Mapping) -> str:
    rows, words = [], []
    for by in _GROWS:
        found = measured[by]
        sizes = [r[by] for r in found["rows"]]
        row = [by, f"{min(sizes)}–{max(sizes)}" if sizes else "none"]
        for what in ("seconds", "memory"):
            fit = found[what]
            row.append("not fitted" if fit is None else
                       f"{_plain(fit['exponent'])} ({_plain(fit['low'])} to {_plain(fit['high'])})")
        rows.append(row)
    text = _table(["by", "measured at", "exponent of time", "exponent of memory"], *rows)
    text += ("\nAn exponent of one means: twice as many, twice as much; of two, four times. In brackets 95% intervals. "
             "Memory is what training adds to the panel and to what it needs in the smallest of worlds; for members, "
             "all that the processes side by side hold.\n")
    for by, in_words in (("territories", _by_territories), ("years", _by_years)):
        fit = measured[by]["seconds"]
        if fit is not None:
            vague = fit["high"] - fit["low"] > VAGUE
            words.append(f"By {by} time grows " + (
                "in a way that these sizes leave open: the interval is too wide." if vague else in_words(fit)))
    fit = measured["members"]["seconds"]
    if fit is not None:
        words.append(f"Members run {measured['workers']} at a time, so that their time grows in steps and their memory "
                     "only until every worker has one.")
    return text + "\n" + " ".join(words) + "\n"


def _by_territories(fit: Mapping) -> str:
    if fit["high"] < 2:
        return "more slowly than the pairs do: small worlds pay mostly for starting operations, not for numbers."
    if fit["low"] > 2:
        return "faster than the pairs do: matrix products, which grow with the cube, begin to tell, or caches overflow."
    return "about as the pairs do: what is done to each pair decides."


def _by_years(fit: Mapping) -> str:
    if fit["low"] <= 1 <= fit["high"]:
        return "in proportion, as far as these sizes tell: years run one after another."
    return "more slowly than in proportion." if fit["high"] < 1 else "faster than in proportion."


def _regions(measured: Mapping) -> str:
    config = load_config("world").train
    by_blocks, whole = (max(measured[k], key=lambda r: r["territories"]) for k in ("blocks", "whole"))
    cost = cost_of_year(REGIONS, measured)
    epoch = REGION_YEARS * cost["seconds"]
    member = epoch * config.epochs
    kept = REGION_YEARS * whole["gib_kept_for_gradients"] * (REGIONS / whole["territories"]) ** 2
    held = REGION_YEARS * TABLES_HELD * 4 * REGIONS**2 / 2**30
    size = by_blocks["block"]
    sent = REGION_YEARS * sent_bytes(REGIONS, size)
    tile = 4 * (9 * size * REGIONS + 8 * size**2 + size) / 2**20    # backward, natives included
    rows = [[f"{r['territories']:,}", _plain(w["seconds"]), _plain(r["seconds"]),
             _plain(cost_of_year(r["territories"], measured)["seconds"]), _plain(w["gib_kept_for_gradients"]),
             _plain(r["gib_kept_for_gradients"])]
            for w, r in zip(measured["whole"], measured["blocks"])]
    text = _table(["regions", "whole, s", "by blocks, s", "by the cost model, s", "whole, GiB kept",
                   "by blocks, GiB kept"], *rows)
    off = by_blocks["seconds"] / cost_of_year(by_blocks["territories"], measured)["seconds"]
    text += (f"\nOne year, forward and backward, in blocks of at most {size} regions; *kept* is what a year leaves "
             "behind for its gradients. The cost model adds arithmetic (24 *N*³ operations) and memory traffic (as "
             f"counted) at the rates of this machine; at {by_blocks['territories']:,} regions the measured time is "
             f"{_plain(off)} times the model's.\n\n"
             f"For **{REGIONS:,} regions and {REGION_YEARS} years** the model gives {_plain(cost['flops'] / 1e12)} "
             f"Tflop and {_plain(cost['bytes'] / 1e9)} GB moved for a year, {_duration(epoch)} for an epoch, "
             f"{_duration(member)} for the {config.epochs} epochs of a member, and {_duration(MEMBERS * member)} for "
             f"{MEMBERS} members on one machine like this; if the measured time keeps its distance from the model's, "
             f"{_plain(off)} times that. All of it is tiles that need nothing of one another: with W machines it is "
             "divided by W, as long as sending does not take over.\n\n"
             f"- *Memory.* As a whole, the gradients of {REGION_YEARS} years would keep {_plain(kept)} GiB. By blocks, "
             f"a tile takes and gives at most {_plain(tile)} MiB, and its worker needs a few times that while it "
             f"computes; whoever adds the tiles up holds {TABLES_HELD} tables a year, {_plain(held)} GiB in all, and "
             "less if each year's hazards are made again when they are needed.\n"
             f"- *Sending.* An epoch sends {_plain(sent / 1e9)} GB between workers and whoever adds up. At a gigabyte "
             f"a second that is {_duration(sent / 1e9)}, {'more' if sent / 1e9 > epoch else 'less'} than one machine "
             "computes.\n"
             "- *Left out.* The network's reading of all pairs, effects and witnesses are not in these numbers. They "
             "grow with the pairs and with what is reported, and nobody knows how much sub-national offices report.\n")
    if "dask" in measured:
        dask = measured["dask"]
        text += (f"\nOver {dask['workers']} Dask workers on this machine, a year of {dask['territories']:,} regions in "
                 f"blocks of {dask['block']} took {_plain(dask['seconds_forward'])} s forward, against "
                 f"{_plain(dask['seconds_forward_alone'])} s in one process with one thread; a worker's memory grew by "
                 f"{_plain(dask['gib_of_worker'])} GiB. "
                 + ("On one machine, sending costs more than the second worker brings: blocks are for worlds that one "
                    "machine cannot hold.\n" if dask["seconds_forward"] > dask["seconds_forward_alone"] else
                    "Even on one machine the workers pay.\n"))
    return text


_SECTIONS: dict[str, Callable[[Mapping], str]] = {"reference": _reference, "bandwidth": _bandwidth, "scaling": _scaling,
                                                  "regions": _regions}


def _codes() -> list[str]:
    from ..territories import codes

    return codes()


def _triples(n: int) -> int:
    """Birthplace, origin and destination, the last two different."""
    return n * n * (n - 1)


def _reached(is_so: bool) -> str:
    return "reached" if is_so else "not reached"


def _table(heads: list[str], *rows: list) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(str(c) for c in line) + " |" for line in lines) + "\n"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _plain(value: float) -> str:
    """Two significant digits, all digits before the point: 0.0042, 1.2, 167, 12,345."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    return f"{value:,.{max(0, 1 - math.floor(math.log10(abs(value))))}f}".replace("-", "−")


def _percent(share: float) -> str:
    return f"{_plain(100 * share)}%"


def _duration(seconds: float) -> str:
    for unit, length in (("year", 365.25 * 86400), ("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= 2 * length:
            return f"{_plain(seconds / length)} {unit}s"
    return f"{_plain(seconds)} s"
