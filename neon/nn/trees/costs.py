"""What values against reference rows cost in seconds, by each way of `neon.nn.trees.compiled`, and the cheapest way.

Measured on one core of a 2023 server; the constants choose between ways of equal results.
"""

from __future__ import annotations

import numpy as np

from neon.nn.trees.forest import Forest

__all__ = ["WALK", "cheapest"]

WALK = 1.2e-9  # by edge, row and reference row
# Counting: by leaf; by leaf and reference row; by entry of a table and literal; by leaf, literal and row; and the
# longest path that has a table.
_COUNTED, _COUNT, _SUM, _ADD, _LONGEST_COUNTED = 1e-6, 2.0e-9, 1.0e-9, 0.7e-9, 20
# Meeting: by leaf; by leaf and row; and by what the pairs of rows, and more for each row, of a block come to at the
# power of 3/4, since fewer patterns than rows are different; the rows of a block, and the longest path.
_MET, _NUMBER, _MEET, _MORE, _BLOCK, _LONGEST_MET = 0.7e-6, 5e-9, 7e-9, 100, 1024, 64


def cheapest(forest: Forest, n_samples: int, n_reference: int) -> tuple[tuple[int, int], float]:
    """Up to how many features on a leaf's path to count patterns, and to let different ones meet; the seconds of both.

    Leaves with more are walked to; all are where the limits are (0, 0).
    """
    leaves, longer = forest.by_length
    lengths, pairs = np.arange(len(leaves)), n_samples * n_reference
    counting = _COUNTED + _COUNT * n_reference + _SUM * lengths * 2.0**lengths + _ADD * (lengths + 2) * n_samples
    blocks = -(-n_samples // _BLOCK)
    meeting = _MET + _NUMBER * (n_samples / blocks + n_reference)
    meeting = blocks * (meeting + _MEET * (n_samples / blocks * (n_reference + _MORE)) ** 0.75)
    up_to = (meeting * leaves).cumsum()
    total = (counting * leaves).cumsum()[:, None] + up_to - up_to[:, None] + WALK * pairs * longer
    total[np.tril_indices(len(lengths), -1)] = np.inf
    within = total[: _LONGEST_COUNTED + 1, : _LONGEST_MET + 1]
    counted, met = np.unravel_index(within.argmin(), within.shape)
    return (int(counted), int(met)), float(within.min())
