"""What all benchmarks share: the machine, peak memory, a process of its own for each thing measured.

Run as a script, it is that process: ``measure.py bench_epoch:measure_epochs '{"epochs": 3}'`` calls the function and
prints what it returns as the last line.
"""
import importlib
import json
import os
import platform
import resource
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


def machine() -> dict:
    """What the figures depend on."""
    model = platform.processor() or "unknown"
    info = Path("/proc/cpuinfo")
    if info.is_file():
        lines = (line for line in info.read_text().splitlines() if line.startswith("model name"))
        model = next(lines, f"x: {model}").split(":", 1)[1].strip()
    return {"cpu": model, "cores": os.cpu_count(), "load_before": round(os.getloadavg()[0], 2),
            "system": platform.system(), "python": platform.python_version(),
            **{p: version(p) for p in ("torch", "numpy", "xarray")}}


def busy_cores(seconds: float = 2.0) -> float | None:
    """Processor cores that others keep busy just now; None where the system does not say.

    The load average would still hold what a benchmark before this one did.
    """
    stat = Path("/proc/stat")
    if not stat.is_file():
        return None

    def working() -> float:
        # cpu user nice system idle iowait irq softirq steal ...
        ticks = [int(x) for x in stat.read_text().split("\n", 1)[0].split()[1:9]]
        return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")

    before = working()
    time.sleep(seconds)
    return round((working() - before) / seconds, 2)


def about(**more) -> dict:
    """Machine, and a digest of the model's code: the book says so when the code has moved on since."""
    from humanflows import artifacts

    return {"machine": {**machine(), "busy_cores_before": busy_cores()}, "code": artifacts.code_digest("model"), **more}


def peak_gib() -> float:
    """Peak resident memory of this process so far, GiB."""
    status = Path("/proc/self/status")
    if status.is_file():
        # getrusage would do, but that a process inherits the peak of the one that started it.
        kib = next((line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM")), None)
        if kib:
            return int(kib) / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**30 if sys.platform == "darwin" else 2**20)


def show(result: dict, output: Path) -> None:
    """Print a result and write it as a whole."""
    from humanflows import artifacts

    text = json.dumps(result, indent=1)
    print(text)
    artifacts.write_text(output, text + "\n")


def start_apart(function: str, **settings) -> subprocess.Popen:
    """Start ``module:function`` of this folder in a process of its own, so that its peak memory is its own."""
    return subprocess.Popen([sys.executable, str(Path(__file__).resolve()), function, json.dumps(settings)],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def result_of(process: subprocess.Popen) -> dict:
    """What a function started by `start_apart` returned.

    Raises
    ------
    RuntimeError
        When its process failed, with the end of what it said.
    """
    said, complaints = process.communicate()
    if process.returncode:
        raise RuntimeError(f"{' '.join(process.args[2:])} ended with {process.returncode}:\n{complaints[-3000:]}")
    return json.loads(said.splitlines()[-1])


def apart(function: str, **settings) -> dict:
    """Call ``module:function`` of this folder in a process of its own and wait for what it returns."""
    return result_of(start_apart(function, **settings))


def synchronise() -> None:
    """Wait until a GPU, if there is one, has done what it was told."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


if __name__ == "__main__":
    module, _, function = sys.argv[1].partition(":")
    returned = getattr(importlib.import_module(module), function)(**json.loads(sys.argv[2]))
    print(json.dumps(returned))
