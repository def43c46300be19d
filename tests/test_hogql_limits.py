"""No query takes the process with it: neither time nor memory without end, and a sentence for what is too much."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from queries.backend import QueryRefused, QueryTimedOut
from queries.local import backend as backend_module
from queries.local.backend import LocalBackend
from queries.local.store import Store
from tests.conftest import NOW
from tests.events import event


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    folder = tmp_path_factory.mktemp("limits")
    folder.chmod(0o700)
    store = Store.open(folder / "events.db")
    store.ingest([event("tick", key=number, n=number) for number in range(200)], now=NOW)
    yield store
    store.close()


@pytest.fixture(scope="module")
def backend(store: Store) -> Iterator[LocalBackend]:
    asking = LocalBackend(store.path, now=lambda: NOW)
    yield asking
    asking.close()


TOO_MUCH = {
    "SELECT range(1000000000)": "The array of range",
    "SELECT arrayWithConstant(1000000000, 'x')": "The array",
    "SELECT repeat('x', 1000000000)": "The repeated text",
    "SELECT leftPad('x', 1000000000)": "The padded text",
    "SELECT replaceAll(repeat('x', 1000000), 'x', 'yyyyyyyyyyyyyyyyyyyyy')": "The replaced text",
    "SELECT concat(c, c, c) FROM (SELECT concat(b, b, b, b, b) AS c FROM (SELECT concat(a, a, a, a, a) AS b FROM "
    "(SELECT repeat('x', 1000000) AS a)))": "A value became larger than 50,000,000 bytes",
    "SELECT groupArray(concat(repeat('x', 1000000), properties.n)) FROM events": "A value became larger",
    "SELECT concat(repeat('x', 1000000), properties.n) FROM events LIMIT 50000": "The answer is larger than",
    "SELECT match(repeat('ab', 500000), '(a|b)*a(a|b){500}c')": "Text times pattern",
    "SELECT sum(x) FROM (SELECT arrayJoin([9223372036854775807, 1]) AS x)": "An integer became larger than 64 bits",
    "SELECT abs(-9223372036854775807 - 1)": "An integer became larger than 64 bits",
    "SELECT topK(5)(concat(repeat('x', 1000000), properties.n)) FROM events": "What topK has to remember",
    "SELECT trim(repeat('x', 1000000), repeat('y', 1000000))": "The letters to trim",
}


@pytest.mark.parametrize("text", TOO_MUCH)
def test_too_much_is_refused_in_a_sentence(text: str, backend: LocalBackend) -> None:
    with pytest.raises(QueryRefused, match=TOO_MUCH[text]):
        backend.query(text)
    assert backend.query("SELECT count() FROM events").rows == ((200,),)


REMARKS = {
    "SELECT intDiv(1, toInt(properties.n)) FROM events": "Division by zero",
    "SELECT 1 % toInt(properties.n) FROM events": "Division by zero",
    "SELECT match(event, properties.client || '(') FROM events": "Bad regular expression",
    "SELECT replaceRegexpAll(event, 'a', '\\\\1') FROM events": "names group 1, the regular expression has 0",
    "SELECT arrayZip([1], range(2))": "arrays of one length",
    "SELECT range(1, 5, 0)": "The step of range is 0",
}


@pytest.mark.parametrize("text", REMARKS)
def test_a_function_says_what_it_could_not_do(text: str, backend: LocalBackend) -> None:
    with pytest.raises(QueryRefused, match=REMARKS[text]):
        backend.query(text)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT count() FROM events AS a, events AS b, events AS c, events AS d, events AS e",
        "SELECT count() FROM (SELECT arrayJoin(range(100000)) AS a, arrayJoin(range(99999)) AS b)",
        "SELECT arraySum(arrayMap(x -> arraySum(arrayMap(y -> x * y, range(100000))), range(100000)))",
        "SELECT median(a.x * b.x) FROM (SELECT arrayJoin(range(99999)) AS x) AS a, "
        "(SELECT arrayJoin(range(100000)) AS x) AS b",
    ],
)
def test_a_query_without_end_is_stopped(text: str, store: Store) -> None:
    asking = LocalBackend(store.path, now=lambda: NOW, time_limit_s=0.2)
    with pytest.raises(QueryTimedOut, match=r"did not finish within 0\.2 s"):
        asking.query(text)
    assert asking.query("SELECT 1").rows == ((1,),)
    asking.close()


@pytest.mark.parametrize("pattern", ["(a+)+b", "(a|a)*b", "(a|aa)+$", "([a-z]+)*c", "(.*)*x", "(a?){30}a{30}b"])
def test_a_pattern_that_backtracks_elsewhere_is_linear_here(pattern: str, backend: LocalBackend) -> None:
    text = f"SELECT match(repeat('a', 5000), '{pattern}'), extract(repeat('a', 5000), '{pattern}')"
    assert backend.query(text).rows[0][1] in ("", "a" * 5000, "aa", "a")


@pytest.mark.parametrize("pattern", ["%a%a%a%a%a%a%a%a%a%b", "%" + "a" * 199 + "b", "%" * 150 + "b"])
def test_like_is_linear_too(pattern: str, backend: LocalBackend) -> None:
    for word in ("LIKE", "ILIKE"):
        assert backend.query(f"SELECT repeat('a', 100000) {word} '{pattern}'").rows == ((0,),)


def test_an_answer_that_was_capped_says_so(backend: LocalBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    many = "SELECT a.x FROM (SELECT arrayJoin(range(50001)) AS x) AS a LIMIT {n}"
    capped = backend.query(many.replace("{n}", "60000"))
    assert (len(capped.rows), capped.has_more, capped.limit) == (50_000, True, 50_000)
    whole = backend.query(many.replace("{n}", "50000"))
    assert (len(whole.rows), whole.has_more) == (50_000, False)
    bound = backend.query(many, {"n": 70_000})
    assert (len(bound.rows), bound.has_more) == (50_000, True)
    without = backend.query("SELECT event FROM events")
    assert (len(without.rows), without.has_more, without.limit) == (100, True, 100)


def test_memory_that_is_not_there_is_a_sentence(backend: LocalBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    def starve(_cursor: object) -> list:
        raise MemoryError

    monkeypatch.setattr(backend_module, "_fetched", starve)
    with pytest.raises(QueryRefused, match="more memory than there is"):
        backend.query("SELECT 1")


def test_a_file_of_another_owner_cannot_be_reached(backend: LocalBackend, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    for text in (f"SELECT * FROM file('{secret}')", f"SELECT readfile('{secret}')", f"SELECT * FROM `{secret}`"):
        with pytest.raises(QueryRefused):
            backend.query(text)
