"""The input schema of a stranger's tool, made fit to be checked against here and to be shown to a model.

What says something about the form of arguments stays. All prose leaves it, to be shown as data; so does what would have
the host do work: patterns, and references that lead out of the schema.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from workspace.errors import LoopdeskError
from workspace.text import plain

MOST_BYTES = 16_000
_DEEPEST = 12
_MOST_MEMBERS, _MOST_WORDS, _MOST_PROSE = 60, 100, 40
_NAME = re.compile(r"[A-Za-z0-9_.$-]{1,64}")
# A value without a blank is a name of something; a sentence could be one for its reader.
_WORD = re.compile(r"[\w.:/@+-]{1,64}")
_TYPES = frozenset({"string", "number", "integer", "boolean", "object", "array", "null"})
_NUMBERS = frozenset(
    {
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
        *("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"),
    }
)
_INNER = frozenset({"items", "additionalProperties", "not"})
_LISTS = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})
_MEMBERS = frozenset({"properties", "$defs", "definitions"})
_INWARD = re.compile(r"#/(\$defs|definitions)/([A-Za-z0-9_.$-]{1,64})")


@dataclass
class Cleaned:
    """`prose` is what the schema said in words, by where it said it."""

    schema: dict[str, object] = field(default_factory=dict)
    prose: dict[str, str] = field(default_factory=dict)


def cleaned(schema: object) -> Cleaned:
    """Raises `LoopdeskError` for what is no schema of an object that can be shown."""
    import jsonschema

    found = Cleaned()
    shown = _inner(schema, "", 0, found.prose)
    if not isinstance(shown, dict) or shown.get("type", "object") != "object":
        raise LoopdeskError("its arguments are no object")
    found.schema = {"type": "object", "properties": {}, **shown}
    _without_dangling(found.schema, found.schema)
    if len(json.dumps(found.schema)) > MOST_BYTES:
        raise LoopdeskError("its schema is too long")
    try:
        jsonschema.Draft202012Validator.check_schema(found.schema)
    except jsonschema.SchemaError:
        raise LoopdeskError("its schema is none") from None
    return found


def _inner(schema: object, where: str, depth: int, prose: dict[str, str]) -> dict[str, object] | bool:
    if isinstance(schema, bool):
        return schema
    if not isinstance(schema, Mapping) or depth == _DEEPEST:
        return {}
    found: dict[str, object] = {}
    for word in ("description", "default", "examples"):
        if (said := schema.get(word)) not in (None, "") and len(prose) < _MOST_PROSE:
            prose[f"{where or 'arguments'} ({word})"] = plain(said, 200)
    for word, value in schema.items():
        kept = _kept(word, value, where, depth + 1, prose)
        if kept is not None:
            found[word] = kept
    return found


def _kept(word: object, value: object, where: str, depth: int, prose: dict[str, str]) -> object:
    """None for what is left out."""
    match word:
        case "type" if isinstance(value, str):
            return value if value in _TYPES else None
        case "type" if isinstance(value, list):
            return [one for one in value if one in _TYPES] or None
        case "required" if isinstance(value, list):
            return [one for one in value if isinstance(one, str) and _NAME.fullmatch(one)]
        case "enum" if isinstance(value, list):
            if len(value) <= _MOST_WORDS and all(_is_word(one) for one in value):
                return value or None
            prose[f"{where} (values)"] = plain(value, 200)
        case "const":
            return value if _is_word(value) else None
        case "uniqueItems" if isinstance(value, bool):
            return value
        case "$ref" if isinstance(value, str):
            return value if _INWARD.fullmatch(value) else None
        case str() if word in _NUMBERS:
            return value if isinstance(value, int | float) and not isinstance(value, bool) else None
        case str() if word in _INNER:
            return _inner(value, f"{where}.{word}", depth, prose)
        case str() if word in _LISTS and isinstance(value, list):
            return [_inner(one, where, depth, prose) for one in value[:_MOST_MEMBERS]] or None
        case str() if word in _MEMBERS and isinstance(value, Mapping):
            names = [name for name in value if isinstance(name, str) and _NAME.fullmatch(name)][:_MOST_MEMBERS]
            return {name: _inner(value[name], f"{where}.{name}".lstrip("."), depth, prose) for name in names}
    return None


def _is_word(value: object) -> bool:
    return (
        value is None
        or isinstance(value, bool | int | float)
        or (isinstance(value, str) and _WORD.fullmatch(value) is not None)
    )


def _without_dangling(part: object, whole: Mapping[str, object]) -> None:
    """A reference to what is not there any more would end the check of every call."""
    if isinstance(part, dict):
        if isinstance(name := part.get("$ref"), str):
            inward = _INWARD.fullmatch(name)
            members = whole.get(inward[1]) if inward else None
            if not isinstance(members, Mapping) or inward is None or inward[2] not in members:
                del part["$ref"]
        for inner in part.values():
            _without_dangling(inner, whole)
    elif isinstance(part, list):
        for inner in part:
            _without_dangling(inner, whole)
