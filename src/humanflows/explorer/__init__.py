"""The explorer: a page of the book on which estimates are chosen, drawn, listed and compared, without a server."""
from .page import gather, write_explorer

__all__ = ["gather", "write_explorer"]
