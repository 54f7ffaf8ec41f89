"""Where data are needed most, of a profile: how much narrower its intervals would be if an office reported.

Needs ensembles of all three designs, as the intervals do. Everything lies under ``artifacts/<profile>/needs``:

- ``needs_corridors.csv``: the corridors whose intervals would lose most (:func:`results.needs.corridor_table`);
- ``needs_countries.csv``: every territory and side (:func:`results.needs.country_table`);
- ``needs_shared.csv``: what a report of arrivals tells of a territory's other quantities (:mod:`results.needs_shared`);
- ``needs_ladder.csv``: how well a report is told by what else was read (:func:`results.needs_check.ladder`);
- ``needs_check.csv``: predicted and realised narrowing, office by office (:mod:`results.needs_check`).
"""
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from . import added_offices, artifacts, ensemble, intervals, paths
from .errors import ArtifactError
from .results.interval_cells import OFFICES, Surroundings
from .results.interval_material import Material
from .results.interval_model import jittered
from .results.interval_release import as_published, divide_cells, fit_models
from .results.interval_stocks import stock_bounds
from .results.interval_sums import Components, variance_components
from .results.needs import (
    ReadNoise,
    already_reported,
    corridor_table,
    country_table,
    last_years,
    narrowing,
    total_ends,
)
from .results.needs_added import ARRIVALS, DEPARTURES, NET, UNREPORTED
from .results.needs_check import its_other_corridors, judge_needs, ladder, office_itself
from .results.needs_report import drawn, read_needs
from .results.needs_shared import member_totals, shared_table
from .results.needs_terms import CHECK_COLUMNS, TWIN

MADE_BY = "humanflows needs"
FILES = ("needs_corridors.csv", "needs_countries.csv", "needs_shared.csv", "needs_ladder.csv", "needs_check.csv")
CHECK = FILES[-1]
YEARS, EARLIER = 5, 10      # that would be reported, up to the last one that any office reports; and before them
TOP = 1000                  # corridors in the table
_CODE = ("needs.py", "added_offices.py", "results/needs.py", "results/needs_check.py", "results/needs_shared.py",
         "results/needs_terms.py")


def folder(profile: str) -> Path:
    """Where the tables of a profile lie."""
    return paths.artifacts(profile) / "needs"


def noise_of(cells: pd.DataFrame, flow: np.ndarray) -> ReadNoise:
    """Noise of reports that the members behind the estimates read."""
    own = cells[cells["kind"] == OFFICES]
    read = flow[tuple(own[k].to_numpy() for k in ("year", "origin", "destination"))].astype(np.float64)
    return ReadNoise(jittered(own["observed"].to_numpy()) - np.log1p(read), read)


def shared_errors(cells: pd.DataFrame, scores: np.ndarray) -> Components:
    """How errors are shared between corridors of an office that was not read (scores as the intervals' fit left them,
    the outermost cut)."""
    own = cells[cells["kind"] == OFFICES]
    score, office = scores[(cells["kind"] == OFFICES).to_numpy()], own["reporter"] + own["side"]
    return variance_components(np.clip(score, *np.quantile(score, [0.005, 0.995])), office, own["year"],
                               office + own["origin"].astype(str) + "-" + own["destination"].astype(str))


def make_needs(given: Material, members, *, number: int = YEARS, workers: int = 1) -> dict[str, pd.DataFrame]:
    """All tables, by file name, but for what the twin adds to the check.

    Parameters
    ----------
    given : what intervals are made of.
    members : dataset of the members behind the estimates: ``flow`` (member, year, origin, destination), ``stock``
        (member, date_year, birthplace, residence); one is in memory at a time.
    number : of years that would be reported.
    workers : processes that judge side by side.
    """
    panel, codes = given.panel, given.panel["origin"].values.astype(str)
    around = Surroundings(panel, given.regions)
    (cells, sample), _, known = divide_cells(given, around)
    models = fit_models((cells, sample), known)
    asked = as_published(given, models, around, stock_bounds(given)[0])
    years = last_years(asked.saw, number)
    found = narrowing(asked, already_reported(panel), noise_of(cells, given.flow), years)
    totals = total_ends(asked, found, given.members_of_year(int(years[-1])),
                        shared_errors(cells, models[OFFICES].scores_))
    countries = country_table(found, totals, codes)
    earlier = np.arange(max(0, years[0] - EARLIER), years[0])
    told = [member_totals(members["flow"].isel(member=k).values, members["stock"].isel(member=k).values, years, earlier)
            for k in range(members.sizes["member"])] if len(earlier) else []
    quantities = {name: np.stack([m[name] for m in told]) for name in (told[0] if told else ())}
    gain = countries[countries["side"] == "arrivals"].set_index("territory")["gain"].reindex(codes).to_numpy()
    judged = judge_needs(cells, sample, given.flow, workers=workers)
    return {"needs_corridors.csv": corridor_table(found, codes, TOP),
            "needs_countries.csv": countries.assign(first_year=int(panel["year"].values[years[0]]),
                                                    last_year=int(panel["year"].values[years[-1]])),
            "needs_shared.csv": shared_table(quantities or {"arrivals": np.empty((0, len(codes)))}, gain, codes),
            "needs_ladder.csv": ladder(judged),
            "needs_check.csv": pd.concat([office_itself(judged), its_other_corridors(judged)], ignore_index=True)}


_TOLD = {DEPARTURES: "departures", UNREPORTED: "arrivals before", NET: "net migration"}    # of needs_shared.csv


def check_on_twin(countries: pd.DataFrame, shared: pd.DataFrame, added: pd.DataFrame) -> pd.DataFrame:
    """What offices added to the twin bought, beside what its tables of needs had predicted.

    Parameters
    ----------
    countries, shared : ``needs_countries.csv`` and ``needs_shared.csv`` of the twin.
    added : of :func:`humanflows.added_offices.collect`.

    Returns
    -------
    DataFrame with ``needs_terms.CHECK_COLUMNS``, a row for each office and quantity (``side``): realised is the fall of
    the mean absolute log error against the truth. Predicted, of the arrivals that were reported, is the fall of σ; of
    what shares its variance with them e (1 − √(1 − s)), with e the error before and s the share of the variance that
    the report was to take away; NaN where nothing was predicted.
    """
    own = countries[countries["side"] == "arrivals"].set_index("territory")
    fall, told = own["sigma"] - own["sigma_reported"], shared.set_index(["territory", "target"])["told"]
    rows = []
    for row in added.to_dict("records"):
        if row["office"] not in fall.index:
            continue
        predicted = np.nan
        if row["quantity"] == ARRIVALS:
            predicted = fall[row["office"]]
        elif (key := (row["office"], _TOLD.get(row["quantity"]))) in told.index:
            predicted = row["error_before"] * (1 - np.sqrt(1 - told[key]))
        rows.append({**row, "check": TWIN, "side": row["quantity"], "predicted": predicted,
                     "realised": row["error_before"] - row["error_after"]})
    return pd.DataFrame(rows, columns=list(CHECK_COLUMNS))


def _ran_on_twin(profile: str, settings: Mapping | None) -> dict[str, str]:
    """Runs with added offices, which are of the default twin: how many members there are is all that may differ."""
    return added_offices.finished() if profile == "twin" and set(settings or {}) <= {"ensemble"} else {}


def inputs_of(profile: str, settings: Mapping | None = None) -> dict:
    """Digests of all that the tables are made of; errors as :func:`humanflows.intervals.inputs_of`."""
    config = ensemble.ensemble_config(profile, design="crossed", settings=settings)
    return {**intervals.inputs_of(profile, config, settings), "needs": artifacts.code_digest(*_CODE),
            "added": _ran_on_twin(profile, settings)}


def run_needs(profile: str, *, settings: Mapping | None = None, workers: int = 1) -> dict[str, Path]:
    """Make the tables of a profile, unless they are fresh.

    Parameters
    ----------
    profile : whose ensembles of all three designs must be there, made with the same settings.
    settings : changes of the configuration.
    workers : processes that judge side by side.

    Returns
    -------
    dict: paths by file name, ``FILES``. Of the twin, with what offices that were added to it bought, as far as
    :func:`humanflows.added_offices.run_added` was run.

    Raises
    ------
    ArtifactError
        When members are missing.
    """
    target, ran = folder(profile), _ran_on_twin(profile, settings)
    inputs = inputs_of(profile, settings)
    if all(artifacts.is_fresh(target / name, inputs) for name in FILES):
        print("needs: up to date", flush=True)
        return {name: target / name for name in FILES}
    started = time.perf_counter()
    made = make_needs(intervals.gather(profile, settings=settings),
                      ensemble.open_members(profile, design="whole", settings=settings), workers=workers)
    if ran:
        twin = check_on_twin(made["needs_countries.csv"], made["needs_shared.csv"], added_offices.collect())
        made["needs_check.csv"] = pd.concat([made["needs_check.csv"], twin], ignore_index=True)
    for name in FILES:
        artifacts.write_text(target / name, made[name].to_csv(index=False, float_format="%.6g"))
    for name in FILES:
        artifacts.write_manifest(target / name, made_by=MADE_BY, inputs=inputs, profile=profile,
                                 seconds=round(time.perf_counter() - started, 1))
    return {name: target / name for name in FILES}


def release_needs(profile: str, target: Path, *, settings: Mapping | None = None) -> bool:
    """Copy the tables into a release's folder and draw their figures there, if they are fresh; else say so. What the
    simulated world says of such tables goes along (:func:`with_twin`).

    Parameters
    ----------
    profile, settings : as the tables were made.
    target : folder of the release; figures go to ``figures`` in it.
    """
    try:
        inputs = inputs_of(profile, settings)
    except ArtifactError as error:
        print(f"release: no tables of needs. {error}", flush=True)
        return False
    if not all(artifacts.is_fresh(folder(profile) / name, inputs) for name in FILES):
        print(f"release: no new tables of needs; {MADE_BY} --profile {profile} makes them", flush=True)
        return False
    for name in FILES:
        if name != CHECK:
            artifacts.write_bytes(target / name, (folder(profile) / name).read_bytes())
    artifacts.write_text(target / CHECK, with_twin(folder(profile) / CHECK, target / CHECK).to_csv(
        index=False, float_format="%.6g"))
    draw_needs(read_needs(target), target / "figures")
    return True


def with_twin(own: Path, released: Path) -> pd.DataFrame:
    """A profile's check, with what offices that were added to the simulated world bought: where the truth is known.

    Parameters
    ----------
    own : ``needs_check.csv`` of the profile.
    released : that of the release; its rows about the twin are kept where the twin has not been asked here.
    """
    table = pd.read_csv(own, keep_default_na=False, na_values=[""])
    for file in (folder("twin") / CHECK, released):
        rows = pd.read_csv(file, keep_default_na=False, na_values=[""]) if file.is_file() else table.iloc[:0]
        if (rows["check"] == TWIN).any():
            return pd.concat([table[table["check"] != TWIN], rows[rows["check"] == TWIN]], ignore_index=True)
    print(f"release: no check of needs against a known truth; {MADE_BY} --added makes it", flush=True)
    return table


def draw_needs(tables: Mapping[str, pd.DataFrame], target: Path) -> list[Path]:
    """The chapter's figures, those that the tables have anything for, as PNG."""
    import matplotlib.pyplot as plt

    from .geometry import read_geometry
    from .plotting import save, use_style
    from .plotting.needs import plot_needs_check, plot_needs_map, plot_needs_ranking

    plots = {"needs_map": ((11, 6.2), lambda ax: plot_needs_map(tables["needs_countries"], read_geometry(), ax=ax)),
             "needs_ranking": ((8, 7), lambda ax: plot_needs_ranking(tables["needs_countries"], ax=ax)),
             "needs_check": ((6, 6), lambda ax: plot_needs_check(tables["needs_check"], ax=ax))}
    made = []
    with plt.rc_context():
        use_style()
        for name in drawn(tables):
            size, plot = plots[name]
            figure, ax = plt.subplots(figsize=size)
            plot(ax)
            made += save(figure, target / name)
            plt.close(figure)
    return made
