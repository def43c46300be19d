"""Semantic versions as flag conditions compare them: three numbers; a pre-release or build suffix does not count."""

from __future__ import annotations

Version = tuple[int, int, int]


def parse(value: object) -> Version:
    """`v` prefixes and missing parts are allowed, leading zeros are not. Raises `ValueError`."""
    text = str(value).strip().lstrip("vV").split("-")[0].split("+")[0]
    parts = text.split(".")
    return (_number(parts[0]), _part(parts, 1), _part(parts, 2))


def bounds(operator: str, value: object) -> tuple[Version, Version]:
    """From (included) and to (not included) of `semver_tilde`, `semver_caret` and `semver_wildcard`.

    Raises `ValueError`.
    """
    if operator == "semver_wildcard":
        return _wildcard(value)
    major, minor, patch = parse(value)
    low = (major, minor, patch)
    if operator == "semver_tilde":
        return low, (major, minor + 1, 0)
    if major:
        return low, (major + 1, 0, 0)
    return low, ((0, minor + 1, 0) if minor else (0, 0, patch + 1))


def _wildcard(value: object) -> tuple[Version, Version]:
    text = str(value).strip().lstrip("vV").replace("*", "").rstrip(".")
    numbers = [_number(part) for part in list(filter(None, text.split(".")))[:3]]
    match numbers:
        case [major]:
            return (major, 0, 0), (major + 1, 0, 0)
        case [major, minor]:
            return (major, minor, 0), (major, minor + 1, 0)
        case [major, minor, patch]:
            return (major, minor, patch), (major, minor, patch + 1)
    raise ValueError("no version")


def _part(parts: list[str], place: int) -> int:
    return _number(parts[place]) if len(parts) > place and parts[place] else 0


def _number(part: str) -> int:
    # Semver 2.0.0, section 2: no leading zeros.
    if not part.isdecimal() or (len(part) > 1 and part[0] == "0"):
        raise ValueError(f"{part!r} is no part of a version")
    return int(part)
