"""The only place that knows folders."""
import os
from pathlib import Path

ROOT = Path(os.environ.get("HUMANFLOWS_ROOT", Path(__file__).resolve().parents[2]))
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
DOUBLE_REPORTS = DATA / "panel" / "double_reports.csv"        # what origins and destinations say of the same flow
TWO_DEFINITIONS = DATA / "panel" / "two_definitions.csv"      # what one office says under two definitions
GEOMETRY = DATA / "geometry" / "territories.geojson"
RELEASE = DATA / "release"
RECOVERY = DATA / "recovery"   # what the laboratory of the twin measured
MEASURED = ROOT / "benchmarks" / "results"   # what the benchmarks measured

BUILD = Path(os.environ.get("HUMANFLOWS_BUILD", ROOT / "_build"))
CACHE = BUILD / "sources"  # downloaded files, addressed as in the registry
ARTIFACTS = BUILD / "artifacts"
EXECUTED = BUILD / "executed"
STAGE = BUILD / "stage"
HTML = BUILD / "html"
COUNTRIES = BUILD / "countries"


def mirror() -> Path | None:
    """Folder laid out like the registry that is read before anything is downloaded; None where there is none.

    ``HUMANFLOWS_MIRROR`` names it (empty: no mirror); by default a folder ``shared/data`` beside the checkout.
    """
    named = os.environ.get("HUMANFLOWS_MIRROR")
    folder = Path(named) if named else ROOT.parent / "shared" / "data"
    return folder if named != "" and folder.is_dir() else None


def artifacts(profile: str) -> Path:
    """Folder of a profile's artifacts."""
    return ARTIFACTS / profile
