"""Text and dictionaries: a row is one record, the features are its tokens or entries."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sized
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy import sparse
from sklearn.feature_extraction import FeatureHasher

from neon.converters.core import Ask, Conversion, Encoding, converter, names_of
from neon.converters.core.containers import as_records
from neon.converters.core.encoded_columns import Text

__all__ = ["convert_dictionary", "convert_vectorizer"]


@converter(*(f"sklearn.feature_extraction.text.{name}Vectorizer" for name in ("Count", "Tfidf", "Hashing")))
def convert_vectorizer(model: Any, ask: Ask) -> Conversion:
    """CountVectorizer, TfidfVectorizer, HashingVectorizer: a feature for each token, or for each hash of tokens.

    Where rows are divided by their norm, the norm is held fixed: a token owns what its own count brings.
    """
    ask.choose("transform")
    states = ("the norm of a row",) if getattr(model, "norm", None) else ()
    return _convert(model, getattr(model, "vocabulary_", None), _Texts(model), states)


@converter("sklearn.feature_extraction.DictVectorizer", "sklearn.feature_extraction.FeatureHasher")
def convert_dictionary(model: Any, ask: Ask) -> Conversion:
    """DictVectorizer, FeatureHasher: a feature for each key (with its value, where that is a string), or each hash."""
    ask.choose("transform")
    return _convert(model, getattr(model, "feature_names_", None))


def _convert(
    model: Any, known: Sized | None, texts: Callable[[Any], list[Text]] | None = None, states: tuple[str, ...] = ()
) -> Conversion:
    """Known : the tokens or entries of a model that does not hash them."""
    names = names_of(model, len(known)) if known is not None else tuple(f"hash {i}" for i in range(model.n_features))
    function = _OfRecords(model)
    encoding = Encoding(function, np.zeros(len(names), dtype=np.int64), names, None, True, texts, states)
    return Conversion(torch.nn.Sequential(), f"tokens of {type(model).__name__}", names, function, encoding=encoding)


@dataclass(frozen=True, eq=False)
class _OfRecords:
    """A vectorizer's ``transform``."""

    model: Any

    def __call__(self, rows: Any) -> Any:
        return self.model.transform(as_records(rows))


@dataclass(frozen=True, eq=False)
class _Texts:
    """Documents in pieces, as a vectorizer reads them.

    A column's relevance is divided evenly among the places where its token stands, and that of an n-gram evenly among
    its words, of a run of characters among the words that they are in.
    """

    model: Any

    def __call__(self, rows: Any) -> list[Text]:
        return [self.read(document) for document in as_records(rows)]

    def read(self, document: Any) -> Text:
        analyzed = list(self.model.build_analyzer()(document))
        pieces, places = _placed(self.model, document)
        if Counter(term for term, _ in places) != Counter(analyzed):  # an analyzer of the caller's own
            pieces, places = [str(term) for term in analyzed], [(term, [i]) for i, term in enumerate(analyzed)]
        columns = self._columns({term for term, _ in places})
        counts = Counter(columns[term] for term, _ in places if term in columns)
        entries = [
            (1 / counts[columns[term]] / len(within), piece, columns[term])
            for term, within in places
            if term in columns
            for piece in within
        ]
        n = int(self.model.n_features) if self._is_hashing else len(self.model.vocabulary_)
        values, at, of = zip(*entries, strict=True) if entries else ((), (), ())
        return Text(tuple(pieces), sparse.csr_matrix((values, (at, of)), shape=(len(pieces), n), dtype=np.float64))

    @property
    def _is_hashing(self) -> bool:
        return not hasattr(self.model, "vocabulary_")

    def _columns(self, terms: set[str]) -> dict[str, int]:
        if not self._is_hashing:
            return {term: self.model.vocabulary_[term] for term in terms if term in self.model.vocabulary_}
        if not terms:
            return {}
        hasher = FeatureHasher(int(self.model.n_features), input_type="string", alternate_sign=False)
        found = hasher.transform([[term] for term in terms])
        return dict(zip(terms, found.indices.tolist(), strict=True))


def _placed(model: Any, document: Any) -> tuple[list[str], list[tuple[str, list[int]]]]:
    """A document's pieces, and its terms in the vectorizer's order with the pieces that each one covers."""
    raw = model.decode(document)
    if not isinstance(raw, str):
        return [], []
    if model.analyzer == "word":
        pieces, words = _words(model, raw)
        return pieces, _runs(words, model.ngram_range)
    if model.analyzer not in ("char", "char_wb"):
        return [], []
    text = re.sub(r"\s\s+", " ", model.build_preprocessor()(raw))
    pieces = text.split()
    if not pieces:
        return [], []
    if model.analyzer == "char":
        inside = np.cumsum([0] + [character.isspace() for character in text.strip()])[1:]
        lead = len(text) - len(text.lstrip())
        owner = np.pad(inside, (lead, len(text) - lead - len(inside)), mode="edge")
        return pieces, [(text[run], owner[run].tolist()) for run in _slices(len(text), model.ngram_range)]
    return pieces, [(term, [i]) for i, word in enumerate(pieces) for term in _inside(f" {word} ", model.ngram_range)]


def _words(model: Any, raw: str) -> tuple[list[str], list[tuple[str, int]]]:
    """Pieces of a document; and its words without stop words, each with its piece."""
    text = model.build_preprocessor()(raw)
    stop = model.get_stop_words() or ()
    if model.tokenizer is not None:
        pieces = [str(token) for token in model.build_tokenizer()(text)]
        return pieces, [(token, i) for i, token in enumerate(pieces) if token not in stop]
    pieces, words, end = [], [], 0
    shown = raw if len(raw) == len(text) else text  # accents may have changed the length
    for match in re.finditer(model.token_pattern, text):
        start, stop_at = match.span(match.re.groups)
        pieces += shown[end:start].split()
        token = match.group(match.re.groups)
        if token not in stop:
            words.append((token, len(pieces)))
        pieces.append(shown[start:stop_at])
        end = stop_at
    return pieces + shown[end:].split(), words


def _runs(words: list[tuple[str, int]], ngram_range: tuple[int, int]) -> list[tuple[str, list[int]]]:
    """All n-grams of words."""
    runs = (words[run] for run in _slices(len(words), ngram_range))
    return [(" ".join(word for word, _ in run), [piece for _, piece in run]) for run in runs]


def _slices(length: int, ngram_range: tuple[int, int]) -> Iterator[slice]:
    """The places of all n-grams."""
    for n in range(ngram_range[0], min(ngram_range[1], length) + 1):
        yield from (slice(i, i + n) for i in range(length - n + 1))


def _inside(word: str, ngram_range: tuple[int, int]) -> list[str]:
    """All n-grams of characters inside a padded word; of one shorter than n, the whole, once."""
    found: list[str] = []
    for n in range(ngram_range[0], ngram_range[1] + 1):
        found += [word[i : i + n] for i in range(max(1, len(word) - n + 1))]
        if n >= len(word):
            break
    return found
