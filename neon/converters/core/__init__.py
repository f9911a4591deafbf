"""What a converter is, where converters are found, and the network that comes out; what most converters need."""

from neon.converters.core import answers
from neon.converters.core.answers import Answers, Layers
from neon.converters.core.arrays import contrast, dense, signed
from neon.converters.core.ask import Ask
from neon.converters.core.background import counted, gaussians, of_members, some_rows
from neon.converters.core.conversion import Conversion
from neon.converters.core.encoded_columns import Encoding, Transform, names_of
from neon.converters.core.outputs import of_classes, regression, targets, transformer
from neon.converters.core.registry import check_several, convert, converter

__all__ = [
    "Answers", "Ask", "Conversion", "Encoding", "Layers", "Transform", "answers", "check_several", "contrast",
    "convert", "converter", "counted", "dense", "gaussians", "names_of", "of_classes", "of_members", "regression",
    "signed", "some_rows", "targets", "transformer",
]  # fmt: skip
