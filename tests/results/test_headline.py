"""All folds lead where they were run with the estimates; a single fold says that it is one."""
import json

import pandas as pd
import pytest

from humanflows import paths
from humanflows.errors import ArtifactError
from humanflows.results.headline import OF_ALL, OF_ONE, Headline, choose_headline, read_headline, score_facts
from humanflows.results.protocol_tables import compact_protocols, write_protocols

ONE = pd.DataFrame([{"collection": "undesa_imfsc", "side": side, "criterion": "residence", "horizon": "annual",
                     "peer": "humanflows", "n": 12, "r": .11, "log_r": .12, "cpc": .13, "within_r": .14}
                    for side in ("immigration", "emigration")])


@pytest.fixture
def protocols(protocol_tables):
    return compact_protocols(protocol_tables)


def test_all_folds_lead(protocols):
    chosen = choose_headline(ONE, protocols, {"of_this_release": True})
    assert chosen.together and set(chosen.scores["n"]) == {1234}
    facts = score_facts(chosen)
    assert facts["immigration_own_r"] == "0.80" and facts["emigration_reference_log_r"] == "0.70"
    assert facts["immigration_cells"] == "1,234" and facts["scores_of"] == OF_ALL
    assert not any(k.endswith("_trusted") for k in facts)


@pytest.mark.parametrize("about", [None, {}, {"of_this_release": False}])
def test_protocols_of_other_estimates_say_nothing_about_these(protocols, about):
    chosen = choose_headline(ONE, protocols, about)
    assert not chosen.together and score_facts(chosen)["immigration_own_r"] == "0.11"
    assert score_facts(chosen)["scores_of"] == OF_ONE


def test_without_all_folds_the_one_is_shown_as_one(protocols):
    flows = protocols["scores"]
    alone = {**protocols, "scores": flows[flows["protocol"] != "all five folds"]}
    for tables in (alone, {}):
        assert not choose_headline(ONE, tables, {"of_this_release": True}).together


def test_facts_of_trusted_offices_end_so():
    both = pd.concat([ONE.assign(offices="all"), ONE.assign(offices="trusted", log_r=.98, n=7)])
    facts = score_facts(Headline(both, together=True))
    assert facts["immigration_own_log_r"] == "0.12" and facts["immigration_own_log_r_trusted"] == "0.98"
    assert facts["emigration_cells_trusted"] == "7"
    assert score_facts(Headline(ONE.iloc[:0], together=False)) == {"scores_of": OF_ONE}


def test_a_release_is_read(protocols, tmp_path):
    with pytest.raises(ArtifactError, match=r"scores\.csv"):
        read_headline(tmp_path)
    ONE.to_csv(tmp_path / "scores.csv", index=False)
    assert not read_headline(tmp_path).together
    write_protocols(tmp_path, protocols)
    assert not read_headline(tmp_path).together         # nobody says that they are of these estimates
    (tmp_path / "manifest.json").write_text(json.dumps({"protocols": {"of_this_release": True}}))
    assert read_headline(tmp_path).together


@pytest.mark.skipif(not (paths.RELEASE / "protocol_scores.csv").is_file(), reason="the release has no protocols yet")
def test_the_committed_release_leads_with_all_folds():
    chosen = read_headline()
    assert chosen.together
    facts = score_facts(chosen)
    one = pd.read_csv(paths.RELEASE / "scores.csv")
    one = one[(one.collection == "undesa_imfsc") & (one.horizon == "annual") & (one.criterion == "residence")]
    assert int(facts["immigration_cells"].replace(",", "")) > 3 * one.loc[one.side == "immigration", "n"].max()
