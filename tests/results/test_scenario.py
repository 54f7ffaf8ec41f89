"""A scenario is plain data that is checked; every mistake is one error that names the key and what to do."""
import pytest

from humanflows import paths
from humanflows.errors import ConfigError, InputError
from humanflows.results.scenario import Change, Scenario, pair_mask, parse_scenario, read_scenario, touched_pairs
from humanflows.results.scenario_meaning import DOES_NOT_MEAN, MEANS, statement, statement_text

PLACES, YEARS = ["DEU", "MEX", "SYR", "USA"], list(range(2000, 2011))
GIVEN = {"name": "one", "title": "One"}
BORDER = {"border": ["MEX-USA"], "from": 2005, "factor": 0.0}
COVARIATE = {"covariate": "gdp_per_capita", "territories": ["SYR"], "from": 2005, "multiply": 0.5}


def parse(**given):
    return parse_scenario({**GIVEN, **given}, PLACES, YEARS)


def test_a_scenario_says_what_it_changes():
    found = parse(changes=[BORDER, {**COVARIATE, "to": 2007}], elsewhere=1, hindsight="dropped")
    assert found == Scenario("one", "One", "", (
        Change(("MEX-USA",), 2005, factor=0.0),
        Change(("SYR",), 2005, 2007, "gdp_per_capita", "multiply", 0.5)), "dropped", 1.0)
    assert found.first_year(2010) == 2005 and parse().first_year(2010) == 2011


@pytest.mark.parametrize(("given", "key", "said"), [
    ({"chnages": []}, "chnages", "did you mean 'changes'"),
    ({"name": "../up"}, "name", "letters, digits"),
    ({"title": ""}, "title", "expected words"),
    ({"changes": {"border": "MEX-USA"}}, "changes", "expected a list"),
    ({"changes": [3]}, "changes[1].", "expected a table"),
    ({"changes": [{**BORDER, "factor": float("nan")}]}, "changes[1].factor", "finite"),
    ({"changes": [{**BORDER, "factor": -1}]}, "changes[1].factor", "0 to 100"),
    ({"changes": [{**BORDER, "factor": True}]}, "changes[1].factor", "finite number"),
    ({"changes": [{**BORDER, "border": ["MEX-UAS"]}]}, "changes[1].border", "did you mean 'USA'"),
    ({"changes": [{**BORDER, "border": ["MEX-MEX"]}]}, "changes[1].border", "no corridor"),
    ({"changes": [{**BORDER, "border": []}]}, "changes[1].border", "list of corridors"),
    ({"changes": [{**BORDER, "returns": "no"}]}, "changes[1].returns", "true or false"),
    ({"changes": [{**BORDER, "from": 2000}]}, "changes[1].from", "choose 2001 to 2010"),
    ({"changes": [{**BORDER, "from": "2005"}]}, "changes[1].from", "calendar year"),
    ({"changes": [{**BORDER, "to": 2004}]}, "changes[1].to", "make no period"),
    ({"changes": [{"border": ["MEX-USA"], "from": 2005}]}, "changes[1].factor", "missing"),
    ({"changes": [{**COVARIATE, "territories": ["SYX"]}]}, "changes[1].territories", "did you mean 'SYR'"),
    ({"changes": [{**COVARIATE, "covariate": "gdp"}]}, "changes[1].covariate", "did you mean"),
    ({"changes": [{**COVARIATE, "set": 3}]}, "changes[1]", "exactly one"),
    ({"changes": [{**COVARIATE, "multiply": -0.1}]}, "changes[1].multiply", "0 or more"),
    ({"changes": [{**COVARIATE, "multiply": float("inf")}]}, "changes[1].multiply", "finite"),
    ({"changes": [{"covariate": "eu_member", "territories": ["SYR"], "from": 2005, "set": 2}]}, "changes[1].set",
     "0 to 1"),
    ({"changes": [{"covariate": "trade", "territories": ["SYR"], "from": 2005, "set": 2}]}, "changes[1].corridors",
     "known by corridors"),
    ({"changes": [{"covariate": "trade", "corridors": ["SYR-*"], "from": 2005, "hold": 1}]}, "changes[1].hold",
     "hold: true"),
    ({"elsewhere": 1.5}, "elsewhere", "0 to 1"),
    ({"hindsight": "half"}, "hindsight", "kept, dropped"),
    ({"last_year": 2100, "demography": "carried"}, "last_year", "too far"),
    ({"last_year": 2012}, "demography", "needs births and deaths"),
    ({"demography": "carried"}, "demography", "needs births and deaths"),
])
def test_each_mistake_is_one_error_that_names_key_and_remedy(given, key, said):
    with pytest.raises(ConfigError) as caught:
        parse(**given)
    assert caught.value.key == key and caught.value.remedy
    assert said in str(caught.value)


@pytest.mark.parametrize("text", ["!!python/object/apply:os.system ['true']", "name: [", "name: one\n\ttitle: x",
                                  "\x00", "", "- a\n- b", "just words"])
def test_hostile_or_broken_files_are_refused(tmp_path, text):
    file = tmp_path / "a.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_scenario(file, PLACES, YEARS)
    assert caught.value.file == str(file)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match="no such scenario"):
        read_scenario(tmp_path / "none.yaml", PLACES, YEARS)


def test_the_examples_of_the_world_are_scenarios():
    from humanflows.territories import codes

    files = sorted((paths.CONFIG / "scenarios" / "world").glob("*.yaml"))
    found = [read_scenario(f, codes(), range(1990, 2025)) for f in files]
    assert {s.name for s in found} == {f.stem for f in files} >= {"projections_2035", "mexico_usa_closed"}


def test_the_examples_of_the_twin_speak_of_its_own_events():
    from humanflows.config import load_config
    from humanflows.twin.economy import set_stage

    config = load_config("twin")
    stage = set_stage(config.twin, config.years)
    shut, no_war = (read_scenario(paths.CONFIG / "scenarios" / "twin" / f"{n}.yaml", stage.territories, config.years)
                    for n in ("border_stays_shut", "no_war"))
    event = config.twin.events
    assert shut.changes[0].places == (stage.events.closed_corridor,)
    assert shut.changes[0].first == event.closure_year + event.closure_years
    assert abs(shut.changes[0].factor - 2.718281828 ** -event.closure_effect) < 1e-6
    assert no_war.changes[0].places == (stage.events.war_territory,) and no_war.changes[0].first == event.war_year


def test_stars_stand_for_all():
    assert pair_mask(["*-USA"], PLACES)[:, 3].sum() == 3 and pair_mask(["*-*"], PLACES).sum() == 12
    assert touched_pairs(parse(changes=[COVARIATE]), PLACES).sum() == 6
    assert touched_pairs(parse(changes=[BORDER]), PLACES).sum() == 1


def test_the_statement_says_both_what_is_meant_and_what_is_not():
    import pandas as pd

    beyond = pd.DataFrame([("gdp_per_capita", "the world", 1.0, 9.0, 4, 2)],
                          columns=["covariate", "range", "low", "high", "cells", "outside"])
    said = statement(parse(changes=[BORDER], elsewhere=0.25), members=1, levels="none", beyond=beyond)
    assert said["means"] == list(MEANS) and said["does_not_mean"] == list(DOES_NOT_MEAN)
    text = statement_text(said)
    for part in ("no forecast", "no causal effect", "25%", "One member", "extrapolates", "scenario's own number"):
        assert part in text, part
    kept, dropped = (statement_text(statement(parse(changes=[COVARIATE], hindsight=h), members=20, levels="spread"))
                     for h in ("kept", "dropped"))
    assert "understated" in kept and "fade" in dropped and "too narrow" in kept and "One member" not in kept


def test_errors_are_of_one_kind():
    assert issubclass(ConfigError, InputError)
