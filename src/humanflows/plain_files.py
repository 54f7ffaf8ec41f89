"""Small files that people write by hand, read as plain data: tables in CSV, settings in YAML.

Whatever such a file holds, it is read as what it says or refused with an error that names it: a spreadsheet's byte
order mark is no part of a name, a row that is too long loses nothing in silence, and a YAML file of a few lines cannot
stand for gigabytes (aliases are refused; nothing here needs them).
"""
import csv
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from .errors import ConfigError, SchemaError, SourceFileError

_NUMBERS = {int: (re.compile(r"[+-]?\d{1,18}"), "a whole number"),
            float: (re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,3})?", re.IGNORECASE), "a number")}


def read_table(file: Path, columns: Sequence[str], *, numbers: Mapping[str, type] | None = None):
    """A table from a CSV file in UTF-8, with or without byte order mark.

    Parameters
    ----------
    file : with one line of column names.
    columns : that the file must have; others stay, too.
    numbers : columns of numbers, with ``int`` or ``float``; all others are text as it stands.

    Returns
    -------
    DataFrame; no value is taken for a missing one.

    Raises
    ------
    SourceFileError
        When there is no such file.
    SchemaError
        When it is no UTF-8, is empty, lacks a column or has one twice, has a row of another length, or something else
        than a finite number where one is due.
    """
    import pandas as pd  # what reads settings alone need not wait for it

    file, numbers = Path(file), numbers or {}
    try:
        with open(file, encoding="utf-8-sig", newline="") as handle:
            rows = [row for row in csv.reader(handle, strict=True) if row]
    except FileNotFoundError as error:
        raise SourceFileError(file, "file is missing", "restore it from git") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise SchemaError(file, f"not readable as CSV in UTF-8 ({error})", "save it as CSV in UTF-8") from error
    if not rows:
        raise SchemaError(file, "the file is empty", f"restore it, with the columns {list(columns)}")
    head, *body = rows
    if absent := [c for c in columns if c not in head]:
        raise SchemaError(file, f"lacks the columns {absent}", f"give the columns {list(columns)}")
    if len(set(head)) < len(head):
        raise SchemaError(file, f"a column is there twice: {head}", f"give the columns {list(columns)}")
    for number, row in enumerate(body):
        if len(row) != len(head):
            raise SchemaError(file, f"{len(row)} values in a row of {len(head)} columns", "mend the row; put text with "
                              "commas in quotes", key=f"row {number}")
    frame = pd.DataFrame(body, columns=head, dtype=str)
    for name, kind in numbers.items():
        wanted, words = _NUMBERS[kind]
        bad = [k for k, text in enumerate(frame[name])
               if not wanted.fullmatch(text.strip()) or not math.isfinite(kind(text))]
        if bad:
            raise SchemaError(file, f"{name} is {frame[name].iloc[bad[0]]!r}, which is not {words}", "mend the row",
                              key=f"row {bad[0]}")
        frame[name] = frame[name].str.strip().astype("int64" if kind is int else "float64")
    return frame


class _PlainLoader(yaml.SafeLoader):
    """Plain data without aliases, each key once."""

    def compose_node(self, parent, index):
        if self.check_event(yaml.AliasEvent):
            alias = self.peek_event()
            raise yaml.composer.ComposerError(None, None, f"the alias *{alias.anchor} stands for something else: "
                                              "write out what is meant", alias.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key.value!r} is there twice",
                                                        key.start_mark)
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else None)
        return super().construct_mapping(node, deep)


def parse_yaml(text: str, file, remedy: str = "mend the file"):
    """Plain data from YAML; tags that would run code, aliases and repeated keys are refused.

    Raises
    ------
    ConfigError
        For whatever cannot be read; ``file`` and ``remedy`` are for its message.
    """
    try:
        return yaml.load(text, Loader=_PlainLoader)  # a SafeLoader
    except (yaml.YAMLError, ValueError, RecursionError) as error:   # numbers and dates that are none; deep nesting
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ConfigError(file, f"not readable as YAML ({reason})", remedy) from error


def read_yaml(file: Path, remedy: str = "mend the file"):
    """Plain data from a YAML file; see :func:`parse_yaml`."""
    try:
        text = Path(file).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(file, f"not readable as YAML ({error})", remedy) from error
    return parse_yaml(text, file, remedy)
