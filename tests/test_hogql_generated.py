"""Texts that nobody wrote: random HogQL against ClickHouse and against itself, random noise against the whole backend,
and hostile names that must never become SQL."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from queries.backend import QueryRefused, QueryTimedOut
from queries.local.backend import LocalBackend
from queries.local.hogql.compiler import HogQLError, compile_query
from queries.local.store import Store
from tests import hogql_grammar as grammar
from tests.hogql_corpus import NOW, events
from tests.hogql_corpus import queries as corpus_queries
from tests.hogql_oracle import Oracle
from tests.hogql_store import TYPES, Asked, rows_of

_QUIET = [
    HealthCheck.too_slow,
    HealthCheck.function_scoped_fixture,
    HealthCheck.filter_too_much,
    HealthCheck.data_too_large,
]
CORPUS = corpus_queries()


def _mirrored() -> list[dict]:
    """The corpus's events with each hot property under a name without a column as well."""
    wire = events()
    for each in wire:
        given = each["properties"]
        each["properties"] = given | {f"cold_{name}": value for name, value in given.items()}
    return wire


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    asked = Asked(tmp_path_factory.mktemp("generated") / "events.db", _mirrored())
    yield asked
    asked.store.close()


@pytest.fixture(scope="module")
def oracle() -> Oracle:
    if find_spec("chdb") is None:
        pytest.skip("chdb is not installed (extra: oracle)")
    return Oracle(_mirrored())


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalBackend]:
    folder = tmp_path_factory.mktemp("noise")
    folder.chmod(0o700)
    store = Store.open(folder / "events.db")
    store.ingest(events(), now=NOW)
    store.close()
    asking = LocalBackend(folder / "events.db", "Europe/Berlin", now=lambda: NOW, time_limit_s=1)
    yield asking
    asking.close()


# Random HogQL


@settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=_QUIET)
@given(grammar.queries())
def test_generated_queries_are_answered_as_clickhouse_does(store: Asked, oracle: Oracle, text: str) -> None:
    try:
        found = store.answer(text)
    except HogQLError:
        assume(False)
    try:
        expected = oracle.ask(text)["rows"]
    except Exception:  # what ClickHouse itself refuses, such as a supertype of UInt64 and Int64
        assume(False)
    assert rows_of(text, found) == rows_of(text, expected)


@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=_QUIET)
@given(grammar.queries())
def test_a_column_of_its_own_changes_no_answer(store: Asked, text: str) -> None:
    hot = re.compile(r"properties\.(score|reason)\b")
    assume(hot.search(text))
    cold = hot.sub(r"properties.cold_\1", text)
    try:
        expected = store.answer(cold)
    except HogQLError:
        assume(False)
    assert rows_of(text, store.answer(text)) == rows_of(text, expected)


@settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=_QUIET)
@given(grammar.expressions())
def test_a_sub_select_a_cte_and_an_alias_change_no_answer(store: Asked, expression: str) -> None:
    items, where = f"toInt(properties.place) AS n, {expression} AS x", "FROM events WHERE event = 'odd'"
    plain = f"SELECT {items} {where} ORDER BY n"
    forms = (
        f"SELECT n, x FROM (SELECT {items} {where}) ORDER BY n",
        f"WITH t AS (SELECT {items} {where}) SELECT t.n, t.x FROM t ORDER BY t.n",
        f"SELECT e.n, e.x FROM (SELECT *, {items} {where}) AS e ORDER BY n",
    )
    try:
        expected = store.answer(plain)
    except HogQLError:
        assume(False)
    for form in forms:
        assert store.answer(form) == expected


# Noise


_WORDS = st.sampled_from(
    sorted({word for text in CORPUS.values() for word in re.findall(r"\w+|[^\w\s]", text)} - {"repeat", "range"})
)


def _answered_or_refused(backend: LocalBackend, text: str) -> None:
    values = {"since": NOW, "until": NOW, "project": "x", "bucket": "hour"}
    try:
        found = backend.query(text, values, {name: TYPES[name] for name in values})
    except (QueryRefused, QueryTimedOut) as error:
        assert str(error).strip() and "\x00" not in str(error)
    else:
        assert all(len(row) == len(found.columns) for row in found.rows)


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=_QUIET)
@given(st.one_of(st.text(max_size=60), st.binary(max_size=60).map(lambda raw: raw.decode("latin-1"))))
def test_noise_is_refused_in_a_sentence(backend: LocalBackend, text: str) -> None:
    _answered_or_refused(backend, text)
    _answered_or_refused(backend, f"SELECT {text} FROM events")


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=_QUIET)
@given(st.lists(_WORDS, max_size=25))
def test_a_soup_of_tokens_is_answered_or_refused(backend: LocalBackend, words: list[str]) -> None:
    _answered_or_refused(backend, "SELECT " + " ".join(words))


@settings(max_examples=120, deadline=None, derandomize=True, suppress_health_check=_QUIET)
@given(st.sampled_from(sorted(CORPUS)), st.data())
def test_a_mangled_text_is_answered_or_refused(backend: LocalBackend, name: str, data: st.DataObject) -> None:
    letters = list(CORPUS[name][:400])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(letters) - 1))
        letters[place] = data.draw(
            st.sampled_from(["", "'", "(", ")", "`", '"', "\\", "{", "\0", "--", "/*", "💥", " NULL ", "-1"])
        )
    _answered_or_refused(backend, "".join(letters))


# Names and values are never SQL


_HOSTILE = st.text(
    st.one_of(
        st.sampled_from("'\"`;\\-/*{}$%?:@()[]\n\t ‘’“”＇"), st.characters(codec="utf-8", exclude_characters="\0")
    ),
    min_size=1,
    max_size=12,
).map(lambda text: f"zq{text}x'; DROP TABLE events; --")


def outside_literals(sql: str) -> str:
    """`sql` without its string literals and its quoted columns."""
    return re.sub(r"'(?:''|[^'])*'|`[^`]*`", "", sql)


@settings(max_examples=80, deadline=None, derandomize=True, suppress_health_check=_QUIET)
@given(_HOSTILE)
def test_hostile_names_and_values_stay_in_literals(name: str) -> None:
    quoted = name.replace("\\", "\\\\").replace("`", "``")
    literal = name.replace("\\", "\\\\").replace("'", "\\'")
    text = (
        f"WITH `{quoted}` AS (SELECT properties['{literal}'] AS `{quoted}`, event FROM events) "
        f"SELECT e.`{quoted}` AS `x{quoted}`, '{literal}' AS a, count() AS `n{quoted}`, "
        f"arrayMap(`{quoted}` -> concat(`{quoted}`, '{literal}'), ['{literal}']) AS b, {{v}} AS c "
        f"FROM `{quoted}` AS e WHERE e.event = '{literal}' GROUP BY e.`{quoted}`, a, b, c"
    )
    try:
        found = compile_query(text, {"v": "String"})
    except HogQLError:
        return  # the grammar does not take the name; then nothing is printed
    left = outside_literals(found.sql)
    assert "zq" not in left and "DROP" not in left and ";" not in left and "--" not in left and "/*" not in left
    assert sqlite3.complete_statement(found.sql + ";")
    assert found.columns[0] == f"x{name}"


@settings(max_examples=80, deadline=None, derandomize=True, suppress_health_check=_QUIET)
@given(_HOSTILE, st.text(max_size=20))
def test_a_hostile_value_comes_back_as_it_was(backend: LocalBackend, value: str, other: str) -> None:
    found = backend.query(
        "SELECT {v} AS v, {v} = {w} AS same, {many}", {"v": value, "w": other, "many": [value, other]}
    )
    stored = other.replace("\0", "").encode("utf-8", "replace").decode()
    assert found.rows[0] == (value, int(value == stored), [value, other]) or "\0" in other or stored != other
    assert backend.query("SELECT count() > 0 FROM events").rows == ((1,),)


@pytest.mark.parametrize("name", ["v; DROP TABLE events", "v'", "1v", "ü", "v v", "now", "tz", "row_limit"])
def test_the_name_of_a_placeholder_is_a_plain_word(name: str, backend: LocalBackend) -> None:
    try:
        found = compile_query(f"SELECT {{`{name}`}} AS x", {name: "Int64"})
    except HogQLError:
        return
    assert f":p_{name}" in found.sql and name.isidentifier()
    assert backend.query(f"SELECT {{`{name}`}} AS x", {name: 5}).rows == ((5,),)


def test_noise_in_a_placeholder_type_is_refused(tmp_path: Path) -> None:
    for type in ("Int64); DROP TABLE events; --", "", "Array(Array(String))", "Nullable(Int64)"):
        with pytest.raises(HogQLError, match="cannot be of type"):
            compile_query("SELECT {v}", {"v": type})
