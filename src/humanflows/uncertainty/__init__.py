"""Uncertainty from draws of the posterior: every draw a whole, consistent world."""
