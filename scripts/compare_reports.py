"""Write data/panel: what two reports of one flow say of each other, from the sources that are on this machine."""
import pandas as pd

from humanflows import paths
from humanflows.artifacts import write_text
from humanflows.panel.double_reports import compare_definitions, compare_double_reports
from humanflows.sources.catalogue import SOURCES, load_all


def compared(flow: pd.DataFrame) -> dict:
    """The text of each file."""
    return {paths.DOUBLE_REPORTS: compare_double_reports(flow).to_csv(index=False, lineterminator="\n"),
            paths.TWO_DEFINITIONS: compare_definitions(flow).to_csv(index=False, lineterminator="\n")}


if __name__ == "__main__":
    sources = [name for name, source in SOURCES.items() if "flow" in source.tables]
    for file, text in compared(load_all(sources)["flow"]).items():
        print(write_text(file, text))
