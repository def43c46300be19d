"""Where names come from: tables and sub-selects in FROM, aliases of the same SELECT, CTEs, lambda arguments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Protocol

from queries.local.hogql import types as t
from queries.local.hogql.errors import HogQLError
from queries.local.hogql.expression import Expr, literal
from queries.local.hogql.functions import json
from queries.local.hogql.types import Type
from queries.local.schema import NUMBER_PROPERTIES, TEXT_PROPERTIES
from queries.local.schema import column as hot_column

Node = dict
SELECTS = frozenset({"SelectQuery", "SelectSetQuery"})
_NARROW = {"event": t.STRING, "timestamp": t.DATETIME64, "distinct_id": t.STRING}
_BODY = {"uuid": t.UUID, "created_at": t.DATETIME64, "properties": Type("String", is_json=True)}
_STORED_AS = {"created_at": "arrived_at"}
_PERSON = {"id": t.UUID.maybe(), "created_at": t.DATETIME64.maybe(),
           "properties": Type("String", nullable=True, is_json=True)}  # fmt: skip
_NUMBER_PROPERTIES = frozenset(NUMBER_PROPERTIES)
_TEXT_PROPERTIES = frozenset(TEXT_PROPERTIES)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a SELECT: what the query calls it, and its type. SQLite calls it by its place (`c1`, `c2`, ...), so
    that no name from the text reaches SQL. Where `shown` is set, SQLite's column holds an expression's key."""

    name: str
    type: Type
    shown: str = ""


@dataclass(frozen=True, slots=True)
class Query:
    """A printed SELECT: its columns are c1, c2, ... in SQL. `limit` is its own LIMIT, None where it has none."""

    sql: str
    columns: tuple[Column, ...]
    limit: int | None = None


@dataclass(slots=True)
class Derived:
    """A sub-select or CTE in FROM."""

    name: str
    alias: str
    source: str
    columns_: Sequence[Column]
    optional: bool = False

    def columns(self) -> list[str]:
        return list(dict.fromkeys(column.name for column in self.columns_))

    def has(self, name: str) -> bool:
        return any(column.name == name for column in self.columns_)

    def column(self, name: str) -> Expr | None:
        for place, column in enumerate(self.columns_, 1):
            if column.name == name:
                return read(f"{self.alias}.c{place}", column.type, column.shown)
        return None

    def read_property(self, path: Sequence[Expr]) -> Expr | None:
        document = self.column("properties")
        return json.property_text(document, path) if document and document.type.is_json else None

    def sql(self) -> str:
        return f"{self.source} AS {self.alias}"


@dataclass(slots=True)
class Events:
    """The `events` table. The JSON of an event is only joined where something reads it."""

    name: str
    alias: str
    optional: bool = False
    reads_body: bool = field(default=False, init=False)
    reads_person: bool = field(default=False, init=False)

    def columns(self) -> list[str]:
        return ["uuid", "event", "properties", "timestamp", "distinct_id", "created_at"]

    def has(self, name: str) -> bool:
        """Also what * leaves out: the person, who is only looked up where something reads it."""
        return name in ("person", "person_id") or name in self.columns()

    def column(self, name: str) -> Expr | None:
        if name in _NARROW:
            return Expr(f"{self.alias}.{name}", _NARROW[name])
        if name in _BODY:
            self.reads_body = True
            return Expr(f"{self._body}.{_STORED_AS.get(name, name)}", _BODY[name])
        return self.person(["id"]) if name == "person_id" else None

    def person(self, path: Sequence[str]) -> Expr | None:
        """`person.id`, `person.created_at`, `person.properties.x`: NULL where the distinct_id has no person."""
        type = _PERSON.get(path[0]) if path else None
        if type is None or (len(path) > 1 and not type.is_json):
            return None
        self.reads_person = True
        found = Expr(f"{self.alias}p.{path[0]}", type)
        return json.property_text(found, [literal(part) for part in path[1:]]) if len(path) > 1 else found

    def read_property(self, path: Sequence[Expr]) -> Expr | None:
        name = path[0].constant
        if len(path) == 1 and name in _TEXT_PROPERTIES:
            twin = f"{self.alias}.{hot_column('round_id')}" if name == "$ai_trace_id" else ""
            return Expr(f"{self.alias}.{hot_column(str(name))}", t.STRING.maybe(), twin=twin)
        if len(path) == 1 and name in _NUMBER_PROPERTIES:
            column = f"{self.alias}.{hot_column(str(name))}"
            return Expr(f"hq_number_text({column})", t.STRING.maybe(), number=column)
        self.reads_body = True
        return json.property_text(Expr(f"{self._body}.properties", _BODY["properties"]), path)

    @property
    def _body(self) -> str:
        return f"{self.alias}b"

    def sql(self) -> str:
        joined = ""
        if self.reads_body:
            # CROSS JOIN is SQLite's word for "in this order": the narrow table first, then each event's body by key.
            joined += f" CROSS JOIN bodies AS {self._body} ON {self._body}.id = {self.alias}.id"
        if self.reads_person:
            person = f"{self.alias}p"
            joined += f" LEFT JOIN persons AS {person} ON {person}.distinct_id = {self.alias}.distinct_id"
        return f"(events AS {self.alias}{joined})" if joined else f"events AS {self.alias}"


class Table(Protocol):
    """What stands in FROM."""

    name: str
    optional: bool

    def columns(self) -> list[str]: ...

    def has(self, name: str) -> bool: ...

    def column(self, name: str) -> Expr | None: ...

    def read_property(self, path: Sequence[Expr]) -> Expr | None: ...

    def sql(self) -> str: ...


def read(sql: str, type: Type, shown: str) -> Expr:
    """A column of an inner SELECT that holds a value, or its key where it is `shown` in another way."""
    return Expr(shown.format(sql), type, key=sql, shown=shown) if shown else Expr(sql, type)


@dataclass(frozen=True, slots=True)
class Environment:
    """CTEs that are in reach: tables with their columns, and expressions that are put in where they are named."""

    tables: Mapping[str, tuple[str, Sequence[Column]]] = field(default_factory=dict)
    scalars: Mapping[str, Node] = field(default_factory=dict)

    def with_table(self, name: str, alias: str, columns: Sequence[Column]) -> Environment:
        return replace(self, tables={**self.tables, name: (alias, columns)})

    def with_scalar(self, name: str, node: Node) -> Environment:
        return replace(self, scalars={**self.scalars, name: node})


@dataclass(slots=True)
class Grouping:
    """The inner half of an aggregating SELECT: keys and aggregates, each a column that the outer half reads."""

    alias: str
    keys: dict[str, Expr] = field(default_factory=dict)
    columns: dict[str, Expr] = field(default_factory=dict)
    by: dict[int, None] = field(default_factory=dict)

    def add(self, e: Expr, *, key: bool = False) -> Expr:
        sql = e.key if key and e.key else e.sql
        found = self.columns.get(sql)
        if found is None:
            place = f"{self.alias}.g{len(self.columns) + 1}"
            found = self.columns[sql] = read(place, e.type, e.shown if key else "")
        if key:
            self.keys[e.sql] = found
            self.by[list(self.columns).index(sql) + 1] = None
        return found

    def select_list(self) -> str:
        return ", ".join(f"{sql} AS g{place}" for place, sql in enumerate(self.columns, 1)) or "1"


@dataclass(slots=True)
class Scope:
    """The names of one SELECT, and what its FROM gathers while its expressions are printed."""

    environment: Environment
    tables: list[Table] = field(default_factory=list)
    aliases: dict[str, Node] = field(default_factory=dict)
    windows: Mapping[str, Node] = field(default_factory=dict)
    array_columns: dict[str, Expr] = field(default_factory=dict)
    laterals: list[str] = field(default_factory=list)
    array_joined: dict[str, Expr] = field(default_factory=dict)
    dimensions: dict[str, Events] = field(default_factory=dict)
    prefixed: dict[str, Events] = field(default_factory=dict)
    known_values: frozenset[str] = frozenset()
    shared_names: frozenset[str] = frozenset()
    bound: list[dict[str, Expr]] = field(default_factory=list)
    expanding: set[str] = field(default_factory=set)
    grouping: Grouping | None = None
    in_join: bool = False

    @contextmanager
    def before_grouping(self) -> Iterator[None]:
        """Print as the inner half of an aggregating SELECT does: over rows."""
        kept, self.grouping = self.grouping, None
        try:
            yield
        finally:
            self.grouping = kept

    @contextmanager
    def expand(self, name: str) -> Iterator[None]:
        """While an alias is put in, its own name means the column: `toDate(timestamp) AS timestamp`."""
        self.expanding.add(name)
        try:
            yield
        finally:
            self.expanding.discard(name)

    @contextmanager
    def bind(self, variables: dict[str, Expr]) -> Iterator[None]:
        self.bound.append(variables)
        try:
            yield
        finally:
            self.bound.pop()

    def variable(self, name: str) -> Expr | None:
        return next((frame[name] for frame in reversed(self.bound) if name in frame), None)

    def alias(self, name: str) -> Node | None:
        return None if name in self.expanding else self.aliases.get(name) or self.environment.scalars.get(name)

    def table(self, name: str) -> Table | None:
        return next((table for table in self.tables if table.name == name), None)

    def owner(self, chain: Sequence[str]) -> tuple[Table, Sequence[str]] | None:
        """The table a dotted name is about and the rest of the name; None if no table has it."""
        table = self.table(chain[0]) if len(chain) > 1 else None
        if table:
            return table, chain[1:]
        owners = [table for table in self.tables if table.has(chain[0])]
        if len(owners) > 1 and chain[0] not in self.shared_names:
            raise HogQLError(f"Ambiguous query. Found multiple sources for field: {chain[0]}")
        if not owners and self.tables and isinstance(self.tables[0], Events) and len(self.tables) == 1:
            return self.tables[0], chain
        return (owners[0], chain) if owners else None
