"""What a page says equals what the dataset answers."""
import numpy as np
import pytest

from humanflows.countries import sentences, tables
from humanflows.dataset.answers import Answers
from humanflows.dataset.grades import GRADES
from humanflows.errors import ArtifactError

from .conftest import CODES, YEARS, list_files, write_release


@pytest.fixture(scope="module")
def answers(release):
    return Answers(release)


@pytest.mark.parametrize("code", CODES)
def test_totals_and_corridors_are_the_datasets(answers, estimates, code):
    country = tables.describe(answers, code)
    net = estimates.net(code)
    for own, other in (("arrivals", "inflow"), ("departures", "outflow"), ("net", "net_migration"),
                       ("net_lower", "net_migration_lower"), ("net_upper", "net_migration_upper")):
        np.testing.assert_allclose(country.totals[own], net[other], rtol=1e-6)
    for side, name in (("arrivals", "inflow"), ("departures", "outflow")):
        top = estimates.top(name, code, YEARS[-1])
        own = country.corridors[side]
        assert [c.code for c in own] == top["origin" if side == "arrivals" else "destination"].tolist()
        for column, attribute in (("flow", "flow"), ("flow_lower", "lower"), ("flow_upper", "upper"),
                                  ("share", "share")):
            np.testing.assert_allclose([getattr(c, attribute) for c in own], top[column], rtol=1e-6)
        assert [c.grade for c in own] == top.grade.tolist() and [c.basis for c in own] == top.basis.tolist()
        np.testing.assert_allclose(country.totals[f"{side}_upper"], 1.25 * country.totals[side], rtol=1e-5)


def test_people_are_the_datasets(answers, estimates):
    country = tables.describe(answers, "DEU")
    living = estimates.stock(residence="DEU", years=YEARS[-1] + 1).set_index("birthplace").stock.drop("DEU")
    assert country.born_elsewhere.codes[0] == living.idxmax()
    assert country.born_elsewhere.total[-1] == pytest.approx(living.sum())
    away = estimates.stock(birthplace="DEU", years=YEARS[-1] + 1).set_index("residence").stock.drop("DEU")
    assert country.living_elsewhere.total[-1] == pytest.approx(away.sum())
    assert country.living_elsewhere.lower[0] == pytest.approx(0.9 * away.max(), rel=1e-5)


def test_shares_follow_the_masks(answers, estimates):
    country = tables.describe(answers, "DEU")
    for shares in (*country.provenance.values(), *country.graded.values()):
        np.testing.assert_allclose(shares.sum(0), 1)
    arrivals = country.provenance["arrivals"]
    inflow = estimates.net("DEU").inflow.to_numpy()
    from_nld, from_syr = (estimates.flow(c, "DEU").flow.to_numpy() / inflow for c in ("NLD", "SYR"))
    kind = {name: arrivals[k] for k, name in enumerate(tables.PROVENANCE)}
    np.testing.assert_allclose(kind["both offices"], np.where(np.array(YEARS) >= 2020, from_nld, 0), rtol=1e-5)
    np.testing.assert_allclose(kind["the destination's office"],
                               np.where(np.array(YEARS) < 2020, from_nld, 0)
                               + np.where(np.array(YEARS) <= 2021, from_syr, 0), rtol=1e-5)
    np.testing.assert_allclose(kind["neighbouring years"], np.where(np.array(YEARS) > 2021, from_syr, 0), rtol=1e-5)
    platform = tables.describe(answers, "TUV").provenance["departures"][tables.PROVENANCE.index("a platform")]
    assert platform[-1] > 0 and not platform[:-1].any()


def test_the_typical_grade_is_the_weighted_median(answers, estimates):
    for code in CODES:
        rows = [estimates.top(side, code, YEARS[-1], len(CODES)) for side in ("inflow", "outflow")]
        people = {g: sum(r.flow[r.grade == g].sum() for r in rows) for g in GRADES}
        total, so_far = sum(people.values()), 0.0
        for grade in GRADES:
            so_far += people[grade]
            if so_far >= total / 2:
                break
        assert tables.describe(answers, code).typical == grade


def test_who_reports(answers, estimates):
    reports = tables.describe(answers, "DEU").reports
    assert reports.own == {"arrivals": YEARS, "departures": []}
    assert reports.others == {"arrivals": YEARS[2:], "departures": []} and reports.partners["arrivals"] == 1
    flows = estimates.top("inflow", "DEU", YEARS[-1])
    assert reports.never["arrivals"].code == flows[flows.basis == "modelled"].origin.iloc[0]
    text = " ".join(sentences.how_sure(tables.describe(answers, "SYR")))
    assert "No office of Syria" in text and "(last in 2021)" in text and "No office's report" in text
    text = " ".join(sentences.how_sure(tables.describe(answers, "NLD")))
    assert "The office of the Netherlands reports departures in 2020–2023." in text


def test_without_intervals_and_masks(bare):
    country = tables.describe(Answers(bare), "DEU")
    assert not country.known and not country.intervals and country.typical == "" and country.reports is None
    assert set(country.totals) == {"arrivals", "departures", "net"}
    assert "does not say who" in " ".join(sentences.how_sure(country))
    assert "interval" not in " ".join(sentences.headline(country)) and "grade" not in sentences.headline(country)[1]


def test_totals_of_another_release_are_refused(tmp_path):
    folder = write_release(tmp_path)
    (folder / "sums.csv").write_text((folder / "sums.csv").read_text().replace("World", "world", 1))
    with pytest.raises(ArtifactError, match="not the version that the release's manifest lists"):
        tables.total_ends(folder)
    (folder / "sums.csv").write_text("total,origin,year\ninto,World,2020\n")
    list_files(folder)
    with pytest.raises(ArtifactError, match="not a table of totals"):
        tables.total_ends(folder)
