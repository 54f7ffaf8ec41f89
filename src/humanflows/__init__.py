"""humanflows: open, reproducible estimates of who moved from where to where, every year since 1990."""
import os

__version__ = "0.1.0"

# Set for the kernels of notebooks: what they read decides when they are stale.
if os.environ.get("HUMANFLOWS_READS"):
    from . import reads

    reads.start()
