"""Seconds for one step on corridors' histories, for one epoch of the effects, and peak memory, at world scale.

Uses the world's panel where it has been made, otherwise a random one of the same size, so that it needs no source
file. Run it on a quiet machine, from the root of the repository:

    .venv/bin/python benchmarks/bench_epoch.py --epochs 10 --threads 2 --compile
"""
import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from measure import RESULTS, about, peak_gib, show, synchronise


def arguments(given=None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=10, help="epochs, the first of which compiles; at least 2")
    parser.add_argument("--steps", type=int, default=20, help="steps of the cell of either kind; at least 2")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads of PyTorch")
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, default=True, help="use torch.compile")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or auto")
    parser.add_argument("--panel", choices=("auto", "world", "random"), default="auto",
                        help="auto: the world's where it has been made")
    parser.add_argument("--territories", type=int, default=231, help="size of the random panel")
    parser.add_argument("--years", type=int, default=35, help="years of the random panel, from 1990; at least 6")
    parser.add_argument("--output", type=Path, default=RESULTS / "epoch.json")
    options = parser.parse_args(given)
    if min(options.epochs, options.steps) < 2:
        parser.error("at least 2 epochs and 2 steps: the first epoch includes compilation and is counted apart")
    return options


WORLD = 231           # territories of the world's panel,
PAIRS = 15_000        # pairs among them that hold stocks,
OBSERVATIONS = 8_000  # and flows reported in a year, both a little below the real ones


def random_panel(territories: int, years: int = 35, seed: int = 0):
    """A panel about as dense as the world's; its numbers are plausible, and mean nothing.

    Pairs with stocks and reports grow with the pairs of territories, reports with the years, too.
    """
    import numpy as np
    import pandas as pd

    from humanflows.panel.harmonise import PAIRS as OF_PAIRS
    from humanflows.panel.harmonise import harmonise
    from humanflows.schema import FIRST_YEAR, LAST_YEAR, SYSTEMS_TABLE
    from humanflows.territories import codes

    draw, years = np.random.default_rng(seed), range(1990, 1990 + years)
    places = np.array(codes()[:territories])
    n = len(places)
    corridors = n * (n - 1)
    share = corridors / (WORLD * (WORLD - 1))
    pairs, observations = round(PAIRS * share), round(OBSERVATIONS * share) * len(years)
    size = np.exp(draw.normal(15, 2, n))

    def pair_of(k):
        o, d = np.divmod(k, n - 1)
        return places[o], places[d + (d >= o)]

    def series(source, variable, values, years=years):
        rows = pd.MultiIndex.from_product([years, places], names=["year", "territory"]).to_frame(index=False)
        return rows.assign(source=source, variable=variable, value=np.asarray(values).ravel(), status="estimated")

    shape = (len(years), n)
    births, deaths = (np.round(size * r * np.exp(draw.normal(0, 0.2, shape))) for r in (0.02, 0.009))
    net = np.round(size * draw.normal(0, 0.003, shape))
    population = np.maximum(np.vstack([size, size + (births - deaths + net).cumsum(0)]), 1000)
    territory_year = pd.concat([
        series("wpp", "births", births), series("wpp", "deaths", deaths), series("wpp", "net_migration", net),
        series("wpp", "population", population, range(1990, years.stop + 1)),
        *(series("gdp", v, np.exp(draw.normal(9, 1, shape))) for v in ("gdp_per_capita", "gdp", "conflict_deaths")),
        *(series("gdp", v, draw.normal(3, 3, shape)) for v in ("gdp_growth", "net_migration_national")),
        series("wpp", "life_expectancy", draw.normal(70, 8, shape)),
        series("eu", "eu_member", draw.random(shape) < 0.1),
    ]).astype({"value": float})
    # Of the pairs drawn, four in five exceed the size that makes a pair active, and both directions become so together.
    chosen = draw.permutation(corridors)[:round(0.7 * pairs)]
    stock = []
    for revision, at in ((2020, range(1990, 2021, 5)), (2024, (*range(1990, 2021, 5), 2024))):
        born, lives = pair_of(chosen)
        level = np.exp(draw.normal(6, 2.5, len(born)))
        stock += [pd.DataFrame({"source": "undesa_ims", "revision": revision, "year": y, "birthplace": born,
                                "residence": lives, "persons": np.round(level * np.exp(draw.normal(0, 0.1, len(born)))),
                                "definition": "foreign_born", "status": "reported"}) for y in at if y < years.stop]
    reporters = draw.permutation(n)[:max(n // 3, 1)]
    rows = draw.permutation(len(reporters) * (n - 1) * len(years) * 2)[:observations]
    rows, year = np.divmod(rows, len(years))
    rows, leaves = np.divmod(rows, 2)
    office, other = np.divmod(rows, n - 1)
    office = reporters[office]
    other = other + (other >= office)
    flow = pd.DataFrame({
        "source": "undesa_imfsc", "reporter": places[office], "side": np.where(leaves, "emigration", "immigration"),
        "criterion": np.where(office % 3 == 0, "citizenship", "residence"), "flow_type": "movement",
        "year": 1990 + year, "origin": np.where(leaves, places[office], places[other]),
        "destination": np.where(leaves, places[other], places[office]),
        "persons": np.floor(np.exp(draw.normal(4, 2, len(rows))))})
    o, d = pair_of(np.arange(corridors))
    pair = pd.concat([pd.DataFrame({"source": "gravity", "variable": v, "origin": o, "destination": d,
                                    "value": draw.uniform(0, 1, corridors) * (8000 if v == "distance" else 1)})
                      for v in OF_PAIRS])
    displaced_o, displaced_d = pair_of(chosen[:len(chosen) // 2])
    pair_year = pd.concat([pd.DataFrame({
        "source": "unhcr", "variable": "displaced_stock", "year": y, "origin": displaced_o, "destination": displaced_d,
        "value": np.floor(np.exp(draw.normal(4, 2, len(displaced_o)))), "status": "reported"}) for y in years])
    reconstruction = pd.concat([pd.DataFrame({
        "source": "abel_cohen", "method": "da_pb_closed", "year": y, "origin": o, "destination": d,
        "persons": np.floor(np.exp(draw.normal(2, 3, corridors)))}) for y in range(1990, min(2020, years.stop - 5), 5)])
    systems = pd.DataFrame([{
        "source": "*", "reporter": "*", "side": "*", "criterion": "*", "first_year": FIRST_YEAR, "last_year": LAST_YEAR,
        "system": "register", "duration": "12", "flow_type": "movement", "class": "register_declared",
        "checked": "data", "breaks": "", "reference": "none", "note": "random numbers"}], index=[2])
    return harmonise({"stock": pd.concat(stock), "flow": flow, "territory_year": territory_year, "pair": pair,
                      "pair_year": pair_year, "reconstruction": reconstruction, SYSTEMS_TABLE: systems},
                     places.tolist(), years)


def get_panel(config, which: str = "auto", territories: int = WORLD, years: int = 35):
    """The panel to train on, its splits, and which one it is."""
    from humanflows import pipeline
    from humanflows.panel.splits import make_splits

    made = pipeline.panel_path(config).is_file()
    if which == "world" or (which == "auto" and made):
        return pipeline.open_panel(config), pipeline.open_splits(config), "world"
    panel = random_panel(territories, years)
    return panel, make_splits(panel, config.split), "random"


def measure_epochs(*, epochs: int = 10, steps: int = 20, threads: int = 2, compile: bool = True,
                   precision: str = "float32", device: str = "cpu", panel: str = "auto", territories: int = WORLD,
                   years: int = 35, at_epoch: Callable[[int], None] | None = None) -> dict:
    """Train for a few steps and epochs with the code that trains members, and time it.

    Parameters
    ----------
    epochs, steps : at least 2 each; the first epoch, which compiles, is counted apart.
    threads, compile, precision, device : as on the command line.
    panel, territories, years : see `get_panel`.
    at_epoch : called with 0, 1, ... when an epoch begins, and once more after the last.
    """
    import torch

    torch.set_num_threads(threads)
    from humanflows.config import load_config
    from humanflows.model import histories
    from humanflows.model import train as training

    config = load_config("world")
    config = replace(config, train=replace(
        config.train, year_steps=steps, history_steps=steps, epochs=epochs, compile=compile, precision=precision,
        device=device, patience=10**9, validate_every=10**9))
    data, splits, which = get_panel(config, panel, territories, years)
    before = peak_gib()
    # A step, or an epoch, is the time from one call of these to the next.
    watched = {"year": (histories.Histories, "loss_of_years"), "history": (histories.Histories, "loss_of_histories"),
               "covariates": (training.FlowModel, "read_covariates"), "epoch": (training.FlowModel, "forward")}
    originals = {name: getattr(*place) for name, place in watched.items()}
    stamps = {name: [] for name in watched}

    def timed(name):
        def call(*inputs):
            synchronise()
            if name == "epoch" and at_epoch is not None:
                at_epoch(len(stamps[name]))
            stamps[name].append(time.perf_counter())
            return originals[name](*inputs)
        return call

    for name, place in watched.items():
        setattr(*place, timed(name))
    try:
        member = training.fit_member(data, splits, config, progress=False)
        synchronise()
    finally:
        for name, place in watched.items():
            setattr(*place, originals[name])
    if at_epoch is not None:
        at_epoch(epochs)
    stamps["epoch"].append(time.perf_counter())
    stamps["year"].append(stamps["history"][0])
    stamps["history"].append(stamps["covariates"][0])
    of_years, of_histories, of_epochs = ([b - a for a, b in pairwise(stamps[name])]
                                         for name in ("year", "history", "epoch"))
    result = {
        "panel": which, "territories": data.sizes["residence"], "years": data.sizes["year"],
        "observations": data.sizes["observation"], "pairs_with_effects": len(member.model.direction),
        "epochs": epochs, "steps": steps, "threads": threads, "compile": compile, "precision": precision,
        "device": training.choose_device(device).type,
        "seconds_per_year_step": round(statistics.mean(of_years), 4),
        "seconds_per_history_step": round(statistics.mean(of_histories), 4),
        "seconds_read_covariates": round(stamps["epoch"][0] - stamps["covariates"][0], 3),
        "seconds_first_epoch": round(of_epochs[0], 3), "seconds_per_epoch": round(statistics.median(of_epochs[1:]), 4),
        "seconds_per_epoch_all": [round(e, 4) for e in of_epochs[1:]],
        "peak_gib": round(peak_gib(), 3), "peak_gib_before_training": round(before, 3)}
    result["seconds_per_member"] = round(seconds_of_member(result), 1)
    if result["device"] == "cuda":
        result["peak_gib_device"] = round(torch.cuda.max_memory_allocated() / 2**30, 3)
    return result


def seconds_of_member(measured: dict) -> float:
    """Seconds that a whole training takes at the world's settings: its steps and epochs times what each took."""
    from humanflows.config import load_config

    train = load_config("world").train
    return (train.year_steps * measured["seconds_per_year_step"]
            + train.history_steps * measured["seconds_per_history_step"] + measured["seconds_read_covariates"]
            + measured["seconds_first_epoch"] + (train.epochs - 1) * measured["seconds_per_epoch"])


def main(given=None) -> dict:
    """Measure and report."""
    options = vars(arguments(given))
    output, where = options.pop("output"), about()
    result = {**measure_epochs(**options), **where}
    show(result, output)
    return result


if __name__ == "__main__":
    main()
