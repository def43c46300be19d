"""What a text is about, as a vector; `engine.nearest` finds which are near each other.

Two embedders with one contract: `model2vec` where its package and a model folder are there, else a hashed lexical one
that needs nothing. Vectors of two embedders are never compared: each carries the name of its own.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from math import log
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

DIMENSIONS = 256  # of the lexical embedder; 100,000 vectors are 100 MB
_LONGEST = 8_000  # characters that are read of one text
# A word: letters and digits of any script. `consentSettings` and `consent_settings` are the same two words.
_WORDS = re.compile(r"[^\W_]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NUMBER = re.compile(r"\d+(?:[a-f\d]{6,})?")
_PART = "~"  # begins a trigram, so that it is not taken for a word
_SHORTEST = 5  # letters of a word from which its parts count too, so that `scorer` and `scoring` meet


class Embedder(Protocol):
    """`embed` gives unit vectors as rows of a float32 matrix; a text without any word is a row of zeros."""

    name: str
    dimensions: int

    def embed(self, texts: Sequence[str]) -> Vectors: ...


class Lexical:
    """Words and their trigrams, hashed with a sign into a fixed number of dimensions (the hashing trick, Weinberger et
    al. 2009) and damped by 1 + ln(count). Numbers count as one word: tonight's score says nothing of the problem."""

    name = f"lexical-{DIMENSIONS}"
    dimensions = DIMENSIONS

    def embed(self, texts: Sequence[str]) -> Vectors:
        found = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
        for row, text in enumerate(texts):
            for term, weight in _terms(text).items():
                place = zlib.crc32(term.encode("utf-8", "surrogatepass"))
                found[row, place % DIMENSIONS] += weight if place & 0x8000_0000 else -weight
        return _unit(found)


class Model2Vec:
    """A static embedding model from a local folder. Raises `ImportError` without the package, `OSError` without the
    model: nothing is ever fetched."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise FileNotFoundError(folder)
        from model2vec import StaticModel

        self._model = StaticModel.from_pretrained(str(folder))
        self.name = f"model2vec-{folder.name}"
        self.dimensions = int(self._model.dim)

    def embed(self, texts: Sequence[str]) -> Vectors:
        return _unit(np.asarray(self._model.encode([text[:_LONGEST] for text in texts]), dtype=np.float32))


def embedder(folder: str, tell: Callable[[str], None] = lambda _: None) -> Embedder:
    """The model2vec model of `folder`, or the lexical embedder where none is named; `tell` hears why the one that is
    named cannot be had."""
    if folder:
        try:
            return Model2Vec(Path(folder).expanduser())
        except (ImportError, OSError, ValueError, KeyError) as error:
            tell(f"The model in {folder} cannot be used ({type(error).__name__}): words are compared instead.")
    return Lexical()


def blob(vector: Vectors) -> bytes:
    """Little-endian float32, as it is stored."""
    return vector.astype("<f4", copy=False).tobytes()


def _terms(text: str) -> dict[str, float]:
    counts: Counter[str] = Counter()
    for raw in _WORDS.findall(text[:_LONGEST]):
        for part in _CAMEL.split(raw):
            word = part.casefold()
            if _NUMBER.fullmatch(word):
                counts["0"] += 1
                continue
            counts[word] += 1
            if len(word) >= _SHORTEST:
                counts.update(f"{_PART}{word[start : start + 3]}" for start in range(len(word) - 2))
    # A word has about as many trigrams as letters: each is a third of a word.
    return {term: (1 + log(count)) / (3 if term[0] == _PART else 1) for term, count in counts.items()}


def _unit(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(lengths == 0, 1, lengths)).astype(np.float32)
