"""Definitions of reports as data: what each reporter's system counts, and what is expected of its numbers."""
import re

import numpy as np
import pandas as pd
import pytest

from humanflows import paths
from humanflows.errors import DuplicateKeyError, InputError, SchemaError, UnknownTerritoryError, YearRangeError
from humanflows.panel.reporting_systems import (
    CHECKED,
    CLASS_COLUMNS,
    CLASSES,
    DURATIONS,
    SYSTEM_COLUMNS,
    SYSTEMS,
    add_priors,
    describe_reports,
    read_classes,
    read_coefficients,
    read_systems,
)

ROW = {"source": "*", "reporter": "SWE", "side": "*", "criterion": "*", "first_year": "", "last_year": "",
       "system": "register", "duration": "12", "flow_type": "movement", "class": "register_exchange",
       "checked": "page", "breaks": "", "reference": "poulain2006", "note": ""}
PRIOR = {"part": "class", "name": "platform", "side": "both", "log_bias_mean": "0", "log_bias_sd": "0.1",
         "spread": "0.2", "basis": "choice", "reference": "", "note": ""}


def table(tmp_path, *changes, row=ROW, columns=SYSTEM_COLUMNS, name="reporting_systems.csv"):
    """A file with one row for each mapping of changes."""
    file = tmp_path / name
    pd.DataFrame([{**row, **c} for c in changes], columns=list(columns)).to_csv(file, index=False)
    return file


def reports(*years, source="oecd", reporter="SWE", side="immigration", criterion="citizenship", flow_type="movement"):
    return pd.DataFrame([{"source": source, "reporter": reporter, "side": side, "criterion": criterion,
                          "flow_type": flow_type, "year": y} for y in years])


# --- What a table may not hold ------------------------------------------------------------------------------------

@pytest.mark.parametrize(("column", "value", "kind"), [
    ("reporter", "SWD", UnknownTerritoryError), ("reporter", "", UnknownTerritoryError),
    ("side", "arrivals", SchemaError), ("criterion", "nationality", SchemaError), ("system", "census", SchemaError),
    ("duration", "9", SchemaError), ("class", "good", SchemaError), ("flow_type", "event", SchemaError),
    ("checked", "yes", SchemaError), ("source", "", SchemaError), ("source", "oecd|", SchemaError),
    ("source", "oecd|*", SchemaError), ("source", "oecd|oecd", SchemaError), ("first_year", "20O1", YearRangeError),
    ("first_year", "2001.5", YearRangeError), ("last_year", "1867", YearRangeError), ("reference", "", SchemaError),
    ("breaks", "2008 new method", SchemaError), ("breaks", "2008:", SchemaError)])
def test_a_value_that_is_not_declared_names_file_row_and_remedy(tmp_path, column, value, kind):
    file = table(tmp_path, {"reporter": "NOR"}, {column: value})
    with pytest.raises(kind) as error:
        read_systems(file)
    assert error.value.file == str(file) and "row 3" in str(error.value.key) and error.value.remedy


def test_a_span_that_ends_before_it_begins_is_an_error(tmp_path):
    with pytest.raises(YearRangeError, match="row 2"):
        read_systems(table(tmp_path, {"first_year": "2010", "last_year": "2009"}))


def test_a_break_outside_its_span_is_an_error(tmp_path):
    with pytest.raises(YearRangeError, match="row 2"):
        read_systems(table(tmp_path, {"last_year": "2007", "breaks": "2008: another method"}))


@pytest.mark.parametrize("other", [
    {"first_year": "2005"}, {"first_year": "2000", "last_year": "2000"}, {}])
def test_two_rows_of_equal_specificity_may_not_speak_of_one_year(tmp_path, other):
    with pytest.raises(DuplicateKeyError) as error:
        read_systems(table(tmp_path, {"last_year": "2005"}, other))
    assert "2" in str(error.value.key) and "3" in str(error.value.key)


def test_lists_of_sources_that_share_a_name_overlap(tmp_path):
    with pytest.raises(DuplicateKeyError):
        read_systems(table(tmp_path, {"source": "oecd|eurostat"}, {"source": "eurostat|undesa_imfsc"}))


@pytest.mark.parametrize("other", [{"first_year": "2006"}, {"side": "emigration"}, {"source": "oecd"},
                                   {"criterion": "residence"}, {"reporter": "NOR"}])
def test_rows_that_differ_in_years_or_specificity_stand_together(tmp_path, other):
    assert len(read_systems(table(tmp_path, {"last_year": "2005"}, other))) == 2


def test_a_column_that_is_absent_or_too_many_is_an_error(tmp_path):
    file = table(tmp_path, {}, columns=[c for c in SYSTEM_COLUMNS if c != "class"])
    with pytest.raises(SchemaError, match="class"):
        read_systems(file)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b'source,reporter\n"a,b\n'])
def test_a_file_that_is_no_table_is_one_plain_error(tmp_path, content):
    file = tmp_path / "reporting_systems.csv"
    file.write_bytes(content)
    with pytest.raises(SchemaError) as error:
        read_systems(file)
    assert error.value.file == str(file) and error.value.remedy


def test_a_file_that_is_absent_is_named(tmp_path):
    with pytest.raises(SchemaError, match=r"nothing\.csv"):
        read_systems(tmp_path / "nothing.csv")


@pytest.mark.parametrize(("column", "value"), [
    ("name", "good"), ("part", "system"), ("side", "immigration"), ("log_bias_mean", "a"), ("log_bias_sd", "0"),
    ("log_bias_sd", "-1"), ("spread", ""), ("log_bias_mean", "inf"), ("basis", "guess")])
def test_a_prior_that_cannot_be_used_names_file_row_and_remedy(tmp_path, column, value):
    whole = pd.read_csv(paths.REPORTING_CLASSES, dtype=str, keep_default_na=False)
    row = whole.index[(whole["part"] == "class") & (whole["name"] == "platform")][0]
    whole.loc[row, column] = value
    file = tmp_path / "reporting_classes.csv"
    whole.to_csv(file, index=False)
    with pytest.raises(InputError) as error:
        read_classes(file)
    assert error.value.file == str(file) and error.value.remedy


def test_a_class_without_a_prior_on_one_side_is_an_error(tmp_path):
    with pytest.raises(SchemaError, match="register_exchange"):
        read_classes(table(tmp_path, {}, row=PRIOR, columns=CLASS_COLUMNS, name="reporting_classes.csv"))


# --- Which row speaks ------------------------------------------------------------------------------------------------

def test_the_row_that_names_more_wins_in_the_order_of_the_keys(tmp_path):
    systems = read_systems(table(
        tmp_path, {"note": "reporter"}, {"source": "oecd|eurostat", "note": "source"}, {"side": "immigration",
        "note": "side"}, {"criterion": "citizenship", "note": "criterion"}, {"source": "oecd", "side": "emigration",
        "note": "source and side"}, {"reporter": "*", "source": "oecd", "side": "immigration",
        "criterion": "citizenship", "note": "all but the reporter"}))
    said = {name: describe_reports(reports(2001, **which), systems)["note"].iloc[0] for name, which in {
        "source": {}, "source and side": {"side": "emigration"}, "side": {"source": "undesa_imfsc"},
        "criterion": {"source": "undesa_imfsc", "side": "emigration"},
        "reporter": {"source": "undesa_imfsc", "side": "emigration", "criterion": "residence"},
        "all but the reporter": {"reporter": "NOR"}}.items()}
    assert said == {name: name for name in said}


def test_a_year_outside_every_span_has_no_definition(tmp_path):
    systems = read_systems(table(tmp_path, {"last_year": "2007"}, {"first_year": "2009"}))
    assert describe_reports(reports(2007, 2009), systems)["year"].tolist() == [2007, 2009]
    with pytest.raises(SchemaError) as error:
        describe_reports(reports(2007, 2008, 2009), systems)
    assert "oecd|SWE|immigration|citizenship" in str(error.value.key) and "2008" in str(error.value.key)


def test_a_reporter_that_the_table_does_not_know_is_named():
    with pytest.raises(SchemaError, match=r"oecd\|BRA"):
        describe_reports(pd.concat([reports(2001), reports(2001, reporter="BRA")]))


def test_movements_and_transitions_may_not_be_confused(tmp_path):
    with pytest.raises(SchemaError, match="transition"):
        describe_reports(reports(2001, flow_type="transition"), read_systems(table(tmp_path, {})))


def test_a_table_without_reports_is_described_by_none():
    assert describe_reports(reports(2001).iloc[:0]).empty


def test_reports_of_one_series_and_year_are_described_once():
    assert len(describe_reports(pd.concat([reports(2001), reports(2001)]))) == 1


# --- The project's own tables --------------------------------------------------------------------------------------

def test_every_reference_is_in_the_bibliography():
    keys = set(re.findall(r"^@\w+\{(\w+),", (paths.BOOK / "references.bib").read_text(encoding="utf-8"), re.M))
    for frame in (read_systems(), read_classes(), read_coefficients()):
        used = {k for cell in frame["reference"] for k in cell.split(";") if k}
        assert used and used <= keys


def test_every_source_that_is_named_is_in_the_catalogue():
    from humanflows.sources.catalogue import SOURCES

    named = {n for cell in read_systems()["source"] for n in cell.split("|")} - {"*"}
    assert named <= {n for n, s in SOURCES.items() if {"flow", "period_flow"} & set(s.tables)}


def test_priors_of_durations_are_those_of_the_published_coefficients():
    coefficients, priors = read_coefficients(), read_classes()
    logs = -np.log(coefficients.pivot(index="duration", columns="model", values="coefficient"))
    told = priors[priors["part"] == "duration"].set_index("name")
    for duration in logs.index:
        assert told.at[duration, "log_bias_mean"] == pytest.approx(logs.at[duration, "IMEM"], abs=6e-4)
        if duration != "12":      # the yardstick itself: its deviation is a choice, and says so
            assert told.at[duration, "log_bias_sd"] == pytest.approx(logs.loc[duration].std(ddof=1), abs=6e-4)
    assert set(logs.index) | {"unknown"} == set(DURATIONS)


def test_every_declared_value_is_used_or_explained():
    systems = read_systems()
    assert set(systems["class"]) == set(CLASSES) and set(systems["system"]) == set(SYSTEMS)
    assert set(systems["checked"]) <= set(CHECKED)


def test_what_was_not_checked_says_so():
    systems = read_systems()
    bare = systems[(systems["checked"] == "no") & (systems["duration"] != "unknown")]
    assert bare["note"].str.contains("not found|not verified|numbers|Whether").all(), bare["reporter"].tolist()


def test_the_prior_of_a_report_is_that_of_its_duration_and_its_class():
    told = add_priors(describe_reports(reports(2001, reporter="DEU", source="undesa_imfsc", criterion="residence")))
    priors = read_classes().set_index(["part", "name", "side"])
    parts = [priors.loc[("duration", "none", "*")], priors.loc[("class", "register_corrected", "immigration")]]
    assert told["log_bias_mean"].iloc[0] == pytest.approx(sum(p["log_bias_mean"] for p in parts))
    assert told["log_bias_sd"].iloc[0] == pytest.approx(np.hypot(*(p["log_bias_sd"] for p in parts)))
    assert told["spread"].iloc[0] == parts[1]["spread"]


@pytest.fixture(scope="module")
def panel_flow():
    """Reports of every source of the catalogue whose files are on this machine, and the names of these sources."""
    from humanflows.sources.catalogue import SOURCES, load_source

    frames = {}
    for name, source in SOURCES.items():
        if "flow" in source.tables:
            folders = [f for f in (paths.mirror(), paths.CACHE) if f is not None]
            if all(any((folder / f).is_file() for folder in folders) for f in source.files):
                frames[name] = load_source(name)["flow"]
    if not frames:
        pytest.skip("no source of reported flows is on this machine (neither mirrored nor downloaded)")
    return pd.concat(frames.values(), ignore_index=True), set(frames)


@pytest.mark.sources
def test_every_report_of_the_panel_has_a_definition(panel_flow):
    flow, _ = panel_flow
    told = describe_reports(flow)
    assert len(told) == len(flow.drop_duplicates(["source", "reporter", "side", "criterion", "year"]))
    assert add_priors(told)["log_bias_mean"].notna().all()


@pytest.mark.sources
def test_sums_over_years_have_one_definition_from_first_to_last(source_file):
    from humanflows.sources.catalogue import SOURCES, load_source

    for name, source in SOURCES.items():
        if "period_flow" in source.tables:
            for file in source.files:
                source_file(file)
            frame = load_source(name)["period_flow"]
            first, last = (describe_reports(frame.rename(columns={c: "year"})) for c in ("first_year", "last_year"))
            assert first["row"].tolist() == last["row"].tolist() and len(first)


@pytest.mark.sources
def test_every_row_speaks_of_some_report(panel_flow):
    """A row that no report needs is a slip of a code or of a year, unless it waits for newer numbers."""
    flow, present = panel_flow
    used = set(describe_reports(flow)["row"])
    systems = read_systems()
    named = systems["source"].map(lambda s: set(s.split("|")) if s != "*" else set())
    needed = named.map(lambda names: not names or bool(names & present))
    waits = systems["first_year"] > systems["reporter"].map(flow.groupby("reporter")["year"].max())
    idle = systems[needed & ~waits & ~systems.index.isin(used)]
    assert idle.empty, idle[["source", "reporter", "side", "criterion", "first_year"]].to_string()


def test_real_reports_without_a_definition_stop_the_harmonising(monkeypatch):
    from humanflows import pipeline
    from humanflows.config import load_config

    monkeypatch.setattr(pipeline.catalogue, "load_all", lambda: {"flow": reports(2001, reporter="BRA")})
    monkeypatch.setattr(pipeline, "add_reconstruction", lambda tables: tables)
    with pytest.raises(SchemaError, match=r"oecd\|BRA"):
        pipeline.read_tables(load_config("world"))
