"""One function per figure: takes data and axes, returns axes (or, where size depends on data, the figure); no model."""
from .ablation import plot_ablation
from .charts import (
    plot_accounting_example,
    plot_biases,
    plot_corridors,
    plot_features,
    plot_held_out_scatter,
    plot_provenance_matrix,
    plot_score_table,
    plot_stock_fit,
    plot_total_flow,
    plot_training,
    plot_true_vs_estimated,
)
from .errors import plot_error_components, plot_residuals, plot_shocks, plot_worst_corridors
from .interval_coverage import plot_interval_coverage
from .known_flows import plot_known_flows, plot_known_misses
from .maps import (
    by_region,
    plot_net_migration_map,
    plot_region_circle,
    plot_region_net,
    plot_title_figure,
)
from .needs import plot_needs_check, plot_needs_map, plot_needs_ranking
from .paper_birthplace import plot_birthplace_flows
from .paper_chord import plot_region_circles
from .paper_elasticities import plot_elasticities
from .paper_events import plot_events
from .paper_moments import plot_moments
from .paper_regions import plot_regional_flows
from .paper_uncertainty import (
    doubt_of_territories,
    largest_flows_table,
    plot_largest_flows,
    plot_uncertainty_map,
)
from .protocols import plot_protocol_differences
from .reconstruct import (
    plot_disagreement_map,
    plot_five_year_scores,
    plot_flow_tables,
    plot_kinds_of_moves,
    plot_method_totals,
)
from .recovery import (
    plot_birthplace_kinds,
    plot_bounds,
    plot_corridor_intervals,
    plot_coverage,
    plot_experiments,
    plot_invisible,
    plot_reporters,
)
from .speed import plot_scaling
from .style import (
    DATA,
    DIVERGING,
    GAIN,
    INK,
    LAND,
    LOSS,
    OTHER,
    OWN,
    PAPER,
    QUIET,
    REGION_COLOURS,
    STYLE,
    region_colours,
    save,
    use_style,
)
from .witnesses import plot_other_side, plot_undercount

__all__ = [
    "DATA", "DIVERGING", "GAIN", "INK", "LAND", "LOSS", "OTHER", "OWN", "PAPER", "QUIET", "REGION_COLOURS", "STYLE",
    "by_region", "doubt_of_territories", "largest_flows_table", "plot_ablation", "plot_accounting_example",
    "plot_biases", "plot_birthplace_flows", "plot_birthplace_kinds", "plot_bounds", "plot_corridor_intervals",
    "plot_corridors", "plot_coverage", "plot_disagreement_map", "plot_elasticities", "plot_error_components",
    "plot_events", "plot_experiments", "plot_features", "plot_five_year_scores", "plot_flow_tables",
    "plot_held_out_scatter", "plot_interval_coverage", "plot_invisible", "plot_kinds_of_moves", "plot_known_flows",
    "plot_known_misses", "plot_largest_flows",
    "plot_method_totals", "plot_moments", "plot_needs_check", "plot_needs_map", "plot_needs_ranking",
    "plot_net_migration_map", "plot_other_side", "plot_protocol_differences", "plot_provenance_matrix",
    "plot_region_circle", "plot_region_circles", "plot_region_net", "plot_regional_flows", "plot_reporters",
    "plot_residuals", "plot_scaling", "plot_score_table", "plot_shocks", "plot_stock_fit", "plot_title_figure",
    "plot_total_flow", "plot_training", "plot_true_vs_estimated", "plot_uncertainty_map", "plot_undercount",
    "plot_worst_corridors", "region_colours", "save", "use_style",
]
