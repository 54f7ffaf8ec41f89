"""The computational book: run the notebooks, stage the pages, build the html."""
from .build import build_book, build_html
from .execute import (
    CHOICES,
    OF_RELEASE,
    TWIN_ONLY,
    declared_parameters,
    execute_notebooks,
    is_about_the_twin,
    is_of_the_release,
    notebook_inputs,
    notebook_parameters,
    notebooks,
)
from .parts import (
    MARKER,
    ablation_part,
    build_report,
    errors_part,
    fill_page,
    generated_parts,
    intervals_part,
    load_facts,
    markdown_table,
    needs_part,
    numbers_part,
    protocols_part,
    release_profile,
    scores_part,
    sources_part,
    speed_part,
    title_figure,
    used_facts,
    witnesses_part,
)
from .staging import stage

__all__ = [
    "CHOICES", "MARKER", "OF_RELEASE", "TWIN_ONLY", "ablation_part", "build_book", "build_html", "build_report",
    "declared_parameters", "errors_part", "execute_notebooks", "fill_page", "generated_parts", "intervals_part",
    "is_about_the_twin", "is_of_the_release", "load_facts", "markdown_table", "needs_part", "notebook_inputs",
    "notebook_parameters", "notebooks", "numbers_part", "protocols_part", "release_profile", "scores_part",
    "sources_part", "speed_part", "stage", "title_figure", "used_facts", "witnesses_part",
]
