"""Estimators that make no columns of features and predict nothing: why they have no network."""

from __future__ import annotations

from neon.converters.core.registry import decline

__all__: list[str] = []

decline(
    *(f"sklearn.preprocessing.{name}" for name in ("LabelBinarizer", "LabelEncoder", "MultiLabelBinarizer")),
    because="it encodes targets, which are no features",
)
decline(
    "sklearn.feature_extraction.image.PatchExtractor",
    because="it cuts images into patches, each a row of its own, and computes nothing from them",
)
