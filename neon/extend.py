"""The one door for estimators and operations of your own: what is declared here, neon explains as if it knew it.

- an estimator whose network you can write down: `register`, with a function from the model to a `Conversion`;
- a transformer of single columns, or a linear one, in one line: `register_encoder`, `register_linear`;
- a torch function that relevance has to cross: `treat`, with a `Treatment`; one of your own is an `operation`, and its
  module a `Layer`.

``tutorials/your_own_estimators.py`` is a worked example, ``CONTRIBUTING.md`` says how a family, a rule or an operation
joins neon itself.
"""

from neon.converters.core.ask import Ask
from neon.converters.core.conversion import Conversion
from neon.converters.core.encoded_columns import Encoding, Text
from neon.converters.core.registry import convert, register
from neon.converters.preprocessing.encoders import register_encoder, register_linear
from neon.lrp.message import Ledger, Message
from neon.lrp.operations.elementwise import ElementwiseTreatment
from neon.lrp.operations.table import Call, Treatment, treat
from neon.lrp.recording.tape import Retention
from neon.nn.layer import Layer, operation

__all__ = [
    "Ask",
    "Call",
    "Conversion",
    "ElementwiseTreatment",
    "Encoding",
    "Layer",
    "Ledger",
    "Message",
    "Retention",
    "Text",
    "Treatment",
    "convert",
    "operation",
    "register",
    "register_encoder",
    "register_linear",
    "treat",
]
