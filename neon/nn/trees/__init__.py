"""Tree ensembles as networks: split units, AND units, a linear readout; and the rules of the AND unit."""

from neon.lrp.rules.tree import EqualShare, Interventional, Path, Shapley, TreeRule
from neon.nn.trees.conjunction import AndUnits, SplitUnits
from neon.nn.trees.ensemble import Trees
from neon.nn.trees.forest import Forest
from neon.nn.trees.forms import relu_layers, tree_layers
from neon.nn.trees.interactions import interactions
from neon.nn.trees.operation import TreeEnsemble, tree_ensemble

__all__ = [
    "AndUnits",
    "EqualShare",
    "Forest",
    "Interventional",
    "Path",
    "Shapley",
    "SplitUnits",
    "TreeEnsemble",
    "TreeRule",
    "Trees",
    "interactions",
    "relu_layers",
    "tree_ensemble",
    "tree_layers",
]
