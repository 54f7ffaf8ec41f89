"""Add up the totals of data/release/sums.csv again from the released flows, and list the table anew.

Before version 1.1.1 of the data they were sums of flows before rounding, which are not zero below half a person. A new
release (``humanflows release``) has the right ones from the beginning. Run from a checkout::

    python scripts/renew_sums.py
"""
from humanflows.results.release import renew_sums

if __name__ == "__main__":
    changed, moved = renew_sums()
    print(f"sums.csv: {changed:,} totals changed by more than a twentieth; ends of {moved:,} rows moved to hold theirs")
