"""Which vectors are nearest: exactly what comparing with each gives, however they came into the matrix."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.embedding import Lexical, blob
from engine.nearest import Near, Nearest


def unit(count: int, seed: int, dimensions: int = 8) -> np.ndarray:
    vectors = np.random.default_rng(seed).standard_normal((count, dimensions)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@given(st.integers(0, 60), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_the_search_is_what_comparing_with_each_gives(count: int, top: int, seed: int):
    vectors, asked = unit(count, seed), unit(3, seed + 1)
    nearest = Nearest(8)
    for place, vector in enumerate(vectors):
        nearest.put(f"{place:03}", vector)
    for found, one in zip(nearest.search(asked, top), asked, strict=True):
        every = [
            (-float(np.dot(vector.astype(float), one.astype(float))), f"{n:03}") for n, vector in enumerate(vectors)
        ]
        assert [near.id for near in found] == [id for _, id in sorted(every)[:top]]


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
    assert [near.id for near in nearest.search(vectors[900:901], 2)[0]] == ["7", "900"]


def test_the_order_of_equal_ones_never_depends_on_where_they_lie():
    same = unit(1, 3, 256)[0]
    others = unit(500, 4, 256)
    orders = []
    for seed in range(4):
        nearest = Nearest(256)
        rows = [(f"same{n:02}", same) for n in range(30)] + [(f"other{n}", one) for n, one in enumerate(others)]
        for place in np.random.default_rng(seed).permutation(len(rows)):
            nearest.put(*rows[place])
        orders.append([near.id for near in nearest.search(same[None], 10)[0]])
    assert orders == [[f"same{n:02}" for n in range(10)]] * 4


def test_vectors_are_stored_and_read_as_they_were():
    vectors = Lexical().embed(["one thing", "another"])
    nearest = Nearest.of_blobs([("a", blob(vectors[0])), ("b", blob(vectors[1]))], Lexical.dimensions)
    assert nearest.search(vectors, 1) == [[Near("a", 1.0)], [Near("b", 1.0)]] or [
        found[0].id for found in nearest.search(vectors, 1)
    ] == ["a", "b"]
    nearest.put("c", vectors[0])
    assert [near.id for near in nearest.search(vectors[:1], 2)[0]] == ["a", "c"]


def test_the_cosine_of_those_that_are_known():
    vectors = unit(3, 5)
    nearest = Nearest.of_blobs([(str(n), blob(vector)) for n, vector in enumerate(vectors)], 8)
    found = nearest.similarities(["2", "nobody", "0"], vectors[0])
    assert set(found) == {"0", "2"} and abs(found["0"] - 1) < 1e-6


def test_nothing_stored_finds_nothing():
    assert Nearest.of_blobs([], 8).search(unit(2, 1)) == [[], []]
    assert Nearest(8).similarities(["a"], unit(1, 1)[0]) == {}
