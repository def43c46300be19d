"""The HogQL compiler: ClickHouse's answers, plain refusals for everything else, and SQL that uses the index."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from queries.local.hogql import expression, functions, reference, runtime
from queries.local.hogql.compiler import Compiled, HogQLError, compile_query, fingerprint
from tests.events import event
from tests.hogql_corpus import NOW, ZONE, events, queries
from tests.hogql_store import TYPES, Asked, compiled

QUERIES = queries()


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    asked = Asked(tmp_path_factory.mktemp("hogql") / "events.db", events())
    yield asked
    asked.store.close()


# Refusals (`test_hogql_refused.py` has them one by one)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT " + "(" * 2000 + "1" + ")" * 2000,
        "SELECT " + "not " * 2000 + "1",
        "SELECT " + "f(" * 60 + "1" + ")" * 60,
        "SELECT " + "CASE WHEN 1 THEN " * 300 + "1" + " END" * 300,
        "SELECT " + "x -> " * 1000 + "1",
        "SELECT a" + ".b" * 1000,
        "SELECT 1" + " + 1" * 700,
        "SELECT event" + " = event" * 300 + " FROM events",
        "SELECT 1" + " UNION ALL SELECT 1" * 600,
        "SELECT '" + "x" * 30_000 + "'",
        "SELECT 1 AS a0, " + ", ".join(f"a{n} + a{n} AS a{n + 1}" for n in range(40)),
        "SELECT 1 AS a0, " + ", ".join(f"a{n} + a{n} AS a{n + 1}" for n in range(40)) + " GROUP BY a40",
    ],
    ids=lambda text: text[:20],
)
def test_a_monstrous_text_is_refused_at_once(text: str) -> None:
    with pytest.raises(HogQLError):
        compile_query(text, {})


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(QUERIES)), st.data())
def test_a_mangled_query_compiles_or_is_refused(name: str, data: st.DataObject) -> None:
    words = QUERIES[name].split(" ")
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(words) - 1))
        words[place] = data.draw(
            st.sampled_from(["", "NULL", "(", "count()", "event", "*", "'", "`", "\\", "{since}", "1"])
        )
    try:
        compile_query(" ".join(words), TYPES)
    except HogQLError as error:
        assert str(error)


# Text of a query never becomes SQL


NASTY = (
    "'; DROP TABLE events; --",
    '"',
    "`",
    "\\",
    "''",
    "$.a",
    '"]',
    "日本",
    "{x}",
    ":now",
    "?",
    "a b",
    "%s",
    "--",
    "/*",
    "\n",
)


@pytest.mark.parametrize("name", NASTY)
def test_property_names_and_aliases_are_never_sql(name: str, tmp_path: Path) -> None:
    wire = {
        "event": "e",
        "distinct_id": "d",
        "timestamp": NOW.isoformat(),
        "properties": {name: "found", "in": {name: 1}},
    }
    asked = Asked(tmp_path / "events.db", [wire])
    key = name.replace("\\", "\\\\").replace("'", "\\'")
    column = name.replace("\\", "\\\\").replace("`", "``")
    text = f"SELECT properties['{key}'] AS `{column}`, properties.in['{key}'] FROM events WHERE `{column}` = 'found'"
    assert asked.answer(text) == [["found", "1"]]
    assert compile_query(text, {}).columns[0] == name


@pytest.mark.parametrize("value", NASTY)
def test_values_arrive_as_they_are(value: str, corpus: Asked) -> None:
    assert corpus.answer("SELECT {v} AS v, {v} = {v}", {"v": ("String", value)}) == [[value, 1]]
    literal = value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    assert corpus.answer(f"SELECT '{literal}', length('{literal}')") == [[value, len(value.encode())]]


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30))
def test_any_string_survives_as_a_constant(value: str) -> None:
    literal = value.replace("\\", "\\\\").replace("'", "\\'")
    try:
        found = compile_query(f"SELECT '{literal}'", {})
    except HogQLError:
        return  # the grammar's business, as long as it says so
    row = sqlite3.connect(":memory:").execute(found.sql, {"row_limit": 1}).fetchone()
    assert row == (value,)


# Rows and limits


def test_without_limit_the_caller_says_how_many_rows() -> None:
    found = compile_query("SELECT event FROM events", {})
    assert found.limit is None and found.sql.endswith("LIMIT :row_limit")


@pytest.mark.parametrize(("limit", "kept"), [(0, 0), (7, 7), (50_000, 50_000), (50_001, 50_000), (10**12, 50_000)])
def test_a_limit_is_capped_as_posthog_caps_it(limit: int, kept: int) -> None:
    found = compile_query(f"SELECT event FROM events LIMIT {limit}", {})
    assert found.limit == kept
    # One more row is asked for where the cap takes some away, so that the answer can say so.
    assert found.sql.endswith(f"LIMIT {kept + 1 if limit > kept else kept}")


def test_a_union_is_limited_as_a_whole(corpus: Asked) -> None:
    assert len(corpus.answer("SELECT event FROM events UNION ALL SELECT event FROM events")) == 100


def test_a_limit_can_be_a_placeholder(corpus: Asked) -> None:
    rows = corpus.answer("SELECT event FROM events LIMIT {n}", {"n": ("Int64", 3)})
    assert len(rows) == 3


# Speed: the clustered index, and JSON only where it is read


@pytest.mark.parametrize(
    "where",
    [
        "event = 'round_scored' AND timestamp >= toDateTime({since}) AND timestamp < toDateTime({until})",
        "event IN ('round_kept', 'round_scored') AND timestamp >= {since} AND timestamp < {until}",
        "event = 'round_scored' AND timestamp > now() - INTERVAL 30 DAY AND timestamp < now()",
        "event = 'round_scored' AND timestamp >= '2026-03-29' AND timestamp < '2026-03-30 12:00:00'",
        "event = 'x' AND timestamp >= today() AND timestamp < now() AND ({project} = '' OR distinct_id = {project})",
    ],
)
def test_an_event_and_a_time_range_are_one_range_of_the_key(where: str, corpus: Asked) -> None:
    plan = corpus.plan(f"SELECT count(), max(toFloat(properties.delta)) FROM events WHERE {where}")
    assert "SEARCH t1 USING PRIMARY KEY (event=? AND timestamp>? AND timestamp<?)" in plan
    assert "t1b" not in plan


def test_a_round_is_found_by_its_index(corpus: Asked) -> None:
    assert "events_round" in corpus.plan("SELECT event FROM events WHERE properties.round_id = {project}")


def test_json_is_joined_by_key_only_where_it_is_read(corpus: Asked) -> None:
    plan = corpus.plan("SELECT properties.unusual FROM events WHERE event = 'odd'")
    assert "SEARCH t1 USING PRIMARY KEY (event=?)" in plan
    assert "SEARCH t1b USING INTEGER PRIMARY KEY" in plan


DISCOVERY = """SELECT {items} FROM (
  SELECT properties.round_id AS r, toStartOfHour(timestamp) AS h,
    arrayJoin(arrayFilter(k -> startsWith(k, '{prefix}'), JSONExtractKeys(properties))) AS dim,
    JSONExtract(properties, dim, 'Nullable(Float64)') AS value
  FROM events WHERE event = 'round_scored'
) WHERE {where} ORDER BY 1, 2"""


@pytest.mark.parametrize("prefix", ["dim_", "dim_n"])
@pytest.mark.parametrize("items", ["r, dim, value, h", "dim, count(), avg(value)"])
def test_dimensions_come_from_their_own_table_with_the_same_rows(items: str, prefix: str, corpus: Asked) -> None:
    def text(where: str) -> str:
        by = " GROUP BY dim ORDER BY" if "count" in items else " ORDER BY"
        filled = DISCOVERY.replace("{items}", items).replace("{prefix}", prefix).replace("{where}", where)
        return filled.replace(" ORDER BY", by)

    quick, slow = text("value IS NOT NULL"), text("ifNull(value, 0) = value")
    assert " dims AS" in compile_query(quick, {}).sql and " dims AS" not in compile_query(slow, {}).sql
    assert corpus.answer(quick) == corpus.answer(slow) != []


def test_dimensions_without_a_number_keep_the_table_out() -> None:
    text = DISCOVERY.replace("{items}", "r, dim").replace("{prefix}", "dim_").replace("{where}", "dim != 'x'")
    assert " dims AS" not in compile_query(text, {}).sql
    renamed = (
        DISCOVERY.replace("{items}", "r, 1 AS value")
        .replace("{prefix}", "dim_")
        .replace("{where}", "value IS NOT NULL")
    )
    assert " dims AS" not in compile_query(renamed, {}).sql


def test_names_that_begin_alike_are_read_by_sqlite_with_the_same_rows(tmp_path: Path) -> None:
    odd = {
        "$feature/plain": "test", "$feature/on": True, "$feature/off": False, "$feature/none": None, "$feature/": "x",
        "$feature/number": 1.0, "$feature/large": 1e20, "$feature/list": [1.50, "a"], "$feature/object": {"b": "\"c"},
        '$feature/"quoted".[0]': 'a"b\\c', "$feature/übung\n": "zwei\nZeilen\u2028",
        "$Feature/other": "x", "feature": "$feature/none of these",
    }  # fmt: skip
    asked = Asked(tmp_path / "events.db", [event("round_started", **odd), event("round_started", key=1)])
    text = """SELECT arrayJoin(arrayFilter(k -> startsWith(k, '$feature/'){more}, JSONExtractKeys(properties))) AS name,
      JSONExtractRaw(properties, name) AS saw, JSONExtractString(properties, name) AS read
    FROM events WHERE length(name) > 0 ORDER BY name"""
    quick, slow = text.replace("{more}", ""), text.replace("{more}", " AND 1 = 1")
    assert "hq_json_keys" not in compile_query(quick, {}).sql and "hq_json_keys" in compile_query(slow, {}).sql
    assert asked.answer(quick) == asked.answer(slow) and len(asked.answer(quick)) == 11


# Time


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("America/New_York", "2026-03-08", 23),
        ("America/New_York", "2026-11-01", 25),
        ("Asia/Kolkata", "2026-11-01", 24),
    ],
)
def test_a_day_has_as_many_hours_as_the_projects_clock(zone: str, day: str, hours: int, tmp_path: Path) -> None:
    first = datetime.fromisoformat(f"{day}T00:00:00+00:00") - timedelta(hours=12)
    times = [first + timedelta(minutes=30 * place + 15) for place in range(120)]
    asked = Asked(tmp_path / "events.db", [])
    wire = [{"event": "tick", "distinct_id": "d", "timestamp": at.isoformat(), "properties": {}} for at in times]
    asked.store.ingest(wire, now=datetime(2027, 1, 1, tzinfo=UTC))
    text = "SELECT toDate(timestamp) AS day, uniq(toStartOfHour(timestamp)), count() FROM events GROUP BY day"
    assert [row[1:] for row in asked.answer(text, zone=zone) if row[0] == day] == [[hours, hours * 2]]


def test_datetimes_carry_the_projects_offset(corpus: Asked) -> None:
    (row,) = corpus.answer(
        "SELECT toDateTime('2026-01-15T12:00:00Z'), toTimeZone(toDateTime('2026-01-15T12:00:00Z'), 'Asia/Tokyo')"
    )
    assert row == ["2026-01-15T13:00:00+01:00", "2026-01-15T21:00:00+09:00"]


# In and out


def test_values_are_bound_in_the_stores_units() -> None:
    berlin = timezone(timedelta(hours=2))
    assert runtime.bind(datetime(1970, 1, 1, 2, 0, 1, tzinfo=berlin), "DateTime") == 1_000_000
    assert runtime.bind("1970-01-01T00:00:01.5Z", "DateTime") == 1_500_000
    assert runtime.bind(date(1970, 1, 2), "DateTime") == 86_400_000_000
    assert runtime.bind(["a", "é"], "Array(String)") == '["a", "é"]'
    assert runtime.bind(True, "Bool") == 1 and runtime.bind(None, "String") is None


@pytest.mark.parametrize(
    ("value", "type"), [("soon", "DateTime"), ("x", "Float64"), (2**70, "Int64"), ("a", "Array(String)")]
)
def test_a_value_of_another_type_is_refused(value: object, type: str) -> None:
    with pytest.raises(HogQLError, match="is not a value of type"):
        runtime.bind(value, type)


@pytest.mark.parametrize(
    ("value", "type", "cell"),
    [
        (0, "DateTime", "1970-01-01T01:00:00+01:00"),
        (1_500_000, "Nullable(DateTime64(6, 'UTC'))", "1970-01-01T00:00:01.500000+00:00"),
        (1, "Nullable(Date)", "1970-01-02"),
        (None, "Nullable(Date)", None),
        (1, "Bool", True),
        (3, "Float64", 3.0),
        (float("inf"), "Float64", None),
        ('[[1,"a"],[0,"b"]]', "Array(Tuple(Bool, String))", [[True, "a"], [False, "b"]]),
    ],
)
def test_cells_are_json_values(value: object, type: str, cell: object) -> None:
    assert runtime.decode(value, type, ZONE) == cell


def test_a_list_of_values_is_one_placeholder(corpus: Asked) -> None:
    values = {"names": ("Array(String)", ["round_kept", "it's", "odd"])}
    rows = corpus.answer(
        "SELECT event, count() FROM events WHERE event IN {names} GROUP BY event ORDER BY event", values
    )
    assert [row[0] for row in rows] == ["odd", "round_kept"]


def test_infinity_in_an_array_is_null(corpus: Asked) -> None:
    assert corpus.answer("SELECT [1 / 0, 2.5], groupArray(-1 / 0), tuple(1 / 0, 'a')") == [
        [[None, 2.5], [None], [None, "a"]]
    ]


def test_a_compiled_text_survives_as_json() -> None:
    found = compile_query("SELECT event, {since} FROM events LIMIT 3", TYPES)
    assert Compiled.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_the_fingerprint_knows_text_and_types() -> None:
    first = fingerprint("SELECT {a}", {"a": "String"})
    assert first == fingerprint("SELECT {a}", {"a": "String"})
    assert first not in (fingerprint("SELECT {a} ", {"a": "String"}), fingerprint("SELECT {a}", {"a": "Int64"}))


def test_compiling_twice_gives_the_same_sql() -> None:
    assert compile_query(QUERIES["lambdas"], TYPES) == compiled(QUERIES["lambdas"])


def test_columns_are_named_as_posthog_names_them() -> None:
    text = (
        "SELECT event, e.timestamp, properties.score, count( ), toDate(timestamp) AS day FROM events AS e GROUP BY ALL"
    )
    assert compile_query(text, {}).columns == ("event", "timestamp", "score", "count( )", "day")


def test_the_posthog_sdk_can_be_imported_before_and_after_the_parser() -> None:
    for order in (
        "import posthog; parse('SELECT 1'); import posthog.client",
        "parse('SELECT 1'); import posthog.client",
    ):
        code = f"from queries.local.hogql.parser import parse; {order}; print(posthog.client.Client.__name__)"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
        assert done.stdout.strip() == "Client", done.stderr


def test_the_supported_functions_can_be_listed() -> None:
    names = functions.supported()
    assert len(names) > 250 and len(set(names)) == len(names)
    assert {"toFloat", "countIf", "quantileIf", "arrayMap", "row_number", "arrayJoin"} <= set(names)


_ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Africa/Casablanca")
_YEARS = st.integers(-(10**15), 3 * 10**15)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(_ZONES), _YEARS, st.integers(-500 * 86_400, 500 * 86_400), st.integers(0, 999_999))
def test_days_and_hours_by_offset_are_those_of_the_clock(zone: str, now: int, seconds: int, us: int) -> None:
    instant = now + seconds * 1_000_000 + us
    bound = runtime.clock_values(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=now), zone)
    connection = sqlite3.connect(":memory:")
    runtime.register(connection)
    connection.execute("CREATE TABLE t(at)")
    connection.execute("INSERT INTO t VALUES (?)", (instant,))
    day, hour = (expression.day_number("t.at", ":tz"), expression.start_of_hour("t.at", ":tz"))
    text = f"SELECT {day}, {hour}, hq_day(t.at, :tz), hq_start(t.at, 'hour', :tz) FROM t"
    by_offset_day, by_offset_hour, by_clock_day, by_clock_hour = connection.execute(text, bound).fetchone()
    assert (by_offset_day, by_offset_hour) == (by_clock_day, by_clock_hour)


def test_a_time_without_a_value_has_no_day() -> None:
    connection = sqlite3.connect(":memory:")
    runtime.register(connection)
    text = f"SELECT {expression.day_number('t.at', ':tz')} FROM (SELECT NULL AS at) AS t"
    assert connection.execute(text, runtime.clock_values(NOW, ZONE)).fetchone() == (None,)


def test_the_hour_that_comes_twice_is_one_row_by_its_text_and_two_by_its_start(tmp_path: Path) -> None:
    first = datetime(2025, 10, 26, 0, 30, tzinfo=UTC)  # 02:30 in Berlin, an hour before it is 02:30 again
    sent = [event("e", key=number, at=first + timedelta(minutes=20 * number)) for number in range(6)]
    asked = Asked(tmp_path / "events.db", sent)
    by_text = "SELECT if({bucket} = 'hour', toString(toStartOfHour(timestamp)), toString(toDate(timestamp))) AS bucket"
    rest = " , count() FROM events GROUP BY bucket ORDER BY bucket"
    values = {"bucket": ("String", "hour")}
    assert asked.answer(by_text + rest, values) == [["2025-10-26 02:00:00", 5], ["2025-10-26 03:00:00", 1]]
    assert asked.answer(by_text + rest, {"bucket": ("String", "day")}) == [["2025-10-26", 6]]
    starts = asked.answer("SELECT toStartOfHour(timestamp) AS start, count() FROM events GROUP BY start ORDER BY start")
    assert [count for _, count in starts] == [2, 3, 1]
    asked.store.close()


def test_a_trace_is_found_by_an_index_whether_or_not_it_is_a_round(tmp_path: Path) -> None:
    def told(key: str, **ids: str) -> dict:
        return event("e", key=key, at=NOW, **ids)

    trace = {"round_id": "r1", "$ai_trace_id": "r1"}
    sent = [told("a", **trace), told("b", round_id="r1"), told("c", **{"$ai_trace_id": "r1"}), told("d", round_id="r2")]
    sent += [told("e", **{**trace, "round_id": "r2"}), told("f", **{**trace, "$ai_trace_id": "t"}), told("g")]
    asked = Asked(tmp_path / "events.db", sent)
    values = {"id": ("String", "r1")}
    of_trace = "SELECT count() FROM events WHERE properties.$ai_trace_id = {id}"
    of_either = f"{of_trace} OR properties.round_id = {{id}}"
    assert asked.answer(of_trace, values) == [[3]]
    assert asked.answer(of_either, values) == [[5]]
    assert asked.answer("SELECT count() FROM events WHERE NOT properties.$ai_trace_id = {id}", values) == [[4]]
    for text in (of_trace, of_either):
        assert "events_trace" in asked.plan(text, values) and "events_round" in asked.plan(text, values)
        assert "SCAN" not in asked.plan(text, values).replace("SCAN (subquery", "").replace("SCAN g", "")
    asked.store.close()


def test_the_reference_lists_every_function_and_column() -> None:
    document = reference.DOCUMENT.read_text(encoding="utf-8")
    assert document == reference.with_reference(document), "run python -m queries.local.hogql.reference"
    for name in functions.supported():
        base = name.removesuffix("If")
        assert f"`{name}" in document or f"`{base}" in document, name
