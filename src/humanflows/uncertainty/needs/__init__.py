"""Where data are needed most: the variance that an office's report would take away, by the covariances of draws.

In reading order: ``update`` (what reports tell, from draws), ``candidates`` (which reports there could be, and how far
they may be off), ``gather`` (what is kept of the draws), ``rank`` (tables), ``check`` (did it come true), ``run``.
"""
