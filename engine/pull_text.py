"""The words of a pull request, from typed fields: read in 30 seconds by somebody who knows nothing of loopdesk. Pure.

What an agent or a report says is shown as text and nothing else: it mentions nobody, links nowhere, closes no issue.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.shown import without
from workspace.text import plain, plain_lines

MOST_TITLE, MOST_PART, MOST_EVIDENCE = 70, 1_200, 6
HIDDEN = "a client"
_SHORTEST_NAME = 3
_ACTIVE = re.compile(r"([\\`*_\[\]<>|~])")
_MENTION = re.compile(r"([@#])(?=[A-Za-z0-9])")


@dataclass(frozen=True, slots=True)
class PullText:
    """`problem` and `evidence` are research's and the stored questions'; `change` and `why` are its maker's. `hidden`
    are names that stay home: clients and distinct ids; `shown` are words that stay home (`engine.shown`)."""

    report_id: str
    title: str
    problem: str
    evidence: Sequence[str]
    why: str
    change: str
    tests: Mapping[str, Any]
    untested: str
    review: Mapping[str, Any] = field(default_factory=dict)
    hidden: Iterable[str] = ()
    shown: frozenset[str] = frozenset()


def title(text: PullText) -> str:
    return _quiet(_home(text, plain(text.title, MOST_TITLE))) or "Mend what a report found"


def message(text: PullText) -> str:
    """The commit's."""
    why = _quiet(_home(text, plain(text.why or text.change, MOST_PART)))
    return f"{title(text)}\n\n{_wrapped(why)}\n\nLoopdesk-Report: {text.report_id}\n"


def body(text: PullText) -> str:
    parts = [
        ("Problem", inert(_home(text, text.problem))),
        ("Evidence", "\n".join(f"- {inert(_home(text, one))}" for one in text.evidence[:MOST_EVIDENCE])),
        ("Change", "\n\n".join(inert(_home(text, one)) for one in (text.why, text.change) if one.strip())),
        ("Tested", _tested(text)),
        ("Review before this was pushed", _reviewed(text)),
    ]
    shown = "\n\n".join(f"### {name}\n{words}" for name, words in parts if words.strip())
    return (
        f"{shown}\n\n---\nProposed by loopdesk for report `{text.report_id}`: `loopdesk inbox show {text.report_id}`\n"
    )


def again(text: PullText) -> str:
    """What is said on it when its change was made once more."""
    change = "\n\n".join(inert(_home(text, one)) for one in (text.why, text.change) if one.strip())
    return f"The change was made again.\n\n{change}\n\n{_tested(text)}"


def inert(text: str, most: int = MOST_PART) -> str:
    """Text that Markdown shows as it is: no mark-up, no mention, no reference, no address that becomes a link."""
    lines = "\n".join(plain_lines(text))[:most].strip()
    lines = re.sub(r"^(\s*)([#>+=-]|\d+[.)])", r"\1\\\2", lines, flags=re.MULTILINE)
    lines = _ACTIVE.sub(r"\\\1", lines)
    # An empty comment between: neither GitHub nor an e-mail client sees a name or an address any more.
    lines = _MENTION.sub(r"\1<!-- -->", lines)
    return re.sub(r"(www)\.|://", lambda found: f"{found[1]}<!-- -->." if found[1] else ":<!-- -->//", lines)


def _tested(text: PullText) -> str:
    state = text.tests.get("state", "not_run")
    command = inert(str(text.tests.get("command", "")), 200)
    if state == "passed":
        said = f"{command or 'The tests'} passed in a sandbox, before the push."
    elif state == "failed":
        said = f"{command or 'The tests'} failed in a sandbox, with the change and without it."
    else:
        said = (
            f"Not run here: {inert(_home(text, str(text.tests.get('summary', ''))), 300) or 'no command is configured'}"
        )
    untested = inert(_home(text, text.untested))
    return f"{said}\n\nNot tested: {untested}" if untested else said


def _reviewed(text: PullText) -> str:
    points = text.review.get("points") or []
    summary = inert(_home(text, str(text.review.get("summary", ""))), 400)
    return "\n".join([summary, *(_point(text, one) for one in points[:10])]).strip()


def _point(text: PullText, point: Mapping[str, Any]) -> str:
    must = "**must** " if point.get("must") else ""
    return f"- {must}{_place(text, point)}{inert(_home(text, str(point.get('text', ''))), 400)}"


def _place(text: PullText, point: Mapping[str, Any]) -> str:
    path, line = inert(_home(text, str(point.get("path", ""))), 120), point.get("line")
    return f"{path}{f':{line}' if line else ''}: " if path else ""


def _home(text: PullText, words: str) -> str:
    for name in sorted({name for name in text.hidden if len(name) >= _SHORTEST_NAME}, key=len, reverse=True):
        words = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", HIDDEN, words, flags=re.IGNORECASE)
    return without(text.shown, words)


def _quiet(words: str) -> str:
    """A title, or the message of a commit, where nothing can be escaped: that mentions nobody and closes no issue."""
    words = re.sub(r"(?<!\w)@(?=\w)|#(?=\d)|\bGH-(?=\d)", lambda found: f"{found[0]} ", words, flags=re.IGNORECASE)
    return words.replace("://", ": //")


def _wrapped(text: str) -> str:
    import textwrap

    return textwrap.fill(text, 72)
