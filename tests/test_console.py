"""What commands print on terminals of other encodings, and of people who want no colours."""
import csv
import io
import json
import os
import pty
import re
import subprocess
import sys

import pytest

COMMAND = [sys.executable, "-c", "from humanflows.cli import app; app()"]
ESCAPE = re.compile(rb"\x1b\[([0-9;]*)m")
COLOURS = re.compile(r"(^|;)(3[0-8]|4[0-8]|9[0-7]|10[0-7])(;|$)")


def ask(*words, **environment):
    return subprocess.run([*COMMAND, *words], capture_output=True, timeout=120, env=os.environ | environment)


@pytest.mark.parametrize("encoding", ["ascii", "cp1250"])
def test_no_letter_ends_an_answer(encoding):
    """Ivory Coast, Réunion, Curaçao and Türkiye are among those who come to France; Polish Windows has no û, no ñ."""
    words = "top", "inflow", "FRA", "--year", "2020", "-n", "300"
    table, rows, listed = (ask(*words, "-f", f, PYTHONIOENCODING=encoding) for f in ("table", "csv", "json"))
    assert {r.returncode for r in (table, rows, listed)} == {0}, (table.stderr, rows.stderr, listed.stderr)
    names = {r["origin"]: r["name"] for r in json.loads(listed.stdout.decode(encoding))}
    assert names["CIV"] == "Côte d'Ivoire" and names["TUR"] == "Türkiye"
    assert len(list(csv.DictReader(io.StringIO(rows.stdout.decode(encoding))))) == len(names)
    assert len(table.stdout.decode(encoding).splitlines()) == 1 + len(names)


@pytest.mark.parametrize("words", [("net", "--help"), ("report",), ("net", "Côte d’Azur")])
def test_no_letter_ends_help_a_report_or_an_error(words):
    done = ask(*words, PYTHONIOENCODING="ascii")
    assert done.stdout + done.stderr and b"UnicodeEncodeError" not in done.stderr and b"Traceback" not in done.stderr


def on_a_terminal(*words, **environment):
    """What a command writes where it takes itself to be on a terminal."""
    ours, theirs = pty.openpty()
    environment = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR", "TERM")} | {
        "TERM": "xterm-256color", **environment}
    process = subprocess.Popen([*COMMAND, *words], stdout=theirs, stderr=theirs, stdin=theirs, env=environment)
    os.close(theirs)
    written = b""
    try:
        while part := os.read(ours, 65536):
            written += part
    except OSError:     # Linux tells the end of a terminal so
        pass
    os.close(ours)
    process.wait(timeout=120)
    return written


def coloured(written):
    return any(COLOURS.search(code.decode()) for code in ESCAPE.findall(written))


@pytest.mark.parametrize("words", [("net", "Atlantis"), ("book", "--profile", "nonsense"), ("net", "--nonsense")])
def test_no_color_is_heeded(words):
    assert coloured(on_a_terminal(*words)), "this test would not see colours"
    assert not coloured(on_a_terminal(*words, NO_COLOR="1"))


def test_a_profile_that_is_not_there_has_no_report(tmp_path):
    done = ask("report", "--profile", "nonsense")
    assert done.returncode == 1 and b"nonsense" in done.stderr and b"## " not in done.stdout
