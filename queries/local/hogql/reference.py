"""The generated part of `docs/hogql.md`: `python -m queries.local.hogql.reference` rewrites it from the tables of
functions; a test compares."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from queries.local.hogql.functions import (
    aggregates,
    arrays,
    comparisons,
    conditions,
    dates,
    json,
    lambdas,
    numbers,
    strings,
)
from queries.local.hogql.functions.table import Function
from queries.local.hogql.scope import Events
from queries.local.hogql.tables import TABLES

DOCUMENT = Path(__file__).parents[3] / "docs" / "hogql.md"
BEGIN, END = "<!-- generated: functions -->", "<!-- end -->"
_TOPICS: tuple[tuple[str, Mapping[str, Function]], ...] = (
    ("Text", strings.FUNCTIONS),
    ("Numbers and conversions", numbers.FUNCTIONS),
    ("Time", dates.FUNCTIONS),
    ("Arrays and tuples", arrays.FUNCTIONS),
    ("JSON", json.FUNCTIONS),
    ("Choice and logic", conditions.FUNCTIONS),
    ("Comparisons", comparisons.FUNCTIONS),
)


def generated() -> str:
    """Markdown: the tables with their columns, and every function with its number of arguments."""
    parts = ["### Tables", ""]
    parts.append(f"- `events`: {_names(Events('events', 't').columns())}, `person_id`, `person`")
    for name, table in TABLES.items():
        parts.append(f"- `{name}` (also `posthog.{name}`): {_names(table(name, 't').columns())}")
    for title, functions in _TOPICS:
        found = (f"{name}({_arity(f.least, f.most)})" for name, f in functions.items() if name[0] != "_")
        parts += ["", f"### {title}", "", _names(sorted(found, key=str.lower))]
    parts += ["", "### With a lambda", "", _names(sorted(f"{name}(x -> ..., array)" for name in lambdas.FUNCTIONS))]
    parts += ["", "### Aggregates", "", "Each also with `-If`: `sumIf(x, condition)`.", ""]
    parts.append(_names(sorted(map(_aggregate, aggregates.AGGREGATES.items()), key=str.lower)))
    parts += ["", "### Only OVER a window", "", _names(sorted(aggregates.WINDOWS))]
    in_window = sorted(name for name, found in aggregates.AGGREGATES.items() if found.in_window)
    parts += ["", f"These aggregates may stand OVER a window too: {_names(in_window)}.", ""]
    parts += ["### Others", "", _names(["arrayJoin(array)", "in(x, list)", "notIn(x, list)"])]
    return "\n".join(parts)


def _aggregate(item: tuple[str, aggregates.Aggregate]) -> str:
    name, found = item
    params = f"({_arity(*found.params)})" if found.params[1] else ""
    return f"{name}{params}({_arity(*found.arity)})"


def _arity(least: int, most: int | None) -> str:
    return str(least) if least == most else f"{least}+" if most is None else f"{least}..{most}"


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def with_reference(document: str) -> str:
    """`document` with its generated part as it should be."""
    head, _, rest = document.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n\n{generated()}\n\n{END}{tail}"


if __name__ == "__main__":
    DOCUMENT.write_text(with_reference(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
