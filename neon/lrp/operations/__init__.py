"""How relevance crosses each torch operation: a table from function to treatment.

An operation that is not in the table is an error, never a silent gradient. `treat` adds to the table.
"""

from neon.lrp.operations import elementwise, linear, linear_functions, normalization, pooling, products, shape
from neon.lrp.operations.table import Call, Treatment, supported_functions, treat, treatment_of

__all__ = [
    "Call",
    "Treatment",
    "elementwise",
    "linear",
    "linear_functions",
    "normalization",
    "pooling",
    "products",
    "shape",
    "supported_functions",
    "treat",
    "treatment_of",
]
