"""HogQL text -> PostHog's syntax tree (nested dicts), by PostHog's own parser."""

from __future__ import annotations

import importlib
import json
import re
import sys
import types
from functools import cache

from queries.local.hogql.errors import HogQLError

# The grammar backtracks: its time doubles with every few levels, so a short text could keep it busy for hours.
MAX_TEXT = 20_000
MAX_NESTING = 25
MAX_CHAIN = 40
MAX_PARTS = 1_500

_TOKEN = re.compile(
    r"""--[^\n]*|/\*.*?\*/|'(?:\\.|''|[^'\\])*'|"(?:\\.|""|[^"\\])*"|`(?:\\.|``|[^`\\])*`|\w+|->|[^\s\w]""", re.DOTALL
)
_CLAUSE = re.compile(r"^Unsupported: SelectStmt\.(\w+)Clause\(\)")
_OPENING = frozenset({"(", "[", "{", "case"})
_CLOSING = frozenset({")", "]", "}", "end"})
_DROPPED = {("with", "rollup"), ("with", "cube"), ("with", "totals"), ("nulls", "first")}


def parse(text: str) -> dict:
    """The tree of one SELECT, with `start` and `end` on its nodes. Raises `HogQLError` for anything else."""
    _refuse_monsters(text)
    parser = _parser()
    try:
        found = _decode(parser.parse_select_json(text, is_internal=False))
    except HogQLError:
        raise
    except Exception as error:  # one of the stand-ins of `_parser`, as for an unmatched curly bracket
        raise HogQLError(str(error)[:300] or "The text cannot be parsed") from None
    if found.get("error"):
        message = found.get("message", "")
        start, end = (found.get(side, {}).get("offset") for side in ("start", "end"))
        clause = _CLAUSE.search(message)
        if clause:
            message = f"{clause[1].upper()} is not supported"
        if start == end == 0:
            start = end = None  # the parser does not know the place
        raise HogQLError(message[:300] or "The text cannot be parsed", start, end)
    return found


def _decode(document: str) -> dict:
    try:
        return json.loads(document)
    except RecursionError:
        raise HogQLError("The query is too deeply nested") from None


def _refuse_monsters(text: str) -> None:
    if "\0" in text:
        raise HogQLError("The text holds a NUL character", text.index("\0"), text.index("\0") + 1)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise HogQLError("The text is not valid Unicode", error.start, error.end) from None
    if len(text) > MAX_TEXT:
        raise HogQLError(f"The query is longer than {MAX_TEXT:,} characters")
    depth = nots = dots = lambdas = parts = 0
    previous = ""
    for match in _TOKEN.finditer(text):
        word = match[0].lower()
        if word[:2] in ("--", "/*"):
            continue
        parts += 1
        depth += (word in _OPENING) - (word in _CLOSING)
        nots = nots + 1 if word == "not" else 0
        dots = dots + 1 if word == "." else dots if previous == "." else 0
        lambdas += word == "->"
        if depth > MAX_NESTING or nots > MAX_NESTING or dots > MAX_CHAIN or lambdas > MAX_CHAIN or parts > MAX_PARTS:
            raise HogQLError("The query is too deeply nested or too long", match.start(), match.end())
        if (previous, word) in _DROPPED:
            # PostHog's parser drops these words and would answer another question.
            raise HogQLError(f"{previous.upper()} {word.upper()} is not supported", match.start(), match.end())
        previous = word


@cache
def _parser() -> types.ModuleType:
    """`hogql_parser` needs PostHog's server package for its exception classes only. Give it stand-ins while it is
    imported and take them out again, so that the `posthog` SDK can be imported before or after."""
    names = ("posthog", "posthog.hogql", "posthog.hogql.errors")
    before = {name: sys.modules[name] for name in names if name in sys.modules}
    errors = types.ModuleType(names[2])
    for name in ("BaseHogQLError", "ExposedHogQLError", "InternalHogQLError", "SyntaxError", "NotImplementedError",
                 "ParsingError", "QueryError", "ResolutionError"):  # fmt: skip
        setattr(errors, name, type(name, (Exception,), {}))
    package = types.ModuleType(names[1])
    package.__path__ = []
    package.errors = errors  # type: ignore[attr-defined]
    sys.modules.setdefault(names[0], types.ModuleType(names[0]))
    sys.modules[names[1]], sys.modules[names[2]] = package, errors
    try:
        return importlib.import_module("hogql_parser")
    except ImportError as error:
        raise HogQLError(
            "This computer has no HogQL parser, so only the questions that come with loopdesk can be answered",
            do="Install hogql-parser where it has a wheel (Linux with glibc, macOS)",
        ) from error
    finally:
        for name in names:
            sys.modules.pop(name, None)
        sys.modules.update(before)
