"""The fields of a REST document, checked with the words of PostHog's framework (Django REST framework).

A check takes a value and the field's name, returns what to store and raises `Problem`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime

from queries.local.rest.problems import invalid

Check = Callable[[object, str], object]


def cleaned(body: Mapping[str, object], checks: Mapping[str, Check]) -> dict:
    """The known fields that `body` has; others are ignored, as PostHog ignores them."""
    return {name: check(body[name], name) for name, check in checks.items() if name in body}


def require(document: Mapping[str, object], *names: str) -> None:
    for name in names:
        if name not in document:
            raise invalid("This field is required.", name, "required")


def or_null(check: Check) -> Check:
    return lambda value, name: None if value is None else check(value, name)


def text(max_length: int, *, blank: bool = True) -> Check:
    def check(value: object, name: str) -> str:
        _refuse_null(value, name)
        if not isinstance(value, str | int | float) or isinstance(value, bool):
            raise invalid("Not a valid string.", name)
        stripped = str(value).replace("\0", "").strip()
        if not stripped and not blank:
            raise invalid("This field may not be blank.", name, "blank")
        if len(stripped) > max_length:
            raise invalid(f"Ensure this field has no more than {max_length} characters.", name, "max_length")
        return stripped

    return check


def boolean(value: object, name: str) -> bool:
    _refuse_null(value, name)
    if not isinstance(value, bool):
        raise invalid("Must be a valid boolean.", name)
    return value


def whole(value: object, name: str) -> int:
    _refuse_null(value, name)
    if not isinstance(value, int) or isinstance(value, bool) or not -(2**63) <= value < 2**63:
        raise invalid("A valid integer is required.", name)
    return value


def choice(allowed: Collection[str]) -> Check:
    def check(value: object, name: str) -> str:
        _refuse_null(value, name)
        if not isinstance(value, str) or value not in allowed:
            raise invalid(f'"{str(value)[:100]}" is not a valid choice.', name, "invalid_choice")
        return value

    return check


def instant(value: object, name: str) -> str:
    """An ISO 8601 time with its date, kept in UTC as PostHog writes it."""
    _refuse_null(value, name)
    try:
        if not isinstance(value, str):
            raise ValueError
        found = datetime.fromisoformat(value.strip())
        return stamp(found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        raise invalid(
            "Datetime has wrong format. Use one of these formats instead: "
            "YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z].",
            name,
        ) from None


def tags(value: object, name: str) -> list[str]:
    """Lower-cased, each once, in order of their letters."""
    each = text(255, blank=False)
    return sorted({str(each(tag, name)).lower() for tag in items(value, name)})


def items(value: object, name: str) -> list:
    _refuse_null(value, name)
    if not isinstance(value, list):
        raise invalid(f'Expected a list of items but got type "{type(value).__name__}".', name, "not_a_list")
    return value


def mapping(value: object, name: str) -> dict:
    _refuse_null(value, name)
    if not isinstance(value, dict):
        raise invalid(f'Expected a dictionary of items but got type "{type(value).__name__}".', name, "not_a_dict")
    return value


def stamp(at: datetime) -> str:
    """A UTC time as PostHog writes it."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _refuse_null(value: object, name: str) -> None:
    if value is None:
        raise invalid("This field may not be null.", name, "null")
