"""What a reader was given, kept and left out, for tests that nobody is lost between them."""
import numpy as np


def left_out(omitted) -> dict[str, tuple[int, float]]:
    """Rows and persons by reason."""
    table = omitted.table().groupby("reason")[["rows", "persons"]].sum()
    return {reason: (int(row["rows"]), float(row["persons"])) for reason, row in table.iterrows()}


def assert_accounted(rows: int, persons: float, omitted, *tables) -> None:
    """Each row of the file is a row of a table or counted as left out, and so is each person."""
    counts = [t["persons"] if "persons" in t else t["value"] for t in tables]
    assert sum(map(len, tables)) + omitted.table()["rows"].sum() == rows
    np.testing.assert_allclose(sum(c.sum() for c in counts) + omitted.table()["persons"].sum(), persons, rtol=1e-12)
