"""PostHog's tables beside `events`: `ai_events` (typed columns over the same events and their prompts), `persons` and
`person_distinct_ids`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from queries.local.hogql import types as t
from queries.local.hogql.expression import Expr, literal, to_float, to_int
from queries.local.hogql.functions import json
from queries.local.hogql.scope import Column, Derived, Events
from queries.local.hogql.types import Type
from queries.local.schema import HEAVY_PROPERTIES

# Column of `ai_events` -> the property `$ai_...` it holds, by kind.
_WORDS = ("trace_id", "session_id", "parent_id", "span_id", "span_type", "generation_id", "span_name", "trace_name",
          "model", "provider", "framework", "error", "error_type", "error_normalized")  # fmt: skip
_TOKENS = ("input_tokens", "output_tokens", "total_tokens", "reasoning_tokens", "cache_read_input_tokens",
           "cache_creation_input_tokens")  # fmt: skip
_NUMBERS = ("input_cost_usd", "output_cost_usd", "total_cost_usd", "request_cost_usd", "web_search_cost_usd", "latency",
            "time_to_first_token")  # fmt: skip
_HEAVY = tuple(name.removeprefix("$ai_") for name in HEAVY_PROPERTIES)


@dataclass(slots=True)
class _AiEvents(Derived):
    """Prompts and answers are read from the payload, also by their property's name."""

    def read_property(self, path: Sequence[Expr]) -> Expr | None:
        name = path[0].constant
        if name in HEAVY_PROPERTIES:
            found = self.column(str(name).removeprefix("$ai_"))
            return found if found is None or len(path) == 1 else json.property_text(found, path[1:])
        # Not super(): a dataclass with slots is another class than the one this method was written in.
        return Derived.read_property(self, path)


def _ai_events(name: str, alias: str) -> Derived:
    events = Events("", f"{alias}e")
    payload = f"{alias}h"
    found: dict[str, Expr] = {}
    for column in ("uuid", "event", "timestamp", "distinct_id", "person_id", "properties", "created_at"):
        value = events.column(column)
        assert value
        found[column] = value

    def read(column: str) -> Expr:
        value = events.read_property([literal(f"$ai_{column}")])
        assert value
        return value

    found |= {column: read(column) for column in _WORDS}
    found |= {column: to_int(read(column)) for column in _TOKENS}
    found |= {column: to_float(read(column)) for column in _NUMBERS}
    found["is_error"] = Expr(f"coalesce({read('is_error').sql} IN ('true', '1'), 0)", t.UINT8)
    # Gone after the retention of prompts: then NULL.
    document = Expr(f"{payload}.payload", Type("String", nullable=True, is_json=True))
    for column in _HEAVY:
        text = json.raw(document, [literal(f"$ai_{column}")])
        found[column] = Expr(f"hq_json_as({text}, 'String')", t.STRING.maybe())
    selected = ", ".join(f"{e.sql} AS c{place}" for place, e in enumerate(found.values(), 1))
    # The names from "$ai_" up to, and without, the next one of another beginning: one range of the key.
    names = f"{events.alias}.event >= '$ai_' AND {events.alias}.event < '$ai`'"
    source = (
        f"(SELECT {selected} FROM {events.sql()} "
        f"LEFT JOIN ai_payloads AS {payload} ON {payload}.id = {events.alias}.id WHERE {names})"
    )
    return _AiEvents(name, alias, source, [Column(column, e.type) for column, e in found.items()])


def _persons(name: str, alias: str) -> Derived:
    """One row a person, however many distinct ids he has."""
    columns = [
        Column("id", t.UUID),
        Column("created_at", t.DATETIME64),
        Column("properties", Type("String", is_json=True)),
    ]
    return Derived(
        name, alias, "(SELECT id AS c1, min(created_at) AS c2, properties AS c3 FROM persons GROUP BY id)", columns
    )


def _person_distinct_ids(name: str, alias: str) -> Derived:
    columns = [Column("distinct_id", t.STRING), Column("person_id", t.UUID)]
    return Derived(name, alias, "(SELECT distinct_id AS c1, id AS c2 FROM persons)", columns)


TABLES: dict[str, Callable[[str, str], Derived]] = {
    "ai_events": _ai_events,
    "persons": _persons,
    "person_distinct_ids": _person_distinct_ids,
}
