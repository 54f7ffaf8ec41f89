"""The only place that knows folders. Those that the environment names are made absolute here, once and for all.

Kernels and worker processes run in other folders and inherit the environment: a relative name would mean another folder
to each of them.
"""
import os
from pathlib import Path

from .errors import ConfigError


def _named(variable: str) -> Path | None:
    """The folder that an environment variable names, absolute, also for processes started later; None for none."""
    given = os.environ.get(variable)
    if not given:
        return None
    folder = os.path.abspath(os.path.expanduser(given))
    os.environ[variable] = folder
    return Path(folder)


ROOT = _named("HUMANFLOWS_ROOT") or Path(__file__).resolve().parents[2]
CONFIG = ROOT / "config"
DATA = ROOT / "data"
NOTEBOOKS = ROOT / "notebooks"
BOOK = ROOT / "book"
TERRITORIES = DATA / "territories.csv"
ALIASES = DATA / "aliases.csv"    # other names of territories, and of what is none
CORRECTIONS = DATA / "corrections.csv"
REGISTRY = DATA / "registry.csv"
REPORTING_SYSTEMS = DATA / "reporting_systems.csv"            # what a migrant is in each reporter's system
REPORTING_CLASSES = DATA / "reporting_classes.csv"            # what is expected of the numbers of such a system
DURATION_COEFFICIENTS = DATA / "duration_coefficients.csv"    # published factors between durations of stay
TRUSTED_OFFICES = DATA / "trusted_offices.csv"    # whose reports can be held against an estimate
KNOWN_FLOWS = DATA / "known_flows.csv"        # published figures that the estimates are held against
PANEL = DATA / "panel"        # what the panel of the real sources holds and leaves out
DOUBLE_REPORTS = PANEL / "double_reports.csv"        # what origins and destinations say of the same flow
TWO_DEFINITIONS = PANEL / "two_definitions.csv"      # what one office says under two definitions
GEOMETRY = DATA / "geometry" / "territories.geojson"
RELEASE = DATA / "release"
RECOVERY = DATA / "recovery"   # what the laboratory of the twin measured
MEASURED = ROOT / "benchmarks" / "results"   # what the benchmarks measured

BUILD = _named("HUMANFLOWS_BUILD") or ROOT / "_build"
CACHE = BUILD / "sources"  # downloaded files, addressed as in the registry
ARTIFACTS = BUILD / "artifacts"
EXECUTED = BUILD / "executed"
STAGE = BUILD / "stage"
HTML = BUILD / "html"
COUNTRIES = BUILD / "countries"
_named("HUMANFLOWS_MIRROR")


def mirror() -> Path | None:
    """Folder laid out like the registry that is read before anything is downloaded; None where there is none.

    ``HUMANFLOWS_MIRROR`` names it (empty: no mirror); by default a folder ``shared/data`` beside the checkout.

    Raises
    ------
    ConfigError
        When the folder that is named is not there: a download in its place would be a surprise.
    """
    named = os.environ.get("HUMANFLOWS_MIRROR")
    folder = Path(named) if named else ROOT.parent / "shared" / "data"
    if named and not folder.is_dir():
        raise ConfigError("HUMANFLOWS_MIRROR", "there is no such folder", "name a folder that is there, or set it to "
                          "the empty text for no mirror", key=named)
    return folder if named != "" and folder.is_dir() else None


def check() -> None:
    """Refuse folders named in the environment that are not there, or cannot be what they are named for.

    Raises
    ------
    ConfigError
        For a root without the project's tables, a build folder that is a file, or a mirror that is not there.
    """
    for part in (CONFIG, DATA):
        if not part.is_dir():
            raise ConfigError("HUMANFLOWS_ROOT" if os.environ.get("HUMANFLOWS_ROOT") else ROOT,
                              f"there is no folder {part.name} in {ROOT}",
                              "set HUMANFLOWS_ROOT to a checkout of humanflows", key=str(ROOT))
    found = next(p for p in (BUILD, *BUILD.parents) if p.exists())
    if not found.is_dir():
        raise ConfigError("HUMANFLOWS_BUILD", f"{found} is a file", "name a folder, which is made if it is not there",
                          key=str(BUILD))
    mirror()


def artifacts(profile: str) -> Path:
    """Folder of a profile's artifacts."""
    return ARTIFACTS / profile
