"""CatBoost, from the JSON that a model writes itself: oblivious and other trees, one-hot splits on categories.

Rows are compared in float32 (``x > border`` goes right). CatBoost hashes categories and writes only the hashes: the
model itself is asked, through the leaves that rows reach, which splits a label answers to.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neon.converters.core import Ask, Conversion, Encoding, answers, converter, targets
from neon.converters.trees.build import RawScores, Tree, convert_trees, join
from neon.converters.trees.probabilities import OUTPUTS, answered
from neon.errors import UnsupportedModelError

__all__ = ["convert_catboost"]

_LOG = ("Poisson", "Tweedie")
_LOG_ODDS = ("Logloss", "CrossEntropy")


@converter(
    *(f"catboost.core.{name}" for name in ("CatBoost", "CatBoostClassifier", "CatBoostRegressor", "CatBoostRanker"))
)
def convert_catboost(model: Any, ask: Ask) -> Conversion:
    """The raw formula value: log-odds, log of the prediction, ranking score or predicted value, by the loss."""
    output = ask.choose("raw_formula_value", *OUTPUTS)
    exported = _export(model)
    scale, bias = exported["scale_and_bias"]
    splits = _Splits(exported["features_info"])
    oblivious = "oblivious_trees" in exported
    read = splits.oblivious if oblivious else splits.tree
    trees = [read(tree, scale, len(bias)) for tree in exported["oblivious_trees" if oblivious else "trees"]]
    names = tuple(model.feature_names_)
    numbered = names == tuple(map(str, range(len(names))))
    joined = join(trees, n_features=len(names), base=np.array(bias, dtype=np.float64), precision="float32")
    options: dict[str, Any] = {}
    if splits.hashes:
        probes = _probes(exported["oblivious_trees"], splits) if oblivious else {}
        labels = _Labels(model, probes, {c: len(held) for c, held in splits.hashes.items()})
        options["encoding"] = Encoding(labels, np.arange(len(names)), names)
    # A ranker knows no other prediction.
    kind = {} if type(model).__name__ == "CatBoostRanker" else {"prediction_type": "RawFormulaVal"}
    scores = _outputs(model, len(bias))
    if scores.classes is not None:
        options["labels"] = lambda X: np.ravel(model.predict(X, prediction_type="Class"))
        if len(bias) == 1 and getattr(model, "get_probability_threshold", lambda: 0.5)() != 0.5:
            options["predicts"] = "always_ask"
    part = convert_trees(
        joined,
        scores,
        lambda X: model.predict(X, **kind),
        missing=True,
        n_features=len(names),
        feature_names=() if numbered else names,
        **options,
    )
    return answered(part, output, own="raw_formula_value")


class _Splits:
    """What splits ask, and of which column.

    Attributes
    ----------
    hashes : dict of int to list
        The hashed categories of each categorical column; their places are the codes.
    """

    def __init__(self, features: dict[str, Any]) -> None:
        floats, categorical = features.get("float_features", []), features.get("categorical_features", [])
        self.columns = {f["feature_index"]: f["flat_feature_index"] for f in floats}
        self.missing_left = {f["flat_feature_index"]: f["nan_value_treatment"] != "AsTrue" for f in floats}
        self.categorical = {f["feature_index"]: f["flat_feature_index"] for f in categorical}
        self.hashes = {f["flat_feature_index"]: f.get("values", []) for f in categorical}

    def ask(self, split: dict[str, Any]) -> tuple[int, float, int | None]:
        """The column of a split, and its border or its category's code."""
        if split["split_type"] == "FloatFeature":
            return self.columns[split["float_feature_index"]], split["border"], None
        if split["split_type"] == "OneHotFeature":
            column = self.categorical[split["cat_feature_index"]]
            return column, np.nan, self.hashes[column].index(split["value"])
        raise UnsupportedModelError(
            f"CatBoost split of type {split['split_type']}: target statistics of categories mix columns and rows seen "
            "in training. Fit with one_hot_max_size at least the number of categories and max_ctr_complexity=0, or "
            "encode categories before the model"
        )

    def oblivious(self, tree: dict[str, Any], scale: float, n_outputs: int) -> Tree:
        """All nodes of one depth ask the same; the last split is asked first, as in CatBoost's own SHAP values.

        Bit i of a leaf's number is the answer to split i.
        """
        asked = [self.ask(split) for split in tree.get("splits", [])][::-1]
        depth = len(asked)
        n_splits = 2**depth - 1
        node = np.arange(2 * n_splits + 1)
        left = np.where(node < n_splits, 2 * node + 1, -1)
        right = np.where(node < n_splits, 2 * node + 2, -1)
        level = np.repeat(np.arange(depth), 2 ** np.arange(depth))
        value = np.zeros((len(node), n_outputs))
        value[n_splits:] = scale * np.array(tree["leaf_values"], dtype=np.float64).reshape(-1, n_outputs)
        cover = np.zeros(len(node))
        cover[n_splits:] = tree["leaf_weights"]
        padding = np.zeros(n_splits + 1, dtype=np.int64)
        column = np.append(np.array([column for column, _, _ in asked], dtype=np.int64)[level], padding)
        border = np.append(np.array([border for _, border, _ in asked], dtype=np.float64)[level], padding)
        codes = [asked[d][2] for d in level]
        return self._tree(left, right, column, border, codes, cover, value)

    def tree(self, tree: dict[str, Any], scale: float, n_outputs: int) -> Tree:
        """Trees grown depthwise or by loss: nested nodes."""
        nodes: list[dict[str, Any]] = [tree]
        left, right = [], []
        for node in nodes:  # grows while it is walked
            if "split" in node:
                left.append(len(nodes))
                right.append(len(nodes) + 1)
                nodes += [node["left"], node["right"]]
            else:
                left.append(-1)
                right.append(-1)
        asked = [self.ask(node["split"]) if "split" in node else (0, 0.0, None) for node in nodes]
        value = np.stack([np.ravel(node.get("value", np.zeros(n_outputs))) for node in nodes])
        cover = np.array([node.get("weight", 0) for node in nodes], dtype=np.float64)
        columns, borders, codes = zip(*asked, strict=True)
        if any(code is not None for code in codes):
            raise UnsupportedModelError(
                "CatBoost with one-hot splits in trees that are not symmetric: its export does not say which labels "
                "they answer to. Fit grow_policy='SymmetricTree', or encode categories before the model"
            )
        return self._tree(
            np.array(left), np.array(right), np.array(columns), np.array(borders), codes, cover, scale * value
        )

    def _tree(
        self,
        left: np.ndarray,
        right: np.ndarray,
        column: np.ndarray,
        border: np.ndarray,
        codes: Any,
        cover: np.ndarray,
        value: np.ndarray,
    ) -> Tree:
        """The category asked for goes right; mirrored here, for lists of categories go left."""
        one_hot = np.array([node for node, code in enumerate(codes) if code is not None], dtype=np.int64)
        left[one_hot], right[one_hot] = right[one_hot], left[one_hot]
        missing_left = np.array([self.missing_left.get(c, False) for c in column.tolist()], dtype=bool)
        categories = {int(node): np.array([codes[node]]) for node in one_hot}
        return Tree(left, right, column, border, missing_left, cover, value, categories)


@dataclass(frozen=True, eq=False)
class _Labels:
    """Rows in, float64 array out: a label's code is the place of the split value that it answers to.

    Attributes
    ----------
    probes : mapping of column to list of (code, tree, bit)
        For each category that some tree asks for: where the answer stands in the leaf's number.
    n_codes : mapping of column to int
    """

    model: Any
    probes: dict[int, list[tuple[int, int, int]]]
    n_codes: dict[int, int]

    def __call__(self, rows: Any) -> np.ndarray:
        import pandas as pd

        frame = rows if hasattr(rows, "iloc") else pd.DataFrame(rows)
        numbers = np.empty(frame.shape)
        for i in range(frame.shape[1]):
            column = frame.iloc[:, i]
            if i not in self.n_codes:
                numbers[:, i] = np.asarray(column, dtype=np.float64)
                continue
            place, first = np.unique(column.astype(str), return_inverse=True, return_index=True)[2:0:-1]
            numbers[:, i] = self._codes(frame.iloc[first], i)[place]
        return numbers

    def _codes(self, rows: Any, column: int) -> np.ndarray:
        """The code of each row's label; one more than the last for labels that no split asks for."""
        leaves = np.asarray(self.model.calc_leaf_indexes(rows)).astype(np.int64)
        codes = np.full(len(rows), float(self.n_codes[column]))
        for code, tree, bit in self.probes.get(column, []):
            codes[(leaves[:, tree] >> bit & 1).astype(bool)] = code
        return codes


def _probes(trees: list[dict[str, Any]], splits: _Splits) -> dict[int, list[tuple[int, int, int]]]:
    found: dict[int, dict[int, tuple[int, int, int]]] = {}
    for number, tree in enumerate(trees):
        for bit, split in enumerate(tree.get("splits", [])):
            column, _, code = splits.ask(split)
            if code is not None:
                found.setdefault(column, {})[code] = (code, number, bit)
    return {column: list(places.values()) for column, places in found.items()}


def _export(model: Any) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        try:
            model.save_model(str(path), format="json")
        except Exception as error:  # of a class of the library's own, which we do not import
            if "text features" not in str(error) and "embedding" not in str(error).lower():
                raise
            raise UnsupportedModelError(
                "CatBoost with text or embedding features, which it turns into numbers in ways that it does not write "
                "down; encode them before the model, and explain both in a Pipeline"
            ) from error
        return json.loads(path.read_text())


def _outputs(model: Any, n_outputs: int) -> RawScores:
    """What the raw formula value is; a sum of models does not know the loss."""
    known = "params" in model.get_metadata().keys()  # noqa: SIM118 - no dict
    loss = str(model.get_all_params().get("loss_function", "")).split(":")[0] if known else ""
    classes = np.asarray(model.classes_)
    if len(classes) and loss != "MultiLogloss" and len(classes) == max(n_outputs, 2):
        if n_outputs == 1 and loss in _LOG_ODDS:
            return RawScores("log-odds of a class", answers.log_odds(), classes, classes)
        if n_outputs == 1:
            return RawScores("raw score of a class", {}, classes, classes)
        if loss == "MultiClassOneVsAll":  # probabilities that do not add up to 1
            return RawScores("log-odds of a class against the rest", answers.log_odds(), classes, classes)
        return RawScores("raw score of a class, before the softmax", answers.logits(), classes, classes)
    if loss in ("MultiLogloss", "MultiCrossEntropy"):
        return RawScores("log-odds of a label", {}, [f"label {i}" for i in range(n_outputs)])
    names = targets(n_outputs)
    if not known:
        return RawScores("raw formula value of a sum of models", {}, names)
    if loss == "MultiQuantile":
        levels = str(model.get_all_params()["loss_function"]).split("alpha=")[1].split(";")[0].split(",")
        return RawScores("predicted quantile", {}, [f"quantile {float(level):g}" for level in levels])
    if loss.startswith("RMSEWithUncertainty"):
        return RawScores("predicted value, and log of its standard deviation", {}, ["prediction", "log deviation"])
    if type(model).__name__ == "CatBoostRanker":
        return RawScores("ranking score", answers.prediction(), names)
    if loss in _LOG:
        return RawScores("log of the prediction", answers.exponential(), names)
    if loss in _LOG_ODDS:
        return RawScores("log-odds of the prediction", answers.squashed(), names)
    return RawScores("predicted value", answers.prediction(), names)
