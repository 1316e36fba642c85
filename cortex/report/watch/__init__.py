"""A life to be looked at moment by moment: one page that needs no network."""

from cortex.report.watch.page import write

__all__ = ["write"]
