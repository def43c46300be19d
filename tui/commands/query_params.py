"""What `loopdesk query` is asked: the text, from the argument, a file or standard input, and its parameters."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from queries.catalog import catalog
from queries.catalog.catalog import Question
from queries.gallery import own, registry
from workspace.errors import LoopdeskError

TYPES = ("String", "Int64", "Float64", "Bool", "DateTime", "Array(String)")
_PARAMETER = re.compile(r"([A-Za-z_]\w*)(?::([A-Za-z0-9()]+))?=(.*)", re.DOTALL)
_TYPES = {type.lower(): type for type in TYPES}
_TRUTH = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


@dataclass(frozen=True, slots=True)
class Asked:
    """A HogQL text, and the question of the catalog it is, if it is one."""

    text: str
    question: Question | None = None


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    value: object
    type: str


def find_text(word: str) -> Asked:
    """`word` is the name of a question, the catalog's or the user's own, `-` for standard input, `@FILE` or an existing
    `.sql` file, or HogQL itself.

    Raises `LoopdeskError` for a name that is none and a file that cannot be read."""
    if word == "-":
        return Asked(_decoded(sys.stdin.buffer.read(), "Standard input"))
    if word in catalog.names():
        question = catalog.load(word)
        return Asked(question.text, question)
    if word.startswith("@") or (word.endswith((".sql", ".hogql")) and not any(map(str.isspace, word))):
        path = Path(word.removeprefix("@"))
        try:
            return Asked(_decoded(path.read_bytes(), str(path)))
        except OSError as error:
            raise LoopdeskError(f"Cannot read {path}: {error.strerror}") from error
    if word.replace("_", "").isalnum():
        mine = own.question(word, registry.taken())
        if mine is not None:
            return Asked(mine.text, mine)
        catalog.load(word)  # one word is a name, never HogQL: this raises the sentence that lists the names
    return Asked(word)


def _decoded(raw: bytes, source: str) -> str:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise LoopdeskError(f"{source} is not UTF-8 text") from None
    if not text.strip():
        raise LoopdeskError(f"{source} is empty", do="Write a HogQL text into it")
    return text


def read_parameters(given: Sequence[str], question: Question | None, zone: str) -> list[Parameter]:
    """`name=value` or `name:Type=value`. The type is the question's, else the one given, else what the value looks
    like; a time without an offset is in `zone`. Raises `LoopdeskError`."""
    found = {}
    for word in given:
        match = _PARAMETER.fullmatch(word)
        if not match:
            raise LoopdeskError(f"--param {word[:60]} is not name=value", do="Write --param name=value")
        name, named, text = match.groups()
        if name in found:
            raise LoopdeskError(f"--param {name} is given twice")
        found[name] = _parameter(name, named, text, question, zone)
    return list(found.values())


def _parameter(name: str, named: str | None, text: str, question: Question | None, zone: str) -> Parameter:
    if question and name not in question.types:
        takes = ", ".join(question.types)
        raise LoopdeskError(f"The question {question.name} has no parameter {name}", do=f"It takes {takes}")
    if named is not None and named.lower() not in _TYPES:
        raise LoopdeskError(f"There is no type {named} for --param {name}", do=f"Use one of {', '.join(TYPES)}")
    type = question.types[name] if question else _TYPES[named.lower()] if named else _looks_like(text)
    try:
        return Parameter(name, _value(text, type, zone), type)
    except ValueError:
        raise LoopdeskError(
            f"--param {name}={text[:60]} is not of type {type}", do=f"Write --param {name}:String=... for a text"
        ) from None


def _looks_like(text: str) -> str:
    if re.fullmatch(r"[+-]?\d{1,18}", text, re.ASCII):
        return "Int64"
    if re.fullmatch(r"[+-]?(\d+\.\d*|\.\d+|\d+)([eE][+-]?\d+)?", text, re.ASCII):
        return "Float64"
    if text in ("true", "false"):
        return "Bool"
    if text.startswith("[") and text.endswith("]"):
        return "Array(String)"
    return "DateTime" if re.match(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d|$)", text, re.ASCII) else "String"


def _value(text: str, type: str, zone: str) -> object:
    """Raises `ValueError`."""
    if type == "String":
        return text
    if type == "Int64":
        return int(text)
    if type == "Float64":
        return float(text)
    if type == "Bool":
        if text.lower() not in _TRUTH:
            raise ValueError
        return _TRUTH[text.lower()]
    if type == "DateTime":
        at = datetime.fromisoformat(text.strip())
        return at if at.tzinfo else at.replace(tzinfo=ZoneInfo(zone))
    items = json.loads(text) if text.startswith("[") else text.split(",") if text else []
    if not isinstance(items, list) or any(isinstance(item, list | dict) for item in items):
        raise ValueError
    return [item if isinstance(item, str) else json.dumps(item) for item in items]
