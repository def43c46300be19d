"""Random HogQL: a typed grammar of what both the embedded store and ClickHouse know. It leaves out what is documented
to differ (`docs/hogql.md`): NaN, integers beyond 64 bits, `any`, cut characters."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

Build = Callable[[DrawFn, int], str]

TEXT_LEAVES = ("properties.text", "properties.reason", "properties.score", "event", "distinct_id", "properties.nothing",
               "properties.text.b.c", "properties.text['a.b']", "properties.text[1]", "'abc'", "''", "'null'", "'1'",
               "'naïve ☕'", "'O\\'Brien'", "'a\\\\b'", "'50%_x'")  # fmt: skip
SMALL = ("toInt(properties.place)", "1", "2", "-3", "0", "7", "toHour(timestamp)", "toDayOfWeek(timestamp)")
WILD = (
    "toFloat(properties.text)",
    "toFloat(properties.score)",
    "toFloat(properties.reason)",
    "toFloat(properties.nothing)",
)
PATTERNS = ("'%a%'", "'_b%'", "'%'", "''", "'%\\\\_%'", "'abc'", "'%\\\\\\\\%'", "'[a%'", "'%ï%'", "'%\\n%'")
REGEXES = ("'[0-9]+'", "'^a'", "'(b)|c'", "'\\\\w+$'", "'(?i)ABC'", "'.'", "'[^a-z]'", "'a.*e'", "'\\\\\\\\'")
PARTS, SEPARATORS, LETTERS = ("'a'", "''", "' '"), ("','", "':'", "' '"), ("'a'", "'ï'", "' '")
STEPS = ("'b'", "1", "-1", "'a.b'", "'ü'")
LISTED = ("'abc'", "'1'", "''", "NULL", "'-7'")
FIRST_DAYS = ("toStartOfMonth", "toStartOfWeek", "toMonday", "toStartOfYear", "toStartOfQuarter")
CHANGES = ("arraySort", "arrayReverseSort", "arrayReverse", "arrayDistinct", "arrayCompact")
UNITS = ("SECOND", "MINUTE", "HOUR", "DAY", "WEEK", "MONTH", "QUARTER", "YEAR")


def _one(draw: DrawFn, choices: tuple[str, ...]) -> str:
    return draw(st.sampled_from(choices))


def text(draw: DrawFn, depth: int) -> str:
    if depth <= 0:
        return _one(draw, TEXT_LEAVES)
    a = text(draw, depth - 1)
    match draw(st.integers(0, 19)):
        case 0:
            return f"{_one(draw, ('lower', 'upper', 'lowerUTF8', 'trim', 'trimLeft', 'reverseUTF8', 'toString'))}({a})"
        case 1:
            return f"concat({a}, {text(draw, depth - 1)}, toString({number(draw, depth - 1)}))"
        case 2:
            return f"substringUTF8({a}, {_one(draw, ('1', '2', '-2', '-9'))}, {_one(draw, ('3', '0', '100', '-1'))})"
        case 3:
            return f"replaceAll({a}, {_one(draw, PARTS)}, {text(draw, 0)})"
        case 4:
            return f"splitByChar({_one(draw, SEPARATORS)}, {a})[{_one(draw, ('1', '2', '-1', '9'))}]"
        case 5:
            return f"if({truth(draw, depth - 1)}, {a}, {text(draw, depth - 1)})"
        case 6:
            return f"coalesce({a}, {text(draw, depth - 1)})"
        case 7:
            return f"nullIf({a}, {text(draw, depth - 1)})"
        case 8:
            return f"extract({a}, {_one(draw, REGEXES)})"
        case 9:
            return f"replaceRegexpAll({a}, {_one(draw, REGEXES)}, '<\\\\0>')"
        case 10:
            return f"toString({wild(draw, depth - 1)})"
        case 11:
            return f"arrayStringConcat({texts(draw, depth - 1)}, '-')"
        case 12:
            return f"formatDateTime({time(draw, depth - 1)}, '%Y-%m-%d %H:%i')"
        case 13:
            return f"multiIf({truth(draw, depth - 1)}, {a}, {truth(draw, depth - 1)}, 'x', {text(draw, depth - 1)})"
        case 14:
            return f"CASE {a} WHEN {text(draw, 0)} THEN 'first' WHEN {text(draw, 0)} THEN 'second' ELSE {a} END"
        case 15:
            return f"{_one(draw, ('leftUTF8', 'rightUTF8'))}({a}, {_one(draw, ('0', '1', '3', '50', '-1'))})"
        case 16:
            return f"JSONExtractString(properties, 'text', {_one(draw, STEPS)})"
        case 17:
            return f"greatest({a}, {text(draw, depth - 1)})"
        case 18:
            return f"toString({date(draw, depth - 1)})"
        case _:
            return f"ifNull({a}, {text(draw, 0)})"


def number(draw: DrawFn, depth: int) -> str:
    """Small numbers: no sum or product of a few leaves 64 bits."""
    if depth <= 0:
        return _one(draw, SMALL)
    a = number(draw, depth - 1)
    match draw(st.integers(0, 13)):
        case 0 | 1:
            return f"({a} {_one(draw, ('+', '-', '*'))} {number(draw, 0)})"
        case 2:
            return f"({a} {_one(draw, ('%', '/'))} {_one(draw, ('3', '-2', '7'))})"
        case 3:
            return f"intDiv({a}, {_one(draw, ('2', '-3'))})"
        case 4:
            return f"{_one(draw, ('length', 'lengthUTF8'))}({text(draw, depth - 1)})"
        case 5:
            return f"position({text(draw, depth - 1)}, {_one(draw, LETTERS)})"
        case 6:
            return f"if({truth(draw, depth - 1)}, {a}, {number(draw, depth - 1)})"
        case 7:
            return f"{_one(draw, ('abs', 'floor', 'ceil', 'round', 'sign'))}({a})"
        case 8:
            return f"coalesce({a}, {number(draw, 0)})"
        case 9:
            return f"{_one(draw, ('greatest', 'least'))}({a}, {number(draw, depth - 1)})"
        case 10:
            return f"dateDiff('{_one(draw, UNITS).lower()}', {time(draw, depth - 1)}, {time(draw, depth - 1)})"
        case 11:
            parts = ("toYear", "toMonth", "toHour", "toMinute", "toDayOfYear", "toISOWeek", "toDayOfWeek", "toYYYYMM")
            return f"{_one(draw, parts)}({time(draw, depth - 1)})"
        case 12:
            return f"length({texts(draw, depth - 1)})"
        case _:
            return f"round({a}, {_one(draw, ('1', '-1', '0'))})"


def wild(draw: DrawFn, depth: int) -> str:
    """What a property may hold as a number, infinity too: never subtracted from itself."""
    if depth <= 0:
        return _one(draw, WILD)
    match draw(st.integers(0, 4)):
        case 0:
            return f"({wild(draw, depth - 1)} {_one(draw, ('+', '-', '*'))} {_one(draw, ('1', '2.5', '-3'))})"
        case 1:
            return f"if({truth(draw, depth - 1)}, {wild(draw, depth - 1)}, {number(draw, 0)})"
        case 2:
            return f"coalesce({wild(draw, depth - 1)}, {wild(draw, 0)})"
        case 3:
            return f"nullIf({wild(draw, depth - 1)}, {_one(draw, ('1', '0.5', '0'))})"
        case _:
            return f"{_one(draw, ('floor', 'abs'))}({wild(draw, depth - 1)})"


def truth(draw: DrawFn, depth: int) -> str:
    compare = _one(draw, ("=", "!=", "<", ">=", ">", "<="))
    if depth <= 0:
        return f"{_one(draw, TEXT_LEAVES)} {compare} {_one(draw, TEXT_LEAVES)}"
    match draw(st.integers(0, 16)):
        case 0:
            return f"{text(draw, depth - 1)} {compare} {text(draw, depth - 1)}"
        case 1:
            return f"{number(draw, depth - 1)} {compare} {number(draw, depth - 1)}"
        case 2:
            return f"{wild(draw, depth - 1)} {compare} {wild(draw, depth - 1)}"
        case 3:
            return f"({truth(draw, depth - 1)} {_one(draw, ('AND', 'OR'))} {truth(draw, depth - 1)})"
        case 4:
            return f"NOT ({truth(draw, depth - 1)})"
        case 5:
            return f"{text(draw, depth - 1)} IS {_one(draw, ('NULL', 'NOT NULL'))}"
        case 6:
            word = _one(draw, ("LIKE", "NOT LIKE", "ILIKE"))
            return f"{text(draw, depth - 1)} {word} {_one(draw, PATTERNS)}"
        case 7:
            return f"match({text(draw, depth - 1)}, {_one(draw, REGEXES)})"
        case 8:
            listed = ", ".join(draw(st.lists(st.sampled_from(LISTED), min_size=1, max_size=3)))
            return f"{text(draw, depth - 1)} {_one(draw, ('IN', 'NOT IN'))} ({listed})"
        case 9:
            return f"{number(draw, depth - 1)} {_one(draw, ('IN', 'NOT IN'))} (1, 2, 13)"
        case 10:
            return f"{number(draw, depth - 1)} {_one(draw, ('BETWEEN', 'NOT BETWEEN'))} 0 AND {number(draw, 0)}"
        case 11:
            return f"{_one(draw, ('startsWith', 'endsWith'))}({text(draw, depth - 1)}, {text(draw, 0)})"
        case 12:
            # Not a bare NULL: ClickHouse then looks for whatever lies under it.
            return f"has({texts(draw, depth - 1)}, ifNull({text(draw, 0)}, '-'))"
        case 13:
            return f"{time(draw, depth - 1)} {compare} {time(draw, depth - 1)}"
        case 14:
            return f"{date(draw, depth - 1)} {compare} {date(draw, depth - 1)}"
        case 15:
            return f"empty({_one(draw, ('', 'toString'))}({text(draw, depth - 1)}))"
        case _:
            return f"arrayExists(x -> x {compare} {text(draw, 0)}, {texts(draw, depth - 1)})"


def texts(draw: DrawFn, depth: int) -> str:
    """An array of strings."""
    if depth <= 0:
        return _one(draw, ("splitByChar(':', distinct_id)", "['b', 'a', 'b']", "JSONExtractKeys(properties, 'text')",
                           "JSONExtract(properties, 'text', 'Array(String)')",
                           "splitByChar(' ', properties.text)"))  # fmt: skip
    a = texts(draw, depth - 1)
    match draw(st.integers(0, 8)):
        case 0:
            return f"arrayMap(x -> concat(x, {text(draw, 0)}), {a})"
        case 1:
            return f"arrayFilter(x -> x {_one(draw, ('=', '!=', '<'))} {text(draw, 0)}, {a})"
        case 2:
            return f"{_one(draw, CHANGES)}({a})"
        case 3:
            return f"arrayConcat({a}, {texts(draw, depth - 1)})"
        case 4:
            return f"arraySlice({a}, {_one(draw, ('1', '2', '-1'))}, {_one(draw, ('1', '2', '9'))})"
        case 5:
            return f"arrayMap(x -> ifNull({text(draw, 0)}, x), {a})"
        case 6:
            return f"extractAll({text(draw, depth - 1)}, {_one(draw, REGEXES)})"
        case 7:
            return f"if({truth(draw, depth - 1)}, {a}, {texts(draw, 0)})"
        case _:
            return f"arrayPushBack({a}, 'z')"


def time(draw: DrawFn, depth: int) -> str:
    if depth <= 0:
        return _one(
            draw, ("timestamp", "now()", "toDateTime('2026-03-29 03:30:00')", "toDateTime('2026-01-31 12:00:00')")
        )
    a = time(draw, depth - 1)
    match draw(st.integers(0, 5)):
        case 0:
            sign, count = _one(draw, ("+", "-")), _one(draw, ("1", "3", "25"))
            return f"({a} {sign} INTERVAL {count} {_one(draw, UNITS)})"
        case 1:
            starts = (
                "toStartOfHour",
                "toStartOfDay",
                "toStartOfMinute",
                "toStartOfFiveMinutes",
                "toStartOfFifteenMinutes",
            )
            return f"{_one(draw, starts)}({a})"
        case 2:
            return f"if({truth(draw, depth - 1)}, {a}, {time(draw, 0)})"
        case 3:
            return f"{_one(draw, ('greatest', 'least'))}({a}, {time(draw, 0)})"
        case 4:
            return f"toStartOfInterval({a}, INTERVAL {_one(draw, ('2', '6', '15'))} {_one(draw, ('MINUTE', 'HOUR'))})"
        case _:
            return f"toTimeZone({a}, '{_one(draw, ('UTC', 'America/New_York', 'Asia/Kathmandu'))}')"


def date(draw: DrawFn, depth: int) -> str:
    if depth <= 0:
        return _one(draw, ("toDate(timestamp)", "today()", "toDate('2026-03-29')"))
    a = date(draw, depth - 1)
    match draw(st.integers(0, 4)):
        case 0:
            return f"({a} {_one(draw, ('+', '-'))} INTERVAL {_one(draw, ('1', '31'))} {_one(draw, UNITS[3:])})"
        case 1:
            return f"toDate({time(draw, depth - 1)})"
        case 2:
            return f"{_one(draw, FIRST_DAYS)}({a})"
        case 3:
            return f"({a} + {_one(draw, ('1', '40'))})"
        case _:
            return f"toStartOfMonth({time(draw, depth - 1)})"


EXPRESSIONS: tuple[Build, ...] = (text, number, wild, truth, texts, time, date)
_AGGREGATES: tuple[Callable[[DrawFn], str], ...] = (
    lambda draw: "count()",
    lambda draw: f"countIf({truth(draw, 2)})",
    lambda draw: f"sum({number(draw, 2)})",
    lambda draw: f"sumIf({number(draw, 1)}, {truth(draw, 1)})",
    lambda draw: f"{_one(draw, ('min', 'max'))}({draw(st.sampled_from((text, number, time, date)))(draw, 2)})",
    lambda draw: (
        f"{_one(draw, ('minIf', 'maxIf'))}({draw(st.sampled_from((text, number, time)))(draw, 1)}, {truth(draw, 1)})"
    ),
    lambda draw: f"avg({number(draw, 1)})",
    lambda draw: f"{_one(draw, ('uniq', 'count'))}({text(draw, 2)})",
    lambda draw: f"arraySort(groupUniqArray({text(draw, 2)}))",
    lambda draw: f"arraySort(groupArray({number(draw, 1)}))",
    lambda draw: "argMax(toInt(properties.place), timestamp + toIntervalSecond(toInt(properties.place)))",
    lambda draw: f"quantile(0.5)({number(draw, 1)})",
)


@st.composite
def expressions(draw: DrawFn) -> str:
    return draw(st.sampled_from(EXPRESSIONS))(draw, 3)


@st.composite
def row_queries(draw: DrawFn) -> str:
    """Some expressions of each event."""
    items = draw(st.lists(expressions(), min_size=1, max_size=3))
    where = f" AND {truth(draw, 2)}" if draw(st.booleans()) else ""
    return (
        f"SELECT toInt(properties.place) AS p, {', '.join(items)} FROM events "
        f"WHERE event = 'odd' AND properties.text != 'NaN'{where} ORDER BY timestamp"
    )


@st.composite
def group_queries(draw: DrawFn) -> str:
    """Aggregates, also over no rows at all."""
    key = draw(st.sampled_from((text, truth, date)))(draw, 2) if draw(st.booleans()) else ""
    items = [draw(st.sampled_from(_AGGREGATES))(draw) for _ in range(draw(st.integers(1, 3)))]
    where = f" AND {truth(draw, 2)}" if draw(st.booleans()) else ""
    source = f"FROM events WHERE event = 'odd' AND properties.text != 'NaN'{where}"
    if not key:
        return f"SELECT {', '.join(items)} {source}"
    having = f" HAVING {_one(draw, ('count() > 1', 'k IS NOT NULL'))}" if draw(st.booleans()) else ""
    return f"SELECT {key} AS k, {', '.join(items)} {source} GROUP BY k{having}"


def queries() -> SearchStrategy[str]:
    return st.one_of(row_queries(), group_queries())
