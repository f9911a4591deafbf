"""CatBoost, from the JSON that a model writes itself: oblivious and other trees, splits on numbers and categories.

Rows are compared in float32 (``x > border`` goes right); `catboost_categories` tells what splits on categories ask.
What several columns tell together is a feature of its own, whose relevance they share equally (CatBoost's own SHAP
values do the same with columns of categories, and leave the others out).
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from neon.converters.core import Ask, Conversion, Encoding, answers, converter, targets
from neon.converters.trees.build import RawScores, Tree, convert_trees, join
from neon.converters.trees.catboost_categories import LabelCodes, Place, Question, Questions
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
    names = tuple(model.feature_names_)
    splits = _Splits(exported, len(names))
    oblivious = "oblivious_trees" in exported
    read = splits.oblivious if oblivious else splits.tree
    trees = [read(tree, scale, len(bias)) for tree in exported["oblivious_trees" if oblivious else "trees"]]
    numbered = names == tuple(map(str, range(len(names))))
    base = np.array(bias, dtype=np.float64)
    joined = join(trees, n_features=len(names) + len(splits.together), base=base, precision="float32")
    options: dict[str, Any] = {}
    if splits.labels:
        options["encoding"] = splits.encoding(model, names)
    # A ranker knows no other prediction.
    kind = {} if type(model).__name__ == "CatBoostRanker" else {"prediction_type": "RawFormulaVal"}
    scores = _outputs(model, len(bias))
    if splits.together:
        shared = "what it asks of several columns together is one feature, shared equally among them"
        scores = scores._replace(explains=f"{scores.explains}; {shared}")
    if scores.classes is not None:
        options["labels"] = lambda X: np.ravel(model.predict(X, prediction_type="Class"))
        if len(bias) == 1 and getattr(model, "get_probability_threshold", lambda: 0.5)() != 0.5:
            options["predicts"] = "always_ask"
    part = convert_trees(
        joined,
        scores,
        lambda X: model.predict(X, **kind),
        missing=True,
        takes_infinity=True,
        n_features=len(names),
        feature_names=() if numbered else names,
        **options,
    )
    return answered(part, output, own="raw_formula_value")


class _Splits:
    """What splits ask, and of which encoded column.

    Attributes
    ----------
    labels : frozenset of int
        The columns that hold labels.
    together : list of tuple of int
        Sets of several columns that splits ask about together; they are encoded columns after the caller's.
    """

    def __init__(self, exported: dict[str, Any], n_columns: int) -> None:
        features = exported["features_info"]
        floats, categorical = features.get("float_features") or [], features.get("categorical_features") or []
        self.columns = {f["feature_index"]: f["flat_feature_index"] for f in floats}
        self.missing_left = {f["flat_feature_index"]: f["nan_value_treatment"] != "AsTrue" for f in floats}
        self.labels = frozenset(f["flat_feature_index"] for f in categorical)
        self.n_columns = n_columns
        self.questions = Questions(features, exported.get("ctr_data") or {})
        for number, tree in enumerate(exported.get("oblivious_trees") or []):
            for bit, split in enumerate(tree.get("splits") or []):
                if split["split_type"] != "FloatFeature":
                    self.questions.note(self.questions.of(split), Place(number, bit))
        self.patterns = {columns: self.questions.patterns(columns) for columns in self.questions.asked}
        self.together = [columns for columns in self.patterns if len(columns) > 1]

    def encoding(self, model: Any, names: tuple[str, ...]) -> Encoding:
        """From the caller's rows to what the trees read."""
        asked = {self._encoded(columns): columns for columns in self.patterns}
        codes = LabelCodes(
            model,
            self.n_columns,
            self.labels,
            {column: list(self.questions.asked[columns].values()) for column, columns in asked.items()},
            {column: self.patterns[columns] for column, columns in asked.items()},
        )
        joint = {self._encoded(columns): columns for columns in self.together}
        source = np.append(np.arange(self.n_columns), np.full(len(joint), -1))
        return Encoding(
            codes, source, (*names, *(" × ".join(names[c] for c in cs) for cs in self.together)), joint=joint
        )

    def _encoded(self, columns: tuple[int, ...]) -> int:
        return columns[0] if len(columns) == 1 else self.n_columns + self.together.index(columns)

    def ask(self, split: dict[str, Any]) -> tuple[int, float, np.ndarray | None]:
        """The encoded column of a split, and its border, or the codes for which the answer is yes."""
        if split["split_type"] == "FloatFeature":
            return self.columns[split["float_feature_index"]], split["border"], None
        if split["split_type"] not in ("OneHotFeature", "OnlineCtr"):
            raise UnsupportedModelError(
                f"CatBoost split of type {split['split_type']}; encode such columns before the model"
            )
        question: Question = self.questions.of(split)
        if question.columns not in self.patterns:
            raise UnsupportedModelError(
                "CatBoost with splits on categories in trees that are not symmetric: its export does not say which "
                "labels they answer to. Fit grow_policy='SymmetricTree', or encode categories before the model"
            )
        place = list(self.questions.asked[question.columns]).index(question)
        yes = np.flatnonzero(self.patterns[question.columns][:, place])
        return self._encoded(question.columns), np.nan, yes

    def oblivious(self, tree: dict[str, Any], scale: float, n_outputs: int) -> Tree:
        """All nodes of one depth ask the same; the last split is asked first, as in CatBoost's own SHAP values.

        Bit i of a leaf's number is the answer to split i.
        """
        asked = [self.ask(split) for split in tree.get("splits") or []][::-1]
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
        """Codes for which the answer is yes go right; mirrored here, for lists of categories go left."""
        labelled = np.array([node for node, yes in enumerate(codes) if yes is not None], dtype=np.int64)
        left[labelled], right[labelled] = right[labelled], left[labelled]
        missing_left = np.array([self.missing_left.get(c, False) for c in column.tolist()], dtype=bool)
        categories = {int(node): codes[node] for node in labelled}
        return Tree(left, right, column, border, missing_left, cover, value, categories)


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
