"""Write short English reviews with the words that decide them: ``python data/make_reviews.py``.

The same bytes come out every time. In the templates ``*`` marks a word that decides the label, ``~`` one that speaks
against it; columns ``decides`` and ``against`` hold their places among the words, counted from 0.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

from numpy.random import RandomState
from sklearn.utils import check_random_state

SIDES = ("negative", "positive")
THINGS = {
    "film": ("film", "movie", "documentary", "comedy", "thriller"),
    "product": ("kettle", "blender", "jacket", "lamp", "keyboard", "backpack", "camera", "drill"),
}
PARTS = {
    "film": ("plot", "acting", "script", "soundtrack", "dialogue", "pacing", "cast", "camera work", "ending"),
    "product": ("design", "handle", "battery", "packaging", "manual", "finish", "switch", "motor", "zip"),
}
# What has a plural, and so an article.
COUNTED = {
    "film": ("plot", "script", "soundtrack", "cast", "ending"),
    "product": ("design", "handle", "battery", "manual", "finish", "switch", "motor", "zip"),
}
START = {"film": "start", "product": "box"}
# Said by itself, never negated: "not terrible" would be neither.
STRONG = (
    ("terrible", "awful", "dreadful", "hopeless", "useless", "a disappointment", "a waste of money"),
    ("brilliant", "excellent", "superb", "wonderful", "outstanding", "a delight", "a pleasure"),
)
# Said by itself or negated: "not bad" is praise here.
MILD = {
    "film": (("bad", "boring", "dull", "predictable", "clumsy"), ("good", "funny", "moving", "convincing", "clever")),
    "product": (
        ("bad", "flimsy", "clumsy", "impractical", "ugly"),
        ("good", "sturdy", "practical", "reliable", "neat"),
    ),
}
VERBS = (("hated", "disliked", "loathed"), ("loved", "enjoyed", "admired"))
MILD_VERB = ("mind", "like")
NEGATORS = ("not", "never", "hardly", "isn't")
INTENSIFIERS = ("really", "truly", "quite")
FILLERS = {
    "film": (
        "We watched the {thing} on a Tuesday evening.",
        "The {thing} runs for about two hours.",
        "My brother chose the {thing} for us.",
        "It is set in a small town by the sea.",
        "I read the book some years ago.",
        "The director has made three others.",
        "We sat in the second row.",
        "It is also shown with subtitles.",
    ),
    "product": (
        "I bought the {thing} for my sister.",
        "The {thing} comes in three colours.",
        "It arrived on a Tuesday in a brown box.",
        "This {thing} replaces the one we had for years.",
        "I use it in the kitchen about twice a week.",
        "The parcel came from the other end of the country.",
        "It weighs about as much as the old one.",
        "We keep the {thing} in the hall.",
    ),
}


class Review:
    """Writes one review of a film or a product, on one side."""

    def __init__(self, side: int, random: RandomState) -> None:
        self.side, self.random = side, random
        self.domain = self.pick(tuple(THINGS))
        self.thing = self.pick(THINGS[self.domain])

    def write(self) -> tuple[str, str, str]:
        """Its text, and the places of the words that decide and of those that speak against."""
        form = (self.plain, self.plain, self.negated, self.contrast)[self.random.randint(4)]
        sentences = [form(self.side), *self.fillers()]
        order = self.random.permutation(len(sentences))
        words = " ".join(_sentence(sentences[i]) for i in order).split()
        decides = [str(place) for place, word in enumerate(words) if "*" in word]
        against = [str(place) for place, word in enumerate(words) if "~" in word]
        return " ".join(words).replace("*", "").replace("~", ""), " ".join(decides), " ".join(against)

    def plain(self, side: int) -> str:
        first = self.opinion(side)
        return f"{first} and {self.opinion(side)}" if self.random.rand() < 0.4 else first

    def contrast(self, side: int) -> str:
        """What is conceded speaks against the label; "but" and "although" say which half counts."""
        if self.random.rand() < 0.3:
            weak, strong = self.pick(MILD[self.domain][1 - side]), self.pick(STRONG[side][:5])
            conceded = f"{_article(weak)} ~{weak} {START[self.domain]}"
            return f"{conceded}, *but {_article(strong)} *{strong} {self.pick(COUNTED[self.domain])}"
        conceded, held = self.any_opinion(1 - side).replace("*", "~"), self.any_opinion(side)
        return f"{conceded}, *but {held}" if self.random.rand() < 0.6 else f"*although {conceded}, {held}"

    def any_opinion(self, side: int) -> str:
        return self.negated(side) if self.random.rand() < 0.25 else self.opinion(side)

    def opinion(self, side: int) -> str:
        much = f"{self.pick(INTENSIFIERS)} " if self.random.rand() < 0.3 else ""
        if self.random.rand() < 0.25:
            return f"I {much}*{self.pick(VERBS[side])} {self.subject()}"
        word = self.pick(STRONG[side] + MILD[self.domain][side])
        # The noun decides, not its article: "a *waste of money".
        marked = word.replace(" ", " *", 1) if " " in word else f"*{word}"
        return f"{self.subject()} is {much}{marked}"

    def negated(self, side: int) -> str:
        """The word itself is of the other side."""
        if self.random.rand() < 0.2:
            return f"I did *not *{MILD_VERB[1 - side]} {self.subject()}"
        negator, word = self.pick(NEGATORS), self.pick(MILD[self.domain][1 - side])
        is_ = "" if negator == "isn't" else "is "
        much = "very " if self.random.rand() < 0.2 else ""
        return f"{self.subject()} {is_}*{negator} {much}*{word}"

    def fillers(self) -> list[str]:
        chosen = self.random.choice(len(FILLERS[self.domain]), self.random.randint(1, 3), replace=False)
        return [FILLERS[self.domain][i].format(thing=self.thing) for i in chosen]

    def subject(self) -> str:
        return f"the {self.pick(PARTS[self.domain]) if self.random.rand() < 0.7 else self.thing}"

    def pick(self, among: tuple[str, ...]) -> str:
        return among[self.random.randint(len(among))]


def _article(word: str) -> str:
    return "an" if word[0] in "aeio" or word == "ugly" else "a"


def _sentence(text: str) -> str:
    start = 1 if text[0] in "*~" else 0
    return text[:start] + text[start].upper() + text[start + 1 :] + ("" if text.endswith(".") else ".")


def main(folder: Path, n_reviews: int = 1500) -> None:
    """Write ``reviews.csv`` into an existing folder: half of the reviews positive, no two the same."""
    random = check_random_state(0)  # the legacy generator: its stream is the same in every version of numpy
    rows: dict[str, tuple[str, str, str]] = {}
    while len(rows) < n_reviews:
        side = len(rows) % 2
        text, decides, against = Review(side, random).write()
        rows.setdefault(text, (SIDES[side], decides, against))
    with (folder / "reviews.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("review", "label", "decides", "against"))
        table.writerows((text, *row) for text, row in rows.items())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write the reviews.")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder (default: this one)")
    main(parser.parse_args().out)
