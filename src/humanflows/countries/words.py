"""Numbers, intervals, names and years as the pages write them."""
from collections.abc import Sequence

MINUS, DASH = "\N{MINUS SIGN}", "\N{EN DASH}"
DIGITS = 3      # significant digits in prose and tables; the files have what is released
# English names that take an article inside a sentence.
WITH_ARTICLE = frozenset({
    "ARE", "BHS", "CAF", "COG", "COK", "COM", "CYM", "DOM", "FLK", "FRO", "GBR", "GMB", "IMN", "MDV", "MHL", "MNP",
    "NLD", "PHL", "SLB", "SYC", "TCA", "USA", "VGB", "VIR", "WLF"})


def in_sentence(code: str, name: str) -> str:
    """A name as it stands inside a sentence: ``the Netherlands``."""
    return f"the {name}" if code in WITH_ARTICLE else name


def capital(text: str) -> str:
    """With a capital first letter, as a sentence begins."""
    return text[:1].upper() + text[1:]


def rounded(number: float) -> float:
    """Rounded to ``DIGITS`` significant digits, and to whole persons."""
    return float(round(float(f"{number:.{DIGITS}g}")))


def persons(number: float, *, signed: bool = False) -> str:
    """``1.23 million``, ``12,300``, ``−45``; with a plus sign where ``signed`` and positive. Nothing for no number."""
    if number != number:
        return ""
    value = rounded(number)
    size = abs(value)
    text = f"{size / 1e6:.{DIGITS}g} million" if size >= 1e6 else f"{size:,.0f}"
    return f"{_sign(value, signed)}{text}"


def count(number: float, *, signed: bool = False) -> str:
    """As :func:`persons`, in full digits: for columns of a table."""
    if number != number:
        return ""
    return f"{_sign(rounded(number), signed)}{abs(rounded(number)):,.0f}"


def _sign(value: float, signed: bool) -> str:
    return MINUS if value < 0 else "+" if signed and value > 0 else ""


def between(lower: float, upper: float, *, signed: bool = False, full: bool = False) -> str:
    """An interval: ``1.1 million to 1.4 million``; nothing where there is none."""
    if not (lower == lower and upper == upper and abs(lower) != float("inf") and abs(upper) != float("inf")):
        return ""
    write = count if full else persons
    return f"{write(lower, signed=signed)} to {write(upper, signed=signed)}"


def percent(share: float) -> str:
    """A share in per cent, whole from one on: ``12%``, ``0.4%``, ``under 0.1%``; ``none`` of nothing."""
    value = 100 * share
    if value <= 0 or value != value:
        return "none"
    if value < 0.1:
        return "under 0.1%"
    if value < 0.95:
        return f"{value:.1f}%"
    return "over 99%" if 99.5 <= value < 100 - 1e-9 else f"{value:.0f}%"


def spell_years(years: Sequence[int]) -> str:
    """Years with runs drawn together: ``1998–2004, 2007 and 2010–2023``."""
    runs: list[list[int]] = []
    for year in sorted(years):
        if runs and year == runs[-1][1] + 1:
            runs[-1][1] = year
        else:
            runs.append([year, year])
    return listed([str(a) if a == b else f"{a}{DASH}{b}" for a, b in runs])


def listed(parts: Sequence[str], last: str = "and") -> str:
    """``a, b and c``."""
    parts = list(parts)
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} {last} {parts[-1]}" if parts else ""
