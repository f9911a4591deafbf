"""An explanation as one HTML file, for people who know no Python."""

from neon.report.report import write

__all__ = ["write"]
