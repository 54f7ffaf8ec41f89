"""Fixtures shared by all tests."""
import shutil

import hypothesis
import pytest

from humanflows import paths
from humanflows.config import Config, ModelConfig, SplitConfig, TrainConfig, TwinConfig, TwinPeopleConfig

hypothesis.settings.register_profile("humanflows", deadline=None)     # a busy machine is no fault of the code
hypothesis.settings.load_profile("humanflows")

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


@pytest.fixture
def source_file():
    """Give a real source file by its registry path, or skip the test where it is neither mirrored nor cached."""

    def find(name: str):
        for folder in (paths.mirror(), paths.CACHE):
            if folder is not None and (folder / name).is_file():
                return folder / name
        pytest.skip(f"the real source file {name} is not on this machine (neither mirrored nor downloaded)")

    return find


@pytest.fixture(scope="session")
def small_config() -> Config:
    """A world of nine territories and fourteen years, and a model that trains in seconds."""
    return Config(
        last_year=2003, twin=TwinConfig(territories=9, reporters=6, people=TwinPeopleConfig(burn_in=15)),
        split=SplitConfig(validation_share=0.2), model=ModelConfig(hidden=8, width=24, embedding=4),
        train=TrainConfig(year_steps=40, history_steps=8, epochs=4, validate_every=1, checkpoint_every=2, compile=False,
                          device="cpu"))


@pytest.fixture(scope="session")
def small_world(small_config):
    """What happened in the small world."""
    from humanflows.twin.world import simulate

    return simulate(small_config.twin, small_config.years)


@pytest.fixture(scope="session")
def small_tables(small_world, small_config):
    """What its offices publish, and what is reconstructed from it."""
    from humanflows.pipeline import add_reconstruction, observe_twin

    return add_reconstruction(observe_twin(small_world, small_config))


@pytest.fixture(scope="session")
def small_panel(small_tables, small_world, small_config):
    """The panel of the small world; copy it before changing it."""
    from humanflows.panel.harmonise import harmonise

    return harmonise(small_tables, small_world.territories, small_config.years)


@pytest.fixture(scope="session")
def small_splits(small_panel, small_config):
    """Splits of its corridors."""
    from humanflows.panel.splits import make_splits

    return make_splits(small_panel, small_config.split)


@pytest.fixture(scope="module")
def small_build(tmp_path_factory):
    """Artifacts in a folder of the module's own, with the panel of ``small_runs``; what runs side by side runs here.

    What a test patches would not reach other processes.
    """
    from concurrent.futures import ThreadPoolExecutor

    from humanflows import pipeline, workers
    from humanflows.config import load_config
    from small_runs import SMALL

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "ARTIFACTS", tmp_path_factory.mktemp("build"))
        patch.setattr(workers, "ProcessPoolExecutor", lambda workers, *_: ThreadPoolExecutor(1))
        pipeline.harmonise(load_config("twin", **SMALL))
        yield paths.ARTIFACTS


@pytest.fixture
def protocol_tables():
    """Tables of five protocols as they are collected, made up: who is ahead is known.

    Of the reference ours is ahead in R, behind in log R and undecided in CPC (its interval touches zero) and R within
    corridor; persistence has no interval. Offices and sources were not left out.
    """
    import pandas as pd

    from humanflows.results.peers import REFERENCE
    from humanflows.results.protocols import FLOW_COLUMNS, NET_COLUMNS, STOCK_COLUMNS
    from humanflows.results.targets import COLUMNS
    from humanflows.results.validation import OWN

    labels = {"fold-1": "corridors of fold 1 held out", "fold-2": "corridors of fold 2 held out",
              "all five folds": "each observation by the member that never saw it", "blind": "blind from 2022",
              "net-third": "net migration of 2 territories withheld"}
    intervals = {"r": (.1, .05, .15), "log_r": (-.1, -.2, -.05), "cpc": (.02, .0, .04), "within_r": (.01, -.1, .1)}

    def rows(columns, compared, **keys):
        wide = {f"difference_{s}{end}": v for s in compared for end, v in zip(("", "_lower", "_upper"), intervals[s])}
        scores = {"n": 1234, "r": .8, "log_r": .7, "cpc": .6, "within_r": .5, "log_bias": -.1, "change_r": .3,
                  "offices": "all", "abs_log_error": 1.0, "median_log_error": -.2, "abs_error": 4321.4,
                  "territories": 2, "dropped": 3, "log_score": float("nan"), "log_score_n": 0, **keys}
        # as it is: of our own, by residence and year
        scored = keys.get("criterion") == "residence" and keys["horizon"] == "annual"
        half = {k: v for k, v in wide.items() if k.count("_lower") + k.count("_upper") == 0}
        return [{**dict.fromkeys(columns), **scores, "peer": OWN, "learned_from": "the others",
                 **({"log_score": -.9, "log_score_n": 1200} if scored else {})},
                {**dict.fromkeys(columns), **scores, **wide, "peer": REFERENCE, "learned_from": "these cells, perhaps"},
                {**dict.fromkeys(columns), **scores, **half, "peer": "persistence", "learned_from": "last year"}]

    flows, net, stocks = [], [], []
    for p in labels:
        keys = [("undesa_imfsc", side, "residence", h, "held_out") for side in ("emigration", "immigration")
                for h in ("annual", "five_year")] + [("oecd", "immigration", "citizenship", "annual", "held_out")]
        if p == "blind":
            keys = [("meta", "both", "residence", "annual", part) for part in ("train+validation", "all")]
        for key in keys:
            names = dict(zip(("collection", "side", "criterion", "horizon", "part"), key))
            flows += [{"protocol": p, "label": labels[p], **r} for r in rows(FLOW_COLUMNS, intervals, **names)]
        sets = {"blind": ["all territories", "blind years"],
                "net-third": ["withheld territories", "the other territories"]}.get(p, ["all territories"])
        net += [{"protocol": p, "label": labels[p], **r} for s in sets for h in ("annual", "five_year")
                for r in rows(NET_COLUMNS, ("r", "within_r"), set=s, reference="wpp", horizon=h)]
        stocks += [{"protocol": p, "label": labels[p], "set": s, "revision": v, "quantity": q, "peer": OWN, "n": 9,
                    "r": v / 10_000, "r_scaled": .5} for v in (2020, 2024) for q in ("stock", "difference")
                   for s in (["all counts", "blind years"] if p == "blind" else ["all counts"])]
    targets = [("immigration, log_r", "all five folds", "log_r", .9, .95, .05, "hit"),
               ("immigration, five-year change, annual cells: above every peer", "all five folds", "change_r", .3, .2,
                -.1, "missed"),
               ("total of undesa_imfsc, immigration by residence", "all five folds", "log_bias", .15, -.2, -.05,
                "missed"),
               ("net migration where it was withheld, r: above the reference", "net-third", "r", .6, None, None,
                "not measured")]
    return {"scores": pd.DataFrame(flows)[["protocol", "label", *FLOW_COLUMNS]],
            "net_migration": pd.DataFrame(net)[["protocol", "label", *NET_COLUMNS]],
            "stocks": pd.DataFrame(stocks)[["protocol", "label", *STOCK_COLUMNS]],
            "targets": pd.DataFrame(targets, columns=list(COLUMNS))}


@pytest.fixture(scope="session")
def browser():
    """The system's Chromium, without a window."""
    from playwright.sync_api import sync_playwright

    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"no browser on this machine: none of {', '.join(BROWSERS)} is in the PATH")
    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])   # only our own page is opened
        yield opened
        opened.close()
