"""What was said of places of a change, from whom ever: the guard, the second agent, the forge, and you. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from engine.model import Artefact, Command, Proposal
from tui.diffrows import Remark
from tui.proposals import asked, findings, points
from tui.proposaltab import comment_words, comments
from workspace.text import plain

_LONGEST = 4_000


def remarks(
    proposal: Proposal, told: Sequence[Artefact], waiting: Sequence[Command], clock: Callable[..., str]
) -> list[Remark]:
    """`told` are the report's artefacts, `waiting` the commands on it that can still be undone."""
    return [*_guard(proposal), *_review(proposal), *_said(proposal, told, clock), *_mine(proposal, waiting)]


def _guard(proposal: Proposal) -> Iterator[Remark]:
    for one in findings(proposal):
        stops = bool(one.get("stops"))
        who = "Guard, stops it" if stops else "Guard, needs your push"
        where = plain(one.get("where", ""), 200)
        yield Remark(who, plain(one.get("reason", ""), 400), "bad" if stops else "warn", where, _line(one))


def _review(proposal: Proposal) -> Iterator[Remark]:
    for one in points(proposal):
        must = bool(one.get("must"))
        who = "Review, must be mended" if must else "Review"
        yield Remark(who, _text(one, "text"), "bad" if must else "text", str(one.get("path", "")), _line(one))


def _said(proposal: Proposal, told: Sequence[Artefact], clock: Callable[..., str]) -> Iterator[Remark]:
    for artefact in comments(proposal, told):
        one: Mapping[str, Any] = artefact.content
        if one.get("path"):
            asks = one.get("verdict") == "changes_requested"
            tone = "warn" if asks else "text"
            yield Remark(comment_words(one, clock), _text(one, "body"), tone, str(one["path"]), _line(one))


def _mine(proposal: Proposal, waiting: Sequence[Command]) -> Iterator[Remark]:
    """What is on its way, and what was asked for and is not answered yet."""
    for one in asked(proposal):
        if one.get("by") == "owner" and one.get("path"):
            yield Remark("You, not answered yet", _text(one, "text"), "warn", str(one["path"]), _line(one))
    for command in waiting:
        given = command.arguments
        if command.verb in ("request_changes", "comment") and given.get("path"):
            words = "You, to be changed" if command.verb == "request_changes" else "You, a comment"
            who = f"{words}, can still be undone"
            yield Remark(who, _text(given, "note"), "warn", str(given["path"]), _line(given))


def _text(document: Mapping[str, object], name: str) -> str:
    return str(document.get(name, "")).strip()[:_LONGEST]


def _line(document: Mapping[str, object]) -> int | None:
    found = document.get("line")
    return found if isinstance(found, int) and not isinstance(found, bool) else None
