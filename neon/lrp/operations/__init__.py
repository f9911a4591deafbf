"""How relevance crosses each torch operation: a table from function to treatment.

An operation that is not in the table is an error, never a silent gradient. `treat` adds to the table.
"""

# Each of these puts its functions into the table.
from neon.lrp.operations import deviation, linear_functions, normalization, pooling, scatter, shape  # noqa: F401
from neon.lrp.operations.elementwise import ElementwiseTreatment, Identity
from neon.lrp.operations.table import Call, Held, Treatment, supported_functions, treat, treatment_for, treatment_of

__all__ = [
    "Call",
    "ElementwiseTreatment",
    "Held",
    "Identity",
    "Treatment",
    "supported_functions",
    "treat",
    "treatment_for",
    "treatment_of",
]
