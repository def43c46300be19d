"""ClickHouse's types, as far as a query can meet them, and how SQLite holds their values.

DateTime and DateTime64 are integer microseconds since the epoch (UTC); Date is integer days since the epoch; Bool is
0 or 1; Array and Tuple are JSON text; NaN is NULL, and so the only NULL that a type without `nullable` can hold.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

_UNSIGNED = ("UInt8", "UInt16", "UInt32", "UInt64")
_SIGNED = ("Int8", "Int16", "Int32", "Int64")
_INTEGERS = frozenset(_UNSIGNED + _SIGNED + ("Bool",))
_NUMBERS = _INTEGERS | {"Float64", "Decimal"}
_ARGUMENTS = {"DateTime64": "6", "Decimal": "18, 6"}


@dataclass(frozen=True, slots=True)
class Type:
    """One type. `zone` is a time zone the query itself named; None means the project's. `is_json` marks text that is
    known to be a JSON object, whose keys can be read with a dot."""

    kind: str
    nullable: bool = False
    inner: tuple[Type, ...] = ()
    zone: str | None = None
    is_json: bool = False

    def __str__(self) -> str:
        """ClickHouse's name. The project's zone is not known when a query is compiled, so it is left unsaid."""
        arguments = [part for part in (_ARGUMENTS.get(self.kind), self.zone and f"'{self.zone}'") if part]
        arguments = arguments or [str(part) for part in self.inner]
        name = f"{self.kind}({', '.join(arguments)})" if arguments else self.kind
        return f"Nullable({name})" if self.nullable else name

    @property
    def is_text(self) -> bool:
        return self.kind in ("String", "UUID")

    @property
    def is_number(self) -> bool:
        return self.kind in _NUMBERS

    @property
    def is_integer(self) -> bool:
        return self.kind in _INTEGERS

    @property
    def is_unsigned(self) -> bool:
        return self.kind in _UNSIGNED or self.kind == "Bool"

    @property
    def is_instant(self) -> bool:
        return self.kind in ("DateTime", "DateTime64")

    @property
    def is_nested(self) -> bool:
        return self.kind in ("Array", "Tuple")

    @property
    def is_interval(self) -> bool:
        return self.kind.startswith("Interval")

    def maybe(self, nullable: bool = True) -> Type:
        """This type, nullable if `nullable` or if it already is. Arrays and tuples never are, as in ClickHouse."""
        return replace(self, nullable=True) if nullable and not self.nullable and not self.is_nested else self

    def plain(self) -> Type:
        return replace(self, nullable=False) if self.nullable else self

    @property
    def default(self) -> str:
        """What ClickHouse puts where a value of a type without NULL is missing, as SQL."""
        return {"String": "''", "UUID": "''", "Array": "'[]'", "Float64": "0.0"}.get(self.kind, "0")


STRING = Type("String")
UUID = Type("UUID")
BOOL = Type("Bool")
UINT8 = Type("UInt8")
UINT64 = Type("UInt64")
INT64 = Type("Int64")
FLOAT = Type("Float64")
DATE = Type("Date")
DATETIME = Type("DateTime")
DATETIME64 = Type("DateTime64")
NOTHING = Type("Nothing", nullable=True)


def array(inner: Type) -> Type:
    return Type("Array", inner=(inner,))


def tuple_of(inner: Iterable[Type]) -> Type:
    return Type("Tuple", inner=tuple(inner))


def parse_type(name: str) -> Type | None:
    """`Nullable(Float64)`, `Array(String)`, `float`, `Int`... in any case; None for a type we do not have."""
    text = name.strip()
    low = text.lower()
    if low.endswith(")"):
        head, _, rest = low.partition("(")
        inner = parse_type(rest[:-1]) if head in ("nullable", "array") else None
        if head in ("datetime64", "datetime"):
            return _NAMED[head] if rest[:-1].strip().isdigit() else None
        if inner is None:
            return None
        return inner.maybe() if head == "nullable" else array(inner)
    return _NAMED.get(low)


_NAMED = {
    **dict.fromkeys(("string", "text", "varchar", "char"), STRING),
    **dict.fromkeys(("float", "float64", "float32", "double", "real"), FLOAT),
    **dict.fromkeys(("int", "integer", "int64", "int32", "bigint", "int16", "int8", "smallint"), INT64),
    **dict.fromkeys(("uint64", "uint32", "uint16", "uint8"), UINT64),
    **dict.fromkeys(("bool", "boolean"), BOOL),
    **dict.fromkeys(("datetime", "timestamp"), DATETIME),
    "datetime64": DATETIME64,
    "date": DATE,
    "uuid": UUID,
}


def elements(inside: str) -> list[str]:
    """The types in `String, Array(Tuple(UInt8, String))`."""
    parts, depth, start = [], 0, 0
    for place, letter in enumerate(inside):
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            parts.append(inside[start:place].strip())
            start = place + 1
    return [*parts, inside[start:].strip()]


def supertype(types: Iterable[Type]) -> Type | None:
    """The one type that holds all of `types`, as ClickHouse's `if`, arrays and UNION choose it; None if none does."""
    found: Type | None = None
    for each in types:
        found = each if found is None else _wider(found, each)
        if found is None:
            return None
    return found


def _wider(a: Type, b: Type) -> Type | None:
    nullable = a.nullable or b.nullable
    if a.kind == "Nothing":
        return b.maybe(nullable)
    if b.kind == "Nothing":
        return a.maybe(nullable)
    if a.kind == b.kind:
        if a.is_nested:
            return _wider_nested(a, b)
        return Type(a.kind, nullable, (), a.zone, a.is_json and b.is_json)  # ClickHouse shows the first one's zone
    if a.is_text and b.is_text:
        return Type("String", nullable)
    if a.is_number and b.is_number:
        return Type(_wider_number(a, b), nullable)
    if a.is_instant and b.is_instant:
        return Type("DateTime64", nullable, (), a.zone if a.kind == "DateTime64" else b.zone)
    if {a.kind, b.kind} <= {"Date", "DateTime", "DateTime64"}:
        instant = a if a.is_instant else b
        return replace(instant, nullable=nullable)
    return None


def _wider_nested(a: Type, b: Type) -> Type | None:
    if a.kind == "Tuple" and len(a.inner) != len(b.inner):
        return None
    inner = [_wider(left, right) for left, right in zip(a.inner, b.inner, strict=True)]
    return None if None in inner else Type(a.kind, False, tuple(part for part in inner if part is not None))


def _wider_number(a: Type, b: Type) -> str:
    if "Float64" in (a.kind, b.kind):
        return "Float64"
    if "Decimal" in (a.kind, b.kind):
        return "Decimal"
    if a.is_unsigned and b.is_unsigned:
        kinds = [part.kind for part in (a, b) if part.kind in _UNSIGNED]
        return max(kinds, key=_UNSIGNED.index, default="UInt8")
    return "Int64"
