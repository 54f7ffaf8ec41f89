"""The chapter on methods: its tables are the model's settings, and it says when the release is of another method."""
import dataclasses
import json

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
        (table,) = method_pages.section(section)
        return str(table.rows)

    before, settings = text(), getattr(config.load_config("world"), part)
    for field in dataclasses.fields(settings):
        if field.name != "leave_out":
            changed = dataclasses.replace(config.load_config("world"), **{
                part: dataclasses.replace(settings, **{field.name: 7.654})})
            with monkeypatch.context() as patch:
                patch.setattr(method_pages, "load_config", lambda profile, changed=changed: changed)
                assert text() != before, f"{field.name} is not in the table"


@pytest.mark.parametrize("inputs, earlier", [({"loss": {}}, True), ({"observation": {}, "effects": {}}, False)])
def test_numbers_of_the_method_before_are_said_to_be(project, inputs, earlier):
    (paths.RELEASE / "manifest.json").write_text(json.dumps({"profile": "world", "inputs": inputs}))
    parts = book.generated_parts("world")
    assert bool(parts["earlier_method"]()) == earlier
    assert ("by its own method" in parts["release_banner"]()) == earlier and "Real sources" in parts["release_banner"]()
