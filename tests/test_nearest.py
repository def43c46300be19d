"""Which vectors are nearest: exactly what comparing with each gives, however they came into the matrix."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.nearest import Nearest


def unit(count: int, seed: int, dimensions: int = 8) -> np.ndarray:
    vectors = np.random.default_rng(seed).standard_normal((count, dimensions)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@given(st.integers(0, 60) | st.integers(900, 1_500), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_the_search_is_what_comparing_with_each_gives(count: int, top: int, seed: int):
    vectors, asked = unit(count, seed), unit(3, seed + 1)
    nearest = Nearest(8)
    for place, vector in enumerate(vectors):
        nearest.put(f"{place:04}", vector)
    for found, one in zip(nearest.search(asked, top), asked, strict=True):
        cosines = vectors.astype(float) @ one.astype(float)
        every = sorted(range(count), key=lambda place: (-round(cosines[place] * 10_000), -place))
        assert [near.id for near in found] == [f"{place:04}" for place in every[:top]]
        assert all(abs(near.similarity - cosines[int(near.id)]) < 1e-5 for near in found)


def test_it_grows_past_what_it_began_with_and_a_renewed_vector_takes_the_old_ones_place():
    vectors = unit(1_000, 1)
    nearest = Nearest(8)
    for place, vector in enumerate(vectors):
        nearest.put(str(place), vector)
    assert len(nearest) == 1_000
    assert [nearest.search(vectors[place : place + 1], 1)[0][0].id for place in (0, 255, 256, 999)] == [
        "0", "255", "256", "999",
    ]  # fmt: skip
    nearest.put("7", vectors[900])
    assert len(nearest) == 1_000
    assert [near.id for near in nearest.search(vectors[900:901], 2)[0]] == ["900", "7"]


def test_of_equal_ones_the_last_that_came_are_found_however_many_there_are():
    same, others = unit(1, 3, 256)[0], unit(500, 4, 256)
    nearest = Nearest(256)
    for place in range(3_000):
        nearest.put(f"other{place}", others[place % 500])
        nearest.put(f"same{place}", same)
    assert [near.id for near in nearest.search(same[None], 10)[0]] == [
        f"same{place}" for place in range(2_999, 2_989, -1)
    ]


def test_the_cosine_of_those_that_are_known():
    vectors = unit(3, 5)
    nearest = Nearest(8)
    for n, vector in enumerate(vectors):
        nearest.put(str(n), vector)
    found = nearest.similarities(["2", "nobody", "0"], vectors[0])
    assert set(found) == {"0", "2"} and abs(found["0"] - 1) < 1e-6


def test_nothing_stored_finds_nothing():
    assert Nearest(8).search(unit(2, 1)) == [[], []]
    assert Nearest(8).similarities(["a"], unit(1, 1)[0]) == {}
