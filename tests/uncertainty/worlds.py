"""Simulated reports and draws: what is reported follows the model that draws are judged by."""
import numpy as np
import pandas as pd

from humanflows.uncertainty.crossfit import CORRIDORS, HeldOut
from humanflows.uncertainty.gather import DrawnReports
from humanflows.uncertainty.predictive import BiasPriors, ReportErrors, draw_reports

YEARS, PLACES, SERIES, DRAWS, MEMBERS = 6, 40, 4, 60, 2
SPREAD, BIAS, FLOW_SD = 0.3, -0.4, 0.8


def simulate(stretch: float = 1.0, seed: int = 1, draws: int = DRAWS, smallest: float = 3.0):
    """Reports of corridors that members never saw, and draws whose deviations are ``stretch`` times too far.

    Returns
    -------
    cells, drawn, held, priors, evidence: as ``judge.judge_reports`` takes them.
    """
    rng = np.random.default_rng(seed)
    origin, destination = np.nonzero(~np.eye(PLACES, dtype=bool))
    centre = rng.uniform(smallest, 12, len(origin))
    year = rng.integers(0, YEARS, len(origin))
    witness = rng.integers(0, SERIES, len(origin))
    true = np.exp(centre + FLOW_SD * rng.normal(size=len(origin)))
    errors = ReportErrors(np.full(len(origin), SPREAD), np.zeros(len(origin)), np.zeros(len(origin), dtype=bool),
                          np.arange(len(origin)))
    said = draw_reports(true[None], np.full((1, len(origin)), BIAS), errors, rng)[0]
    member = np.repeat(np.arange(MEMBERS), draws)
    flow = np.exp(centre + stretch * FLOW_SD * rng.normal(size=(len(member), len(origin))))
    cells = pd.DataFrame({"year": year, "origin": origin, "destination": destination, "witness": witness,
                          "observation": np.arange(len(origin)), "reporter": np.array(list("ABCD"))[witness],
                          "side": "immigration", "platform": False, "trusted": witness < 2,
                          "observed": np.expm1(said.astype(np.float64))})
    shape = (len(member), YEARS, SERIES)
    drawn = DrawnReports(flow.astype(np.float32), member, np.full(shape, BIAS, np.float32),
                         np.full(shape, SPREAD, np.float32), np.zeros((len(member), SERIES), np.float32),
                         np.full(flow.shape, np.nan, np.float32))
    first = (origin + destination) % 2 == 0
    hidden = np.stack([first, ~first])
    held = HeldOut(hidden, {CORRIDORS: hidden}, np.ones((MEMBERS, PLACES, PLACES), dtype=bool))
    priors = BiasPriors(np.full((YEARS, SERIES), BIAS), np.full((YEARS, SERIES), 0.3), np.full((YEARS, SERIES), 0.03),
                        np.zeros((YEARS, SERIES), dtype=bool), np.ones((YEARS, SERIES), dtype=bool))
    evidence = np.where(witness % 2, 1, 0).astype(np.int8)[None].repeat(MEMBERS, 0)
    return cells, drawn, held, priors, evidence
