"""Text on colours of relevance, as HTML for notebooks and pages."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any

from neon.explanation.text_html import words_html
from neon.plots._captions import sample_words
from neon.plots._images import as_array
from neon.plots._rows import sample_of

if TYPE_CHECKING:
    from neon.explanation import Explanation

__all__ = ["HTML", "text_html", "tokens_html"]


class HTML(str):
    """HTML: a notebook shows it as what it says, `str` and files have it as it is."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return str(self)


def tokens_html(tokens: Sequence[str], relevance: Any, *, limit: float | None = None, title: str = "") -> HTML:
    """Write a text with the relevance of each token behind it: red positive, blue negative, as HTML.

    It is as quick as writing the text, needs nothing but itself, reads on light and dark pages, and tells a token's
    number where it is pointed at. All text is escaped.

    Parameters
    ----------
    tokens : sequence of str (n_tokens,)
        Words or pieces of words, in order.
    relevance : array or Tensor (n_tokens,)
        Not finite: underlined.
    limit : float, optional
        The relevance with the strongest colour, the same for texts that are compared; by default the largest magnitude.
    title : str
        What stands above the text.

    Returns
    -------
    str
        A notebook shows it; ``open("text.html", "w").write(html)`` keeps it.

    Raises
    ------
    ValueError
        If there are no tokens, or not one relevance for each.
    """
    words, values = [str(token) for token in tokens], as_array(relevance)
    if values.shape != (len(words),):
        raise ValueError(f"expected one relevance for each of {len(words)} tokens, got shape {values.shape}")
    if not words:
        raise ValueError("nothing to draw: there are no tokens")
    return HTML(words_html(words, values, limit=limit, title=title))


def text_html(
    explanation: Explanation, row: Hashable = 0, *, limit: float | None = None, output: str | int | None = None
) -> HTML:
    """Write a document with the relevance of each word behind it, as HTML: see `neon.plots.tokens_html`.

    Parameters
    ----------
    explanation : Explanation
        Of texts, of one output per sample, or of all outputs where `output` picks one.
    row : int or label
        Which document: its position, or its label in `explanation.index`.
    limit : float, optional
        The relevance with the strongest colour; by default the largest magnitude.
    output : str or int, optional
        Which output, by its name or index.

    Returns
    -------
    str
        A notebook shows it.

    Raises
    ------
    ValueError
        If the model read no text, or features were picked or grouped.
    """
    sample = sample_of(explanation, row, output)
    pieces, relevance = sample.text(0)
    return tokens_html(pieces, relevance, limit=limit, title=f"{sample_words(sample)} · {sample.explains}")
