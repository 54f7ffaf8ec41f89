"""Charts, by what lies on the axes."""
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.colors import to_hex
from matplotlib.text import Text

from humanflows import plotting as p
from humanflows.errors import InputError

RNG = np.random.default_rng(7)


def words(ax):
    return [t.get_text() for t in ax.texts]


def grid(rows, columns):
    return plt.figure(figsize=(3 * columns, 3 * rows)).subplots(rows, columns)


# -- totals -----------------------------------------------------------------------------------------------------------
def test_totals_are_drawn_in_millions_and_named_at_their_ends(ax, draw):
    p.plot_total_flow({"humanflows": ([2001, 2000], [14e6, 13e6]), "Others": ([2000, 2001], [20e6, 21e6])}, ax=ax)
    lines = {line.get_label(): line for line in ax.get_lines()}
    assert list(lines["humanflows"].get_xdata()) == [2000, 2001]        # sorted by year
    assert list(lines["humanflows"].get_ydata()) == [13, 14]
    assert lines["humanflows"].get_color() == p.OWN != lines["Others"].get_color()
    assert {w.replace("\n", " ") for w in words(ax)} == {"humanflows", "Others"}
    assert "million" in ax.get_ylabel() and ax.get_ylim()[0] == 0
    draw(ax)


def test_five_year_means_span_five_years(ax):
    p.plot_total_flow({"five": ([1992.5, 1997.5], [10e6, 12e6])}, ax=ax)
    segments = ax.collections[0].get_segments()
    assert [tuple(s[:, 0]) for s in segments] == [(1990, 1995), (1995, 2000)]


def test_names_of_close_totals_do_not_overlap(ax, draw):
    p.plot_total_flow({f"peer {i}": ([2000, 2001], [10e6, 10e6 + i]) for i in range(6)}, ax=ax)
    draw(ax)
    boxes = sorted((Text.get_window_extent(t) for t in ax.texts), key=lambda b: b.y0)
    assert len(boxes) == 6
    assert all(low.y1 <= high.y0 + 1 for low, high in pairwise(boxes))


@pytest.mark.parametrize("series", [{}, {"a": ([2000], [1.0, 2.0])}, {"a": ([2000], [np.nan])}])
def test_totals_refuse_what_they_cannot_draw(ax, series):
    with pytest.raises(InputError):
        p.plot_total_flow(series, ax=ax)


# -- corridors --------------------------------------------------------------------------------------------------------
@pytest.fixture
def flow():
    places = ["MEX", "USA", "DEU"]
    return xr.DataArray(np.arange(27.0).reshape(3, 3, 3) * 1000, dims=("year", "origin", "destination"),
                        coords={"year": [2000, 2001, 2002], "origin": places, "destination": places})


@pytest.fixture
def reports():
    return pd.DataFrame([("undesa_imfsc", "immigration", "residence", 2000, "MEX", "USA", 5_000.0),
                         ("oecd", "immigration", "citizenship", 2001, "MEX", "USA", 6_000.0),
                         ("oecd", "immigration", "citizenship", 2001, "DEU", "USA", 9_000.0)],
                        columns=["collection", "side", "criterion", "year", "origin", "destination", "persons"])


def test_intervals_are_bands_and_a_wide_one_does_not_flatten_the_rest(flow, reports, draw):
    bounds = xr.Dataset({"flow_lower": flow / 2, "flow_upper": flow * 50})
    ax = grid(1, 1)
    p.plot_corridors(flow, reports, ["MEX-USA"], axes=[ax], bounds=bounds)
    band = ax.collections[-1].get_paths()[0].vertices
    here = flow.sel(origin="MEX", destination="USA").values / 1000
    assert band[:, 1].min() == pytest.approx(here.min() / 2) and band[:, 1].max() == pytest.approx(here.max() * 50)
    assert ax.get_ylim()[1] <= 2.2 * max(here.max(), 6)
    assert "95% interval" in [t.get_text() for t in ax.figure.legends[0].get_texts()]
    draw(ax)


def test_the_total_has_a_band(ax, draw):
    p.plot_total_flow({"humanflows": ([2000, 2001], [10e6, 12e6])}, ax=ax,
                      band=([2000, 2001], [8e6, 9e6], [12e6, 15e6]))
    band = ax.collections[0].get_paths()[0].vertices
    assert {8.0, 9.0, 12.0, 15.0} <= set(band[:, 1]) and ax.get_ylim()[1] >= 15
    draw(ax)


def test_a_corridor_shows_the_estimate_and_its_reports_alone(flow, reports, draw):
    axes = grid(1, 3)
    p.plot_corridors(flow, reports, ["MEX-USA", "USA-DEU"], axes=axes)
    first = axes[0]
    assert first.get_title(loc="left") == "Mexico → United States"
    assert list(first.get_lines()[0].get_ydata()) == list(flow.sel(origin="MEX", destination="USA").values / 1000)
    points = np.vstack([c.get_offsets() for c in first.collections])
    assert sorted(map(tuple, points)) == [(2000, 5), (2001, 6)]
    # Counted by citizenship: hollow.
    assert sorted(len(c.get_facecolor()) for c in first.collections) == [0, 1]
    assert not axes[1].collections and axes[1].get_lines()
    assert not axes[2].axison
    labels = [t.get_text() for t in first.figure.legends[0].get_texts()]
    assert labels[0] == "estimate" and "OECD" in labels and any("hollow" in label for label in labels)
    draw(first)


def test_a_source_keeps_its_colour(flow, reports):
    axes = grid(1, 2)
    p.plot_corridors(flow, reports, ["MEX-USA", "DEU-USA"], axes=axes)
    edges = [{to_hex(c.get_edgecolor()[0]) for c in a.collections} for a in axes]
    assert edges[1] <= edges[0] and len(edges[0]) == 2


def test_corridors_refuse_what_they_cannot_draw(flow, reports):
    axes = grid(1, 2)
    with pytest.raises(InputError, match="no corridor"):
        p.plot_corridors(flow, reports, [], axes=axes)
    with pytest.raises(InputError, match="FRA"):
        p.plot_corridors(flow, reports, ["FRA-USA"], axes=axes)
    with pytest.raises(InputError, match="3 panels for 2"):
        p.plot_corridors(flow, reports, ["MEX-USA"] * 3, axes=axes)
    with pytest.raises(InputError, match="criterion"):
        p.plot_corridors(flow, reports.drop(columns="criterion"), ["MEX-USA"], axes=axes)


# -- scatters ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("plot", [p.plot_held_out_scatter, p.plot_stock_fit])
def test_few_cells_are_points_and_many_are_hexagons(plot, draw):
    few, many = grid(1, 2)
    plot([0, 9, 99], [9, 9, 999], ax=few)
    offsets = few.collections[-1].get_offsets()
    assert np.allclose(offsets, [[0, 1], [1, 1], [2, 3]])       # log10(1 + persons)
    observed = RNG.lognormal(5, 2, 800)
    plot(observed, observed * 1.5, ax=many, notes={"n": 800, "R": 0.912, "log R": np.nan})
    hexagons = [c for c in many.collections if c.get_array() is not None]
    assert hexagons[0].get_array().sum() == 800
    text = words(many)[0]
    assert "n 800" in text and "R 0.91" in text and "log R –" in text and "100% within a factor of two" in text
    for ax in (few, many):
        assert ax.get_xlim() == ax.get_ylim() and "persons" in ax.get_xlabel() and "persons" in ax.get_ylabel()
        assert "0" in [t.get_text() for t in ax.get_xticklabels()]
    draw(few)


def test_the_line_of_equality_lies_on_the_diagonal(ax):
    p.plot_held_out_scatter([10, 20], [20, 10], ax=ax)
    equal = next(line for line in ax.get_lines() if line.get_label() == "equal")
    assert np.array_equal(equal.get_xdata(), equal.get_ydata())


def test_zeros_are_counted_and_not_lost(ax):
    p.plot_held_out_scatter([0, 0, 100, 100], [5, 7, 100, 1_000], ax=ax)
    assert "50% reported as 0" in words(ax)[0] and "median estimate 6" in words(ax)[0]
    assert "50% within a factor of two" in words(ax)[0]


@pytest.mark.parametrize("plot", [p.plot_held_out_scatter, p.plot_stock_fit, p.plot_true_vs_estimated])
@pytest.mark.parametrize(("one", "two", "problem"), [
    ([], [], "no cell"), ([1], [1, 2], "1 values beside 2"), ([1, np.nan], [1, 2], "missing"),
    ([1, 2], [-1, 2], "negative")])
def test_scatters_refuse_what_they_cannot_draw(plot, one, two, problem, ax):
    with pytest.raises(InputError, match=problem):
        plot(one, two, ax=ax)


# -- the twin ---------------------------------------------------------------------------------------------------------
def test_corridors_with_and_without_a_report_are_told_apart(ax, draw):
    true = RNG.lognormal(4, 2, 300)
    seen = np.arange(300) < 100
    p.plot_true_vs_estimated(true, true, observed=seen, ax=ax)
    counts = {c.get_label(): len(c.get_offsets()) for c in ax.collections if "corridors" in str(c.get_label())}
    assert counts == {"corridors with a report": 100, "corridors never reported": 200}
    assert any("100 cells" in w for w in words(ax)) and any("100% within" in w for w in words(ax))
    draw(ax)
    with pytest.raises(InputError, match="2 marks for 3"):
        p.plot_true_vs_estimated([1, 2, 3], [1, 2, 3], observed=[True, False], ax=ax)


def test_the_running_median_is_the_median(ax):
    true = np.full(60, 99.0)
    estimated = np.concatenate([np.full(30, 9.0), np.full(30, 999.0)])
    other = np.full(40, 9_999.0)
    p.plot_true_vs_estimated(np.concatenate([true, other]), np.concatenate([estimated, other]), ax=ax)
    line = ax.get_lines()[-1]
    assert line.get_ydata() == pytest.approx([2.0, 4.0])       # between 10 and 1,000; then 10,000


# -- scores -----------------------------------------------------------------------------------------------------------
@pytest.fixture
def scores():
    rows = [("undesa_imfsc", side, "residence", "annual", peer, 100, r, r - 0.1, r - 0.2, within)
            for side in ("immigration", "emigration")
            for peer, r, within in (("humanflows", 0.9, 0.6), ("gravity", 0.7, np.nan), ("the reference", 0.8, 0.65))]
    return pd.DataFrame(rows, columns=["collection", "side", "criterion", "horizon", "peer", "n", "r", "log_r", "cpc",
                                       "within_r"])


def test_scores_are_a_dot_for_each_peer_side_and_measure(scores, ax, draw):
    p.plot_score_table(scores, ax=ax)
    panels = ax.child_axes
    assert [a.get_title(loc="left") or a.get_title() for a in panels] == [
        "R", "R of logarithms", "share in common (CPC)", "R within corridors"]
    peers = [t.get_text() for t in panels[0].get_yticklabels()]
    assert peers == ["humanflows", "the reference", "gravity"] * 2      # best first, for each side
    values = [t.get_text() for t in panels[0].texts]
    assert values.count("0.90") == 2 and values.count("0.70") == 2
    assert sum("not defined" in w for w in words(panels[3])) == 2
    draw(ax)


def test_the_best_of_a_column_is_ringed_whoever_it_is(scores, ax):
    p.plot_score_table(scores, ax=ax)
    for panel, best in ((ax.child_axes[0], 0.9), (ax.child_axes[3], 0.65)):
        rings = [line for line in panel.get_lines() if line.get_markerfacecolor() == "none"]
        assert [line.get_xdata()[0] for line in rings] == [best, best]


def test_less_error_is_better_and_bias_is_best_at_nought(scores, ax):
    scores = scores.assign(abs_log_error=[1.0, 2, 3] * 2, log_bias=[-0.2, 0.1, 0.5] * 2)
    p.plot_score_table(scores, ax=ax, metrics=("abs_log_error", "log_bias"))
    for panel, best in zip(ax.child_axes, (1.0, 0.1)):
        rings = [line for line in panel.get_lines() if line.get_markerfacecolor() == "none"]
        assert [line.get_xdata()[0] for line in rings] == [best, best]
    assert "better" in ax.child_axes[0].get_xlabel() and "0" in ax.child_axes[1].get_xlabel()


def test_what_a_peer_learned_from_is_written_below(scores, ax):
    p.plot_score_table(scores.assign(learned_from=scores.peer.map({"gravity": "distance alone"})), ax=ax)
    assert any("gravity: distance alone" in w for w in words(ax))


def test_scores_refuse_what_they_cannot_draw(scores, ax):
    with pytest.raises(InputError, match="no score"):
        p.plot_score_table(scores.iloc[:0], ax=ax)
    with pytest.raises(InputError, match="five_year"):
        p.plot_score_table(scores, ax=ax, horizon="five_year")
    with pytest.raises(InputError, match="crps"):
        p.plot_score_table(scores, ax=ax, metrics=("crps",))


# -- training ---------------------------------------------------------------------------------------------------------
@pytest.fixture
def history():
    return pd.DataFrame({"epoch": [0, 1, 2, 3], "loss": [400.0, -20, -100, -120], "validation": [3.0, np.nan, 1.0, 1.5],
                         "reports": [380.0, -60, -150, -180], "tie": [20.0, 40, 50, 60]})


@pytest.fixture
def both():
    figure, axes = plt.subplots(1, 2, figsize=(12, 4.5))
    yield axes
    plt.close(figure)


def test_training_shows_what_each_term_gains_and_the_best_epoch(history, both, draw):
    """Nats may be below zero, where a logarithmic axis would hide them."""
    left, right = p.plot_training(history, axes=both)
    lines = {line.get_label(): list(line.get_ydata()) for line in left.get_lines()}
    assert lines["reports"] == [0, -440, -530, -560] and lines["effects: ties"] == [0, 20, 30, 40]
    assert lines["loss"] == [0, -420, -500, -520]
    score = {line.get_label(): line for line in right.get_lines()}["validation"]
    assert list(score.get_xdata()) == [0, 2, 3] and list(score.get_ydata()) == [3.0, 1.0, 1.5]   # unmeasured: left out
    assert "best epoch 2" in words(right) and "nats" in left.get_ylabel() and "nats" in right.get_ylabel()
    draw(left)


def test_training_chooses_among_the_settled_epochs(history, both):
    _, right = p.plot_training(history, axes=both, settled=3)
    assert "best epoch 3" in words(right)


def test_terms_that_change_least_are_added_up(history, both):
    many = history.assign(**{f"term_{k}": [0.0, 0, 0, 0.1 * k] for k in range(12)})
    left, _ = p.plot_training(many, axes=both)
    lines = {line.get_label(): list(line.get_ydata()) for line in left.get_lines()}
    drawn = [v for name, v in lines.items() if name not in ("loss", "5 others") and len(v) == 4]
    assert len(drawn) == 9 and lines["5 others"][-1] == pytest.approx(0.1 * (0 + 1 + 2 + 3 + 4))


def test_training_refuses_what_it_cannot_draw(history, both, ax):
    with pytest.raises(InputError, match="no epoch"):
        p.plot_training(history.iloc[:0], axes=both)
    with pytest.raises(InputError, match="never measured"):
        p.plot_training(history.assign(validation=np.nan), axes=both)
    with pytest.raises(InputError, match="loss"):
        p.plot_training(history.drop(columns="loss"), axes=both)
    with pytest.raises(InputError, match="one axes for each panel"):
        p.plot_training(history, axes=[ax])


# -- provenance -------------------------------------------------------------------------------------------------------
def test_provenance_leaves_what_is_not_there_white(ax, draw):
    counts = pd.DataFrame([[0, 10, 20], [5, 0, 0]], index=["undesa_ims", "meta"], columns=[2000, 2001, 2002])
    p.plot_provenance_matrix(counts, ax=ax)
    mesh = ax.collections[0]
    assert np.ma.count(mesh.get_array()) == 3 and mesh.get_array().max() == 20
    assert [t.get_text() for t in ax.get_yticklabels()] == ["UN DESA migrant stock", "Meta"]
    assert {"30", "5", "in all"} <= set(words(ax))
    draw(ax)


@pytest.mark.parametrize("counts", [pd.DataFrame(), pd.DataFrame([[0, 0]]), pd.DataFrame([[3, -1]])])
def test_provenance_refuses_what_it_cannot_draw(counts, ax):
    with pytest.raises(InputError):
        p.plot_provenance_matrix(counts, ax=ax)


# -- bookkeeping ------------------------------------------------------------------------------------------------------
@pytest.fixture
def account():
    places = ["MEX", "USA", "DEU"]
    parts = {"stock_before": [1_000_000, 3_000_000, 800_000], "births": [20_000, 40_000, 7_000],
             "deaths": [8_000, 30_000, 9_000], "inflow": [3_000, 60_000, 30_000], "outflow": [50_000, 10_000, 12_000]}
    parts = {k: pd.Series(v, index=places, dtype=float) for k, v in parts.items()}
    parts["stock_after"] = (parts["stock_before"] + parts["births"] - parts["deaths"] + parts["inflow"]
                            - parts["outflow"])
    return parts


def test_an_account_leads_from_one_level_to_the_next(account, draw):
    axes = grid(1, 4)
    p.plot_accounting_example(**account, axes=axes)
    bars = {c.get_label(): c.patches[0] for c in axes[0].containers}
    assert list(bars) == ["born", "died", "arrived", "left"]
    assert bars["left"].get_height() == pytest.approx(-50) and bars["born"].get_y() == pytest.approx(1000)
    assert "965.0" in words(axes[0]) and "−50k" in words(axes[0])
    assert axes[0].get_title(loc="left") == "Mexico" and "thousand" in axes[0].get_ylabel()
    assert "million" in axes[1].get_ylabel() and not axes[3].axison
    draw(axes[0])


def test_what_an_account_leaves_over_is_shown(account):
    account["stock_after"] = account["stock_after"] + [5_000, 0, 0]
    axes = grid(1, 3)
    p.plot_accounting_example(**account, axes=axes)
    assert [c.get_label() for c in axes[0].containers][-1] == "left over"
    assert "left over" not in [c.get_label() for c in axes[1].containers]


def test_an_account_without_a_number_is_refused(account):
    axes = grid(1, 3)
    with pytest.raises(InputError, match="inflow has nothing for USA"):
        p.plot_accounting_example(**account | {"inflow": account["inflow"].drop("USA")}, axes=axes)
    with pytest.raises(InputError, match="no territory"):
        p.plot_accounting_example(**account | {"stock_before": account["stock_before"].iloc[:0]}, axes=axes)


# -- biases and features ----------------------------------------------------------------------------------------------
def test_biases_are_read_as_words_and_the_largest_are_shown(ax, draw):
    table = pd.DataFrame({"witness": ["undesa_imfsc|DEU|emigration|residence|movement", "meta",
                                      "oecd|USA|immigration|citizenship"],
                          "log_bias": [np.log(0.5), 0.01, np.log(3)]})
    p.plot_biases(table, ax=ax, largest=2)
    assert [t.get_text() for t in ax.get_yticklabels()] == [
        "Germany, departures (UN DESA flows)", "United States, arrivals by citizenship (OECD)"]
    assert words(ax) == ["reports 50% fewer", "reports 3.0 times as many"]
    assert "the 2 largest of 3" in ax.get_title(loc="left") and ax.get_xscale() == "log"
    draw(ax)


def test_biases_refuse_what_they_cannot_draw(ax):
    table = pd.DataFrame({"witness": ["a"], "log_bias": [0.0]})
    for broken in (table.iloc[:0], table.drop(columns="log_bias"), table.assign(log_bias=np.inf)):
        with pytest.raises(InputError):
            p.plot_biases(broken, ax=ax)


def test_features_are_shown_by_their_correlation(ax, draw):
    a = RNG.normal(size=200)
    p.plot_features(["one", "same_again", "against", "constant"], np.column_stack([a, 2 * a, -a, np.ones(200)]), ax=ax)
    shown = ax.collections[0].get_array()
    assert np.nanmin(shown) == pytest.approx(-1) and np.nanmax(shown) == pytest.approx(1)
    assert [t.get_text() for t in ax.get_yticklabels()] == ["one", "same again", "against", "constant"]
    assert len(ax.patches) == 4         # what does not vary has no correlation with anything
    draw(ax)
    with pytest.raises(InputError):
        p.plot_features([], np.zeros((3, 0)), ax=ax)
    with pytest.raises(InputError, match="2 names"):
        p.plot_features(["a", "b"], np.zeros((3, 3)), ax=ax)
