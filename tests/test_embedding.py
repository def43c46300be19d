"""Vectors of texts: the same problem in other words is near, another problem is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.embedding import Lexical, blob, embedder


def similarity(one: str, other: str) -> float:
    first, second = Lexical().embed([one, other])
    return float(first @ second)


def test_the_same_condition_on_another_night_is_the_same_text():
    one = "autoagent: score fell from 0.8155 to 0.7621 over 51 rounds"
    assert similarity(one, "autoagent: score fell from 0.8421 to 0.7013 over 64 rounds") > 0.95


def test_other_words_for_the_same_are_nearer_than_another_problem():
    one = "Dimension consentSettings scored low for moss-cosmetics"
    assert similarity(one, "consent_settings is the weakest dimension of moss-cosmetics") > similarity(
        one, "The GPU ran out of memory while autoresearch trained"
    )
    assert similarity("scoring timed out", "the scorer times out") > similarity("scoring timed out", "disk is full")


@given(st.lists(st.text(max_size=200), max_size=6))
def test_vectors_have_length_one_or_none(texts: list[str]):
    found = Lexical().embed(texts)
    assert found.shape == (len(texts), Lexical.dimensions) and found.dtype == np.float32
    assert all(abs(length - 1) < 1e-5 or length == 0 for length in np.linalg.norm(found, axis=1))


def test_a_vector_does_not_depend_on_its_neighbours():
    together = Lexical().embed(["alpha", "cost spike in autoresearch"])[1]
    assert blob(together) == blob(Lexical().embed(["cost spike in autoresearch"])[0])


def test_without_a_model_words_are_compared(tmp_path: Path):
    assert embedder("").name == "lexical-256"
    said: list[str] = []
    assert embedder(str(tmp_path / "no such model"), said.append).name == "lexical-256"
    assert len(said) == 1 and "no such model" in said[0]
