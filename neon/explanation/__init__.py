"""What explaining returns, and what can be done with it."""

from neon.explanation.explanation import Explanation
from neon.explanation.joined import concat

__all__ = ["Explanation", "concat"]
