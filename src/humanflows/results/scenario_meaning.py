"""What a scenario's number means and what it does not: said once, here, and quoted wherever such numbers are shown."""
from collections.abc import Mapping

import pandas as pd

from .scenario import TERRITORY, Scenario

MEANS = (
    "It is what this trained model would have said had its inputs been others: the changed covariates, the borders as "
    "set, and everything else that it knows of as it was.",
    "It keeps the books: whoever leaves arrives, nobody is lost, and births, deaths and moves account for everyone in "
    "every year, with the change as without it.",
    "The band of a difference says how far members, each compared with itself, disagree about it.")
DOES_NOT_MEAN = (
    "It is no forecast: nobody says that these inputs will come about.",
    "It is no causal effect: the model learned what went along with what, and two things that always came together "
    "cannot be told apart by it.",
    "Nobody in it reacts: no policy, no prices, no wages, nobody anticipates the change, and births and deaths are "
    "given numbers that do not follow those who stay or arrive.",
    "A covariate that the model leans on little changes little here, whatever it does in the world.")
_ELSEWHERE = {
    0.0: "Those whom a border holds up stay where they are, and remain at risk of every other move.",
    1.0: "Whom a border holds up goes to another destination, in proportion to what draws people there: as many leave "
         "as would have left."}


def statement(scenario: Scenario, *, members: int, levels: str, beyond: pd.DataFrame | None = None,
              panel_last: int | None = None, growth: bool = True) -> dict[str, list[str]]:
    """A plain statement of what the numbers of a scenario do and do not mean.

    Parameters
    ----------
    scenario : that was run.
    members : how many members ran it.
    levels : which intervals levels have: ``calibrated``, ``spread`` or ``none`` (``scenario_result.add_intervals``).
    beyond : from ``scenario_inputs.beyond_experience``.
    panel_last : last year of the panel, where the scenario goes beyond.
    growth : whether it was measured how errors grow with the years ahead.

    Returns
    -------
    dict of lists of sentences: ``means``, ``does_not_mean``, ``here`` (what was assumed in this scenario) and
    ``warnings``.
    """
    here, warnings = [], []
    borders = [c for c in scenario.changes if c.is_border]
    if scenario.changes and scenario.hindsight == "kept":
        here.append("Hindsight is kept: what is known of these years from migration figures themselves (the effects of "
                    "years, net migration, counted stocks) stays as it was. A change that those figures already "
                    "reflect, as they do an event that happened, is understated.")
    elif scenario.changes:
        here.append("Hindsight is dropped: in all corridors of the places that were changed, effects of years fade to "
                    "their mean of the ten years before, net migration is read as unknown and counted stocks as they "
                    "stood in the year before. The difference holds whatever else was unusual about these places, too.")
    if borders:
        share = scenario.elsewhere
        here.append(_ELSEWHERE.get(share, f"Of those whom a border holds up, {share:.0%} go to other destinations, in "
                                   "proportion to what draws people there; the others stay."))
        spared = sum(not c.returns for c in borders)
        here.append("Those who go home to the place where they were born may pass." if spared == len(borders) else
                    "Those who go home to the place where they were born are held up as well." if not spared else
                    "At some of the borders those who go home to the place where they were born may pass.")
        warnings.append("No covariate tells the model of borders: how much a closed one holds up is the scenario's own "
                        "number, not something that was learned.")
    if scenario.last_year is not None:
        source = "those of the medium projection of World Population Prospects 2024" \
            if scenario.demography == "wpp_medium" else "as they were in the last year"
        after = f"After {panel_last}" if panel_last else "Beyond the observed years"
        here.append(f"{after} births and deaths are {source}. Incomes, trade, memberships, politics, displaced persons "
                    "and counted stocks stay as they are last known; growth, conflict deaths and net migration as the "
                    "model reads them are the mean of the last ten years; effects of years fade to their own mean of "
                    "the last ten years, as their memory from one year to the next says.")
        warnings.append("No war, crisis or opening of a border after the last observed year is in these numbers. The "
                        "further ahead, the less they say.")
        if levels == "calibrated" and not growth:
            warnings.append("How errors grow with the years ahead was not measured (there are no members blind to the "
                            "last years): intervals beyond the observed years are as wide as in the last, too narrow.")
    if members < 2:
        warnings.append("One member was run: there is no band.")
    elif members < 10:
        warnings.append(f"{members} members were run: the outer ends of bands are their extremes.")
    if levels == "spread":
        warnings.append("Bands of levels are the members' spread alone, which is too narrow: where it was checked, "
                        "spread alone held far fewer reports than promised.")
    if members > 1:
        warnings.append("Bands of differences are not calibrated: no such difference was ever observed in the world.")
    for row in (beyond.itertuples() if beyond is not None else ()):
        where = f"the range that was learned from ({row.low:.4g} to {row.high:.4g} over all places and years)" \
            if row.range == "the world" else "what was ever seen of the same " + (
                "place" if row.covariate in TERRITORY else "corridor")
        warnings.append(f"{row.covariate} lies outside {where} in {row.outside} of {row.cells} changed values: the "
                        "model extrapolates.")
    return {"means": list(MEANS), "does_not_mean": list(DOES_NOT_MEAN), "here": here, "warnings": warnings}


def statement_text(said: Mapping[str, list[str]]) -> str:
    """The statement as plain lines, for a terminal and for a file."""
    titles = {"means": "What these numbers mean", "does_not_mean": "What they do not mean",
              "here": "What this scenario assumes", "warnings": "Warnings"}
    return "\n".join(f"{title}:\n" + "\n".join(f"- {line}" for line in said[key])
                     for key, title in titles.items() if said.get(key))
