"""What explaining returns, and what can be done with it."""

from neon.explanation.explanation import Explanation

__all__ = ["Explanation"]
