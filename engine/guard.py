"""The diff guard: what of a change is stopped, and what waits for a human, before the change leaves this machine.

Pure. It reads the change as the host's own mirror tells it, never the agent's folder or word. The rules come from the
workspace's configuration and the base commit (`engine.guard_rules`). A finding names a path and a line and never quotes
what stands there: what was found may be a secret.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from engine.diff import EXECUTABLE, MISSING, Diff, FileChange
from engine.guard_rules import Rules, matches
from engine.secrets import Canaries, kinds_of_secret
from workspace.text import plain

Kind = Literal[
    "size", "protected", "secret", "canary", "binary", "symlink", "submodule", "mode", "executed", "name", "hidden"
]


@dataclass(frozen=True, slots=True)
class Finding:
    """`where` is a path of the change, or the name of a text: title, body, branch ... `line` is on the new side."""

    kind: Kind
    where: str
    reason: str
    line: int | None = None

    def __str__(self) -> str:
        place = f"{plain(self.where, 120)}:{self.line}" if self.line else plain(self.where, 120)
        return f"{place} {self.reason}" if place else self.reason


@dataclass(frozen=True, slots=True)
class Verdict:
    """For the diff from `base` to `head` and no other. What `stops` is not pushed; what `waits` is pushed after a human
    "push"."""

    base: str
    head: str
    stops: tuple[Finding, ...] = ()
    waits: tuple[Finding, ...] = ()

    @property
    def passed(self) -> bool:
        return not self.stops

    @property
    def sentence(self) -> str:
        if self.stops:
            more = f" and {len(self.stops) - 1} more" if len(self.stops) > 1 else ""
            return f"The guard stopped the change: {self.stops[0]}{more}."
        if self.waits:
            more = f" and {len(self.waits) - 1} more" if len(self.waits) > 1 else ""
            return f"The guard passed the change; your push is needed: {self.waits[0]}{more}."
        return "The guard passed the change."


_PLANTED = "something planted that must not leave"
_SHOWN = "what its maker was only shown, in memory, rows, prompts or other code"


def guard(
    diff: Diff, rules: Rules, canaries: Canaries, texts: Mapping[str, str], shown: Canaries | None = None
) -> Verdict:
    """`texts` is all else that leaves with the change, by name: title, body, branch, commit messages, comments. `shown`
    are words that the change's maker was shown and must keep."""
    stops = [*_size(diff, rules), *(found for file in diff.files for found in _stopped(file, rules))]
    for what, kept in ((_PLANTED, canaries), (_SHOWN, shown or Canaries())):
        for file in diff.files:
            stops += _kept_back(file, kept, what)
        for name, text in texts.items():
            if kept.are_in(text):
                stops.append(Finding("canary", name, f"has {what}"))
    for file in diff.files:
        stops += _lines(file)
    for name, text in texts.items():
        stops += text_findings(name, text)
    waits = [found for file in diff.files for found in _waiting(file, rules)]
    return Verdict(diff.base, diff.head, tuple(dict.fromkeys(stops)), tuple(dict.fromkeys(waits)))


def _size(diff: Diff, rules: Rules) -> Iterator[Finding]:
    lines = diff.added + diff.removed
    if not diff.files:
        yield Finding("size", "", "It changes nothing")
    if not diff.is_whole:
        yield Finding("size", "", "It is too large to be read")
    if len(diff.files) > rules.most_files:
        yield Finding("size", "", f"It changes {len(diff.files):,} files, at most {rules.most_files:,} are let through")
    if lines > rules.most_lines:
        yield Finding("size", "", f"It changes {lines:,} lines, at most {rules.most_lines:,} are let through")
    grown = sum(file.new_size for file in diff.files)
    if grown > rules.most_bytes:
        yield Finding("size", "", f"Its files have {grown:,} bytes, at most {rules.most_bytes:,} are let through")


def _stopped(file: FileChange, rules: Rules) -> Iterator[Finding]:
    for path in file.paths:
        if (pattern := matches(path, rules.protected)) is not None:
            yield Finding("protected", path, f"is protected by {pattern}")
        if _is_odd(path):
            yield Finding("name", path, "has a name with characters that are not shown, or that no system writes")
    if file.is_binary and file.new_mode != MISSING:
        yield Finding("binary", file.path, "is binary, and nobody can review it")
    if file.is_symlink:
        yield Finding("symlink", file.path, "is a symbolic link, or was one")
    if file.is_submodule:
        yield Finding("submodule", file.path, "is a submodule, or was one")


def _waiting(file: FileChange, rules: Rules) -> Iterator[Finding]:
    for path in file.paths:
        if matches(path, rules.executed) is not None or path in rules.command_words:
            yield Finding("executed", path, "is executed by CI, or says what is")
    if file.new_mode == EXECUTABLE and file.old_mode != EXECUTABLE:
        yield Finding("mode", file.path, "becomes executable")
    elif file.mode_changed and not file.is_symlink and not file.is_submodule:
        yield Finding("mode", file.path, "is not executable any more")


def _kept_back(file: FileChange, canaries: Canaries, what: str) -> Iterator[Finding]:
    """On added lines; it may also be spread over several of them, or be the name of the file."""
    if canaries.are_in(file.path):
        yield Finding("canary", "A file", f"has a name with {what}")
    added = list(file.added_lines())
    if canaries.are_in("\n".join(line.text for line in added)):
        for line in added:
            if canaries.are_in(line.text):
                yield Finding("canary", file.path, f"has {what}", line.new)
        yield Finding("canary", file.path, f"has {what}")


def _lines(file: FileChange) -> Iterator[Finding]:
    """Secrets on added lines."""
    for line in file.added_lines():
        for found in kinds_of_secret(line.text):
            yield Finding("secret", file.path, f"has what looks like {found}", line.new)
        if _hides(line.text):
            yield Finding("hidden", file.path, "has characters that change how the line is shown", line.new)


def text_findings(name: str, text: str, canaries: Canaries | None = None) -> Iterator[Finding]:
    """What must not leave in a text, such as a comment."""
    for what in kinds_of_secret(text):
        yield Finding("secret", name, f"has what looks like {what}")
    if canaries is not None and canaries.are_in(text):
        yield Finding("canary", name, f"has {_PLANTED}")
    if _hides(text):
        yield Finding("hidden", name, "has characters that change how it is shown")


def _hides(text: str) -> bool:
    """Bidirectional controls and invisible letters make a line read otherwise than it runs; a joiner inside a word of
    a language that needs it is let be."""
    return not text.isascii() and any(char in _BIDI or "\U000e0000" <= char <= "\U000e007f" for char in text)


_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200b\u2060\ufeff")
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def _is_odd(path: str) -> bool:
    parts = path.split("/")
    return (
        any(unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") for char in path)
        or any(char in '\\:*?"<>|' for char in path)
        or any(part.startswith("-") or part.endswith((" ", ".")) or _DEVICE.fullmatch(part) for part in parts)
    )


def places(findings: Iterable[Finding]) -> Mapping[str, tuple[Finding, ...]]:
    """By path, for a diff view's margin."""
    found: dict[str, tuple[Finding, ...]] = {}
    for finding in findings:
        found[finding.where] = (*found.get(finding.where, ()), finding)
    return found
