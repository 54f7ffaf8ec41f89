"""Intervals from draws of the whole world, and whether they hold what they promise.

In reading order: :mod:`.ends` (quantiles of draws), :mod:`.evidence` (what was known of a corridor), :mod:`.predictive`
(what a source would report of a draw), :mod:`.crossfit` (which draws never saw which report), :mod:`.gather` (draws
beside reports), :mod:`.judge` and :mod:`.balances` (reports, net migration and stocks held against draws),
:mod:`.coverage` (the table), :mod:`.calibration` (what is left to correct), :mod:`.truth` (the simulated world) and
:mod:`.report` (files). :mod:`.needs` says where data are needed most,
:mod:`.scenario_draws` what would have been, and :mod:`.birthplace_draws` where those who moved were born.
"""
