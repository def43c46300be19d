"""Lines of code in inks: what is a keyword, a string, a name, a comment. Pygments reads them, block by block.

Numbers have the ink of what stands around them: they are many, and every change of ink is bytes on a slow line.

Lexers are regular expressions, and what they read may be hostile: only languages that we name are read, a line of
bounded length and a block of bounded size at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import chain, repeat
from typing import Any

BLOCK = 64  # lines that are read together
MOST = 6_000  # characters of a block: an unclosed comment is looked for its end from every place in it
LONGEST = 400  # characters; a longer line is not code that somebody wrote
_ALIASES: Mapping[str, str] = {
    "py": "python", "pyi": "python", "toml": "toml", "yaml": "yaml", "yml": "yaml", "json": "json", "js": "javascript",
    "mjs": "javascript", "jsx": "jsx", "ts": "typescript", "tsx": "tsx", "go": "go", "rs": "rust", "c": "c", "h": "c",
    "cc": "cpp", "cpp": "cpp", "hpp": "cpp", "java": "java", "kt": "kotlin", "rb": "ruby", "php": "php", "cs": "csharp",
    "swift": "swift", "sh": "bash", "bash": "bash", "zsh": "bash", "sql": "sql", "html": "html", "css": "css",
    "scss": "scss", "xml": "xml", "ini": "ini", "cfg": "ini", "lua": "lua", "r": "r", "jl": "julia", "ex": "elixir",
    "hs": "haskell", "scala": "scala", "tf": "terraform", "proto": "protobuf", "md": "markdown",
}  # fmt: skip
_NAMES: Mapping[str, str] = {"makefile": "make", "dockerfile": "docker"}
Inked = tuple[str, str]
"""An ink and the text in it."""


def alias(path: str) -> str:
    """Of the language by a file's name; empty for none that is read."""
    name = path.rpartition("/")[2].lower()
    return _NAMES.get(name) or (_ALIASES.get(name.rpartition(".")[2], "") if "." in name else "")


def lexer(path: str) -> Any | None:
    """Blocking: it loads the language's module. None where there is none; the lines are plain then."""
    language = alias(path)
    if not language:
        return None
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    try:
        return get_lexer_by_name(language, stripnl=False, ensurenl=True)
    except ClassNotFound:
        return None


def inked(reader: Any, lines: Sequence[str]) -> list[list[Inked]]:
    """The same lines with inks: keyword, string, name, comment or text. Raises nothing, whatever they hold."""
    read, room = [], MOST
    for line in lines:
        is_read = len(line) <= min(LONGEST, room)
        read.append(line if is_read else "")
        room -= len(line) if is_read else 0
    found: list[list[Inked]] = [[]]
    for token, text in reader.get_tokens("\n".join(read)):
        ink = _ink(token)
        first, *rest = text.split("\n")
        _add(found[-1], ink, first)
        for part in rest:
            found.append([])
            _add(found[-1], ink, part)
    # A lexer that lost a character must not change what a person approves.
    return [
        runs if "".join(text for _, text in runs) == line else [("text", line)]
        for runs, line in zip(chain(found, repeat([])), lines, strict=False)
    ]


def _add(line: list[Inked], ink: str, text: str) -> None:
    if text and line and line[-1][0] == ink:
        line[-1] = (ink, line[-1][1] + text)
    elif text:
        line.append((ink, text))


@lru_cache(maxsize=512)
def _ink(token: Any) -> str:
    name = str(token).removeprefix("Token.")  # Literal.String.Double
    return next((ink for kind, ink in _INKS.items() if name == kind or name.startswith(f"{kind}.")), "text")


_INKS: Mapping[str, str] = {
    "Comment": "comment",
    "Keyword": "keyword",
    "Operator.Word": "keyword",
    "Literal.String": "string",
    "Name.Function": "name",
    "Name.Class": "name",
    "Name.Decorator": "name",
    "Name.Tag": "name",
}
