"""The chapter on methods: its tables are the model's settings, and it says when the release is of another method."""
import dataclasses

import pytest

from humanflows import book, config, method_pages, paths


def test_every_part_is_registered_and_shown_by_the_page():
    page = (paths.BOOK / "methods.md").read_text(encoding="utf-8")
    parts = book.generated_parts("twin")
    for section in method_pages.SECTIONS:
        assert f"<!-- generated: method_{section} -->" in page
        assert parts[f"method_{section}"]().strip()


@pytest.mark.parametrize("section, part", [("data", "observation"), ("effects", "effects")])
def test_every_setting_is_told(section, part, monkeypatch):
    """A deviation that nobody reads of would be an assumption that nobody can judge."""
    def text():
        (table,) = (block for block in method_pages.section(section) if not isinstance(block, str))
        return str(table.rows)

    before, settings = text(), getattr(config.load_config("world"), part)
    for field in dataclasses.fields(settings):
        if field.name != "leave_out":
            changed = dataclasses.replace(config.load_config("world"), **{
                part: dataclasses.replace(settings, **{field.name: 7.654})})
            with monkeypatch.context() as patch:
                patch.setattr(method_pages, "load_config", lambda profile, changed=changed: changed)
                assert text() != before, f"{field.name} is not in the table"


def test_constants_of_the_model_are_told_as_they_are(monkeypatch):
    """What is no setting stands in the tables and below them, too, and changes with the code."""
    from humanflows.model import effects, observation, observation_data, spreads

    def text():
        return " ".join(str(getattr(b, "rows", b)) for which in method_pages.SECTIONS
                        for b in method_pages.section(which))

    before = text()
    for module, name, value in (
            (spreads, "COUNT", 9.0), (spreads, "PRIOR_CELLS", 77.0), (observation, "LASTING", 0.11),
            (observation, "SCATTER_SD", 0.77), (observation, "CORRIDOR", 0.77), (observation, "YEAR", 0.77),
            (observation_data, "EXTRAPOLATED", 7.0), (observation_data, "PROJECTED_FROM", 2019),
            (observation_data, "FEW_MISSED", 0.77), (observation_data, "ANCHORS", ("survey",)),
            (effects, "SCALAR", 0.77)):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, value)
            assert text() != before, f"{name} is not told"


def test_every_anchor_is_a_class_of_the_chapter_on_reporting_systems():
    from humanflows.model.observation_data import ANCHORS
    from humanflows.panel.reporting_systems import CLASSES

    told = method_pages.section("data")[-1]
    for name in CLASSES:
        assert (f"`{name}`" in told) == (name in ANCHORS), name
