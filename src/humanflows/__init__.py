"""humanflows: open, reproducible estimates of who moved from where to where, every year since 1990."""

__version__ = "0.1.0"
