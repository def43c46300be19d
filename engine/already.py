"""Whether somebody works on the same thing already: an open pull request, its branch, or an issue that has a person.
Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from engine.forges.protocol import PullRequest
from engine.listed import ReportDetail
from engine.model import Proposal
from workspace.text import plain

_WORD = re.compile(r"[a-z0-9]{3,}")
_ALIKE = 0.6
"""Of the words of both titles, the share that they have in common (Jaccard); two fixes of one thing share most."""
_FEWEST_WORDS = 3


def about_the_same(detail: ReportDetail, proposal: Proposal, pulls: Iterable[PullRequest]) -> str:
    """Why nothing is pushed, in a sentence; empty where nobody is at it."""
    for one in detail.signals:
        extra = one.signal.extra
        if one.signal.source_product == "github" and extra.get("is_assigned") is True:
            return f"The issue “{plain(one.signal.title, 80)}” is assigned to somebody already."
    issues = _issues(detail)
    mine = (_words(proposal.title), _words(detail.listed.report.title))
    for pull in pulls:
        if pull.branch == proposal.branch:
            continue
        theirs = _words(pull.title)
        numbers = {int(found) for found in re.findall(r"#(\d{1,9})", pull.title)}
        numbers |= {
            int(found) for found in re.findall(r"(?:^|[/_-])(?:issue|gh)[/_-]?(\d{1,9})(?:$|[/_-])", pull.branch)
        }
        shared = numbers & issues
        if shared or (len(theirs) >= _FEWEST_WORDS and any(_alike(one, theirs) for one in mine)):
            about = f"issue {min(shared)}" if shared else "the same thing"
            return f"Pull request {pull.number}, “{plain(pull.title, 80)}”, seems to be about {about} already."
    return ""


def _issues(detail: ReportDetail) -> set[int]:
    numbers = {one.signal.extra.get("number") for one in detail.signals if one.signal.source_product == "github"}
    return {number for number in numbers if isinstance(number, int)}


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.lower()))


def _alike(one: set[str], other: set[str]) -> bool:
    return len(one & other) >= _ALIKE * len(one | other)
