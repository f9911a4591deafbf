"""What is saved comes back equal; what is no saved explanation is refused."""

from __future__ import annotations

import builtins
import datetime
import json
import pickle
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import neon
from neon import Explanation
from neon.explanation.entries import as_text, of_text
from neon.explanation.rows_like_arrays import MixedRows, SparseRows

rng = np.random.default_rng(0)
X = rng.normal(size=(12, 3))


def same(found: Any, expected: Any) -> bool:
    """Whether two values are equal and of one kind; NaN, NaT and NA are equal to themselves."""
    if isinstance(expected, Explanation):
        return all(
            same(getattr(found, f.name), getattr(expected, f.name)) for f in fields(expected) if f.name != "texts"
        )
    if isinstance(expected, SparseRows):
        parts = [[getattr(rows.matrix, part) for part in ("data", "indices", "indptr")] for rows in (found, expected)]
        return found.shape == expected.shape and all(same(a, b) for a, b in zip(*parts, strict=True))
    if isinstance(expected, MixedRows):
        return same(found.numbers, expected.numbers) and same(found.boolean, expected.boolean)
    if isinstance(expected, np.ndarray):
        return (
            isinstance(found, np.ndarray)
            and (found.dtype, found.shape, found.flags.writeable) == (expected.dtype, expected.shape, False)
            and all(same(a, b) for a, b in zip(found.ravel().tolist(), expected.ravel().tolist(), strict=True))
        )
    if hasattr(expected, "items"):
        return list(found) == list(expected) and all(same(found[key], expected[key]) for key in expected)
    if isinstance(expected, np.generic) and not isinstance(expected, np.datetime64 | np.timedelta64):
        expected = expected.item()
    if type(found) is not type(expected):
        return False
    if expected is pd.NaT or expected is pd.NA:
        return found is expected
    return found == expected or (found != found and expected != expected)


def by_units() -> Explanation:
    frame = pd.DataFrame(X, columns=["age", "spend", "late"], index=[f"APP-{i}" for i in range(12)])
    model = LinearRegression().fit(frame, X @ [1.0, 2.0, 3.0])
    return neon.explain(model, frame, unit="€", feature_units={"spend": "€"}, output_names=["prix \ud800 \"'\n"])


def of_kinds() -> Explanation:
    frame = pd.DataFrame(
        {
            "city": pd.Categorical(["Köln", "Wien", None] * 4),
            "age": [1.5, np.nan, 3.25] * 4,
            "member": [True, False, True] * 4,
            "number": range(12),
        }
    )
    encoder = make_column_transformer((OneHotEncoder(), ["city"]), (SimpleImputer(), ["age"]), remainder="passthrough")
    return neon.explain(make_pipeline(encoder, LogisticRegression()).fit(frame, [0, 1, 2] * 4), frame, "all")


def of_booleans() -> Explanation:
    frame = pd.DataFrame({"size": X[:, 0], "member": X[:, 1] > 0, "known": pd.array([True, None] * 6, dtype="boolean")})
    data = MixedRows(frame.astype(float).to_numpy(), np.array([False, True, True]))
    return replace(by_units(), data=data)


def of_texts() -> Explanation:
    documents = ["good, fine day", "bad day", "", "good bad 日本 x"] * 2
    return neon.explain(make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(documents, [0, 1] * 4), documents)


def of_sparse_rows() -> Explanation:
    rows = sparse.csr_matrix(np.where(X > 0.5, X, 0.0).astype(np.float32))
    return neon.explain(LinearRegression().fit(rows, X[:, 0]), rows)


def of_interactions() -> Explanation:
    return replace(by_units(), interactions=rng.normal(size=(12, 3, 3)), imputed=X > 0)


def of_images() -> Explanation:
    module = torch.nn.Sequential(torch.nn.Conv2d(1, 1, 3, bias=False), torch.nn.Flatten(), torch.nn.Linear(9, 2))
    return neon.explain(module, torch.ones(2, 1, 5, 5), "all")


def without_rows() -> Explanation:
    return by_units()[:0]


def of_labels() -> Explanation:
    return replace(by_units(), index=pd.MultiIndex.from_product([["n", "s"], range(6)]), values=X.astype(np.float32))


CASES: list[Callable[[], Explanation]] = [
    by_units, of_kinds, of_booleans, of_texts, of_sparse_rows, of_interactions, of_images, without_rows, of_labels
]  # fmt: skip


@pytest.mark.parametrize("make", CASES)
def test_comes_back_equal(make: Callable[[], Explanation], tmp_path: Path) -> None:
    explanation = make()
    explanation.save(tmp_path / "saved.neon")
    found = Explanation.load(str(tmp_path / "saved.neon"))
    assert same(found, explanation)
    assert same(found.mean() if len(found) else found, explanation.mean() if len(found) else explanation)
    assert same(pickle.loads(pickle.dumps(found)), explanation)


def test_texts_come_back(tmp_path: Path) -> None:
    explanation = of_texts()
    explanation[[3, 0, 2]].save(tmp_path / "saved")
    found = Explanation.load(tmp_path / "saved")
    for row, place in enumerate([3, 0, 2]):
        pieces, relevance = found[[row]].text(0)
        expected, values = explanation.text(place)
        assert pieces == expected
        np.testing.assert_array_equal(relevance, values)


ENTRIES = [
    None, True, np.bool_(False), 3, 2**70, -0.0, 0.1 + 0.2, np.float32(0.1), np.nan, np.inf, "", "\ud800", "日本",
    pd.NA, pd.NaT, pd.Timestamp("2024-02-29 12:00:00.123456789"), pd.Timestamp("2024-03-31 02:30", tz="Europe/London"),
    pd.Timestamp("2024-01-01").as_unit("s"), pd.Timedelta("1D 00:00:01"), pd.Period("2024-01", "M"),
    np.datetime64("2024-01"), np.timedelta64(3, "h"), datetime.datetime(2024, 1, 2, 3, 4, 5, 6),
    datetime.datetime(2024, 1, 2, tzinfo=datetime.timezone.utc), datetime.date(2024, 2, 29), datetime.time(23, 59),
    datetime.timedelta(days=-1, microseconds=7), Decimal("1.10"), ("a", 1, (2.5, None, datetime.date(2024, 1, 1))),
]  # fmt: skip


@pytest.mark.parametrize("entry", ENTRIES, ids=repr)
def test_entries(entry: Any) -> None:
    found = of_text(as_text(entry))
    assert same(found, entry)
    if isinstance(entry, pd.Timestamp):
        assert (str(found.tzinfo), found.unit) == (str(entry.tzinfo), entry.unit)
    if isinstance(entry, float):
        assert np.signbit(found) == np.signbit(entry)


def test_what_cannot_be_saved(tmp_path: Path) -> None:
    given = replace(by_units(), index=[object()] * 12)
    (tmp_path / "old").write_text("old")
    with pytest.raises(TypeError, match="type object cannot be saved"):
        given.save(tmp_path / "old")
    assert [path.name for path in tmp_path.iterdir()] == ["old"]
    assert (tmp_path / "old").read_text() == "old"
    with pytest.raises(IsADirectoryError, match="folder"):
        given.save(tmp_path)
    with pytest.raises(FileNotFoundError):
        Explanation.load(tmp_path / "nothing")


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    by_units().save(tmp_path / "saved")
    return tmp_path / "saved"


def test_cut_or_damaged_files(saved: Path) -> None:
    whole = saved.read_bytes()
    for cut in (0, 1, 100, len(whole) // 2, len(whole) - 1):
        saved.write_bytes(whole[:cut])
        with pytest.raises(ValueError, match="no explanation that neon saved"):
            Explanation.load(saved)
    at = whole.index(b"PAR1")
    saved.write_bytes(whole[: at + 6] + bytes([whole[at + 6] ^ 255]) + whole[at + 7 :])
    with pytest.raises(ValueError, match="CRC"):
        Explanation.load(saved)


def rewritten(path: Path, change: Callable[[dict[str, Any]], Any], *, compress: bool = False) -> None:
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    description = json.loads(members["explanation.json"])
    change(description)
    members["explanation.json"] = json.dumps(description).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED) as file:
        for name, content in members.items():
            file.writestr(name, content)


def put(key: str, value: Any, *, inside: str = "explanation") -> Callable[[dict[str, Any]], None]:
    return lambda description: (description[inside] if inside else description).__setitem__(key, value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put("version", 99, inside=""), "version 99 of the format"),
        (put("format", "pickle", inside=""), "'pickle'"),
        (lambda d: d.clear(), "no explanation"),
        (lambda d: d["explanation"].pop("unit"), "unit"),
        (put("unit", 3), "expected a str"),
        (put("feature_names", "abc"), "expected a list"),
        (put("feature_names", ["a", "b"]), "expected 3 names"),
        (put("values", {"member": "../../etc/passwd", "dtype": "float64", "shape": [1]}), "passwd"),
        (lambda d: d["explanation"]["values"].update(shape=[1 << 60]), "do not make an array"),
        (lambda d: d["explanation"]["values"].update(shape=[-12, -3]), "no array"),
        (lambda d: d["explanation"]["values"].update(dtype="object"), "no explanation"),
        (lambda d: d["explanation"]["values"].update(dtype="int64"), "no explanation"),
        (lambda d: d["explanation"]["index"].update(dtype="float64"), "no explanation"),
    ],
)
def test_files_written_by_hand(saved: Path, change: Callable[[dict[str, Any]], Any], message: str) -> None:
    rewritten(saved, change)
    with pytest.raises(ValueError, match=message):
        Explanation.load(saved)


def test_archives_that_swell_and_indices_that_point_outside(saved: Path) -> None:
    rewritten(saved, lambda description: None, compress=True)
    with pytest.raises(ValueError, match="compressed"):
        Explanation.load(saved)
    of_sparse_rows().save(saved)
    rewritten(saved, lambda description: description["explanation"]["data"].update(shape=[12, 1]))
    with pytest.raises(ValueError, match="no explanation"):
        Explanation.load(saved)
    given = of_sparse_rows()
    given.data.matrix = given.data.matrix.copy()  # type: ignore[union-attr]
    given.data.matrix.indices += 100  # type: ignore[union-attr]
    given.save(saved)
    with pytest.raises(ValueError, match="no explanation"):
        Explanation.load(saved)
    for text in ('{"eval": ["1"]}', '{"a": 1, "b": 2}', '{"date": ["x"]}'):
        with pytest.raises(ValueError, match=r"."):
            of_text(text)


@pytest.fixture
def no_pyarrow(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    real = builtins.__import__

    def refuse(name: str, *args: Any) -> Any:
        if name.partition(".")[0] == "pyarrow":
            raise ImportError(name)
        return real(name, *args)

    monkeypatch.setattr(builtins, "__import__", refuse)
    return


@pytest.mark.usefixtures("no_pyarrow")
def test_the_extra_is_named(tmp_path: Path) -> None:
    for call in (lambda: by_units().save(tmp_path / "x"), lambda: Explanation.load(tmp_path / "x")):
        with pytest.raises(ImportError, match=r"neon-xai\[parquet\]"):
            call()
    assert not list(tmp_path.iterdir())
