"""The tables of `events.db`, and which event properties have a column of their own.

Three ideas make the boards fast without a column store:

- `events` is clustered by (event, timestamp): a board reads one narrow, contiguous range.
- The JSON of an event lives in `bodies`, so a scan never drags it along.
- What boards group and sum by, and what the trace is built from, are columns filled at ingest ("hot").
"""

from __future__ import annotations

from collections.abc import Sequence

# Hot properties that are words. Always text, as PostHog's untyped property access shows them:
# the JSON value with its outer quotes removed; NULL where the property is absent or JSON null.
TEXT_PROPERTIES = (
    "project", "client", "run_id", "round_id", "agent", "git_sha",
    "model", "from_model", "to_model", "target_model", "reason", "failure_mode", "target",
    "score_goal", "scorer_version", "scorer_variant",
    "step_id", "suite_id", "case_id", "tool", "ok", "passed", "verdict", "dim", "new_best",
    "task_type", "model_used", "type", "user_id", "efficiency_grade", "imported_from", "time_estimated",
    "$ai_trace_id", "$ai_span_id", "$ai_parent_id", "$ai_model", "$ai_provider", "$ai_is_error",
)  # fmt: skip

# Hot properties that are usually numbers. A JSON number is stored as a number, anything else as the text above,
# so that `toFloat` is free for the usual case and still NULL on junk.
NUMBER_PROPERTIES = (
    "score", "delta", "baseline_score", "quality_score", "final_best_score",
    "cost_usd", "total_cost_usd", "latency_ms", "apply_latency_ms", "prompt_tokens", "completion_tokens",
    "input_tokens", "output_tokens", "stall_rounds", "rounds_completed", "diff_bytes", "diff_lines",
    "$ai_input_tokens", "$ai_output_tokens", "$ai_total_cost_usd", "$ai_latency",
)  # fmt: skip

HOT_PROPERTIES = TEXT_PROPERTIES + NUMBER_PROPERTIES

# PostHog keeps these out of `events`; they are in `posthog.ai_events` for 30 days.
HEAVY_PROPERTIES = ("$ai_input", "$ai_output", "$ai_output_choices", "$ai_input_state", "$ai_output_state", "$ai_tools")

DIMENSION_PREFIX = "dim_"


def column(prop: str) -> str:
    """The quoted column of a hot property. Backticks: SQLite reads an unknown name in double quotes as a string."""
    return f"`p_{prop}`"


def _hot_columns() -> str:
    words = [f"{column(name)} TEXT" for name in TEXT_PROPERTIES]
    # BLOB affinity is none at all: the value keeps the type it came with.
    numbers = [f"{column(name)} BLOB" for name in NUMBER_PROPERTIES]
    return ",\n  ".join(words + numbers)


FIRST = f"""
CREATE TABLE bodies (
  id INTEGER PRIMARY KEY,
  uuid TEXT NOT NULL UNIQUE,
  event TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  properties TEXT NOT NULL
);
CREATE TABLE events (
  event TEXT NOT NULL,
  timestamp INTEGER NOT NULL,
  id INTEGER NOT NULL,
  distinct_id TEXT NOT NULL,
  {_hot_columns()},
  PRIMARY KEY (event, timestamp, id)
) WITHOUT ROWID;
CREATE INDEX events_time ON events(timestamp);
CREATE INDEX events_round ON events(`p_round_id`) WHERE `p_round_id` IS NOT NULL;
CREATE INDEX events_trace ON events(`p_$ai_trace_id`) WHERE `p_$ai_trace_id` IS NOT NULL;
CREATE TABLE dims (
  id INTEGER NOT NULL,
  dim TEXT NOT NULL,
  value REAL,
  PRIMARY KEY (id, dim)
) WITHOUT ROWID;
CREATE TABLE ai_payloads (
  id INTEGER PRIMARY KEY,
  created_at INTEGER NOT NULL,
  payload TEXT NOT NULL
);
CREATE TABLE imported_rows (
  log TEXT NOT NULL,
  row INTEGER NOT NULL,
  identity TEXT NOT NULL,
  content TEXT NOT NULL,
  PRIMARY KEY (log, row)
) WITHOUT ROWID;
CREATE TABLE compiled (hash TEXT PRIMARY KEY, document TEXT NOT NULL);
"""

# What the boards sum up is summed up an hour (UTC) at a time when it is stored, by these keys: of an event of a loop's
# round, and of its dimensions. Exact, because what an answer needs of an hour that its window cuts is read from the
# events, and so are events with a measure that is text.
HOUR = 3_600_000_000
HOUR_EVENTS = ("round_started", "round_scored", "round_kept", "round_reverted", "stop_triggered")
HOUR_KEYS = ("project", "client", "run_id", "git_sha", "score_goal", "imported_from")
HOUR_MEASURES = ("score", "cost_usd")


def parts(measure: str) -> tuple[str, str, str, str]:
    """The columns with how many values a measure has, their sum, the least and the greatest."""
    return (f"n_{measure}", f"sum_{measure}", f"min_{measure}", f"max_{measure}")


HOUR_COLUMNS = {
    "hours": ("n", "first", "last", *(part for name in HOUR_MEASURES for part in parts(name))),
    "dim_hours": ("n", "first", "last", *parts("value")),
}
HAS_TEXT = "(" + " OR ".join(f"typeof({column(name)}) = 'text'" for name in HOUR_MEASURES) + ")"


def _hour_table(name: str, key: str) -> str:
    keys = "".join(f"  {column(name)} TEXT,\n" for name in HOUR_KEYS) + ("  dim TEXT NOT NULL,\n" if key else "")
    sums = "".join(f"  {name},\n" for name in HOUR_COLUMNS[name])
    head = "  event TEXT NOT NULL,\n  timestamp INTEGER NOT NULL,\n  id INTEGER NOT NULL,\n"
    return f"CREATE TABLE {name} (\n{head}{keys}{sums}  PRIMARY KEY (event, timestamp, id{key})\n) WITHOUT ROWID;"


def _sums(values: Sequence[str]) -> str:
    each = (f"count({v}), sum({v} + 0.0), min({v} + 0.0), max({v} + 0.0)" for v in values)
    return ", ".join(("count(*), min(events.timestamp), max(events.timestamp)", *each))


def _fill(table: str, source: str, dim: str, values: Sequence[str]) -> str:
    """With room for a further condition on `events`."""
    keys = ", ".join(column(name) for name in HOUR_KEYS) + dim
    events = ", ".join(f"'{name}'" for name in HOUR_EVENTS)
    return (
        f"INSERT INTO {table} (event, timestamp, id, {keys}, {', '.join(HOUR_COLUMNS[table])}) "
        f"SELECT event, timestamp / {HOUR} * {HOUR}, min(events.id), {keys}, {_sums(values)} FROM {source} "
        f"WHERE event IN ({events}) {{where}} GROUP BY event, timestamp / {HOUR}, {keys}"
    )


FILL_HOURS = _fill("hours", "events", "", [column(name) for name in HOUR_MEASURES]).replace(
    "{where}", f"AND NOT {HAS_TEXT} {{where}}"
)
FILL_DIM_HOURS = _fill("dim_hours", "events CROSS JOIN dims ON dims.id = events.id", ", dim", ["value"])

# A row a round: the time from its first to its last event, and how many there are of each. Odd is a round whose events
# differ in a key or are more than a day apart; it is counted from its events.
DAY = 24 * HOUR
ROUND_EVENTS = (
    "round_started", "proposal_generated", "proposal_applied", "round_scored", "round_kept", "round_reverted",
)  # fmt: skip
ROUND_KEYS = ("project", "client", "run_id")
ROUND_COLUMNS = ("first", "last", "is_odd", *map(column, ROUND_KEYS), *(f"n_{name}" for name in ROUND_EVENTS))
_ROUND = column("round_id")
_DIFFER = " OR ".join(
    f"min({key}) IS NOT max({key}) OR count({key}) NOT IN (0, count(*))" for key in map(column, ROUND_KEYS)
)
FILL_ROUNDS = (
    f"INSERT INTO rounds ({_ROUND}, {', '.join(ROUND_COLUMNS)}) "
    f"SELECT {_ROUND}, min(timestamp), max(timestamp), {_DIFFER} OR max(timestamp) - min(timestamp) > {DAY}, "
    + ", ".join(f"min({column(name)})" for name in ROUND_KEYS)
    + "".join(f", count(*) FILTER (WHERE event = '{name}')" for name in ROUND_EVENTS)
    + f" FROM events WHERE {_ROUND} IS NOT NULL AND event IN ({', '.join(map(repr, ROUND_EVENTS))}) {{where}} "
    f"GROUP BY {_ROUND}"
)
_ROUNDS = f"""
CREATE TABLE rounds (
  first INTEGER NOT NULL,
  {_ROUND} TEXT NOT NULL,
  last INTEGER NOT NULL,
  is_odd INTEGER NOT NULL,
  {", ".join(f"{column(name)} TEXT" for name in ROUND_KEYS)},
  {", ".join(f"n_{name} INTEGER NOT NULL" for name in ROUND_EVENTS)},
  PRIMARY KEY (first, {_ROUND})
) WITHOUT ROWID;
CREATE UNIQUE INDEX rounds_id ON rounds({_ROUND});
CREATE INDEX rounds_odd ON rounds(first, last) WHERE is_odd;
{FILL_ROUNDS.format(where="")};"""
FILLS = (FILL_HOURS, FILL_DIM_HOURS, FILL_ROUNDS)

# `bodies.created_at` has another name so that a loopdesk that still runs with the first schema can no longer write:
# what it stored would be missing in the sums.
# A trace is mostly a round: only the others are in the index of traces.
# `objects` holds what PostHog's REST keeps: a row for each annotation, feature flag and experiment. `cursors` says how
# far each PostHog project has been pulled.
SECOND = f"""
{_hour_table("hours", "")}
{_hour_table("dim_hours", ", dim")}
{FILL_HOURS.format(where="")};
{FILL_DIM_HOURS.format(where="")};
{_ROUNDS}
CREATE INDEX events_text ON events(event, timestamp) WHERE {HAS_TEXT};
DROP INDEX events_trace;
CREATE INDEX events_trace ON events(`p_$ai_trace_id`) WHERE `p_$ai_trace_id` IS NOT `p_round_id`;
ALTER TABLE bodies RENAME COLUMN created_at TO arrived_at;
CREATE TABLE persons (
  distinct_id TEXT PRIMARY KEY,
  id TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  properties TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX persons_id ON persons(id);
CREATE TABLE objects (
  kind TEXT NOT NULL,
  id INTEGER NOT NULL,
  key TEXT,
  document TEXT NOT NULL,
  PRIMARY KEY (kind, id)
) WITHOUT ROWID;
CREATE UNIQUE INDEX objects_key ON objects(kind, key) WHERE key IS NOT NULL;
CREATE TABLE cursors (
  source TEXT PRIMARY KEY,
  document TEXT NOT NULL
) WITHOUT ROWID;
"""

MIGRATIONS = (FIRST, SECOND)
