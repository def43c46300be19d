"""Which reports a list shows and in what order, and what was decided about them that is not over. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.groups import GROUPS
from engine.inbox import InboxReport, StoredSignal
from engine.model import Command
from engine.states import SHOWN
from queries.views.words import listed
from tui.commands.inbox_naming import end
from workspace.errors import LoopdeskError
from workspace.text import plain


@dataclass(frozen=True, slots=True)
class Listing:
    """`groups` that have any, in the order of `GROUPS`. `refused` by report: a refusal stands until something else is
    decided about it; by an empty id the one about no report. `end` is how many characters at the end of an id tell all
    reports apart. `held` are signals that the safety filter holds back."""

    groups: tuple[tuple[str, tuple[InboxReport, ...]], ...]
    refused: Mapping[str, Command]
    end: int
    held: tuple[StoredSignal, ...] = ()

    @property
    def reports(self) -> tuple[InboxReport, ...]:
        return tuple(one for _, members in self.groups for one in members)


def listing(
    reports: Sequence[InboxReport],
    commands: Sequence[Command],
    held: Sequence[StoredSignal],
    *,
    group: str = "",
    search: str = "",
) -> Listing:
    """`commands` are the newest first. `group` is the beginning of one's name, `search` a text in title, summary, id or
    what a signal says. Raises `LoopdeskError` for a group that there is not."""
    wanted = _group(group)
    text = search.strip().casefold()
    shown = [one for one in reports if text in _words(one) and wanted in ("", one.group)]
    by_group = {name: sorted((one for one in shown if one.group == name), key=_order) for name in GROUPS}
    return Listing(
        groups=tuple((name, tuple(members)) for name, members in by_group.items() if members),
        refused=_refused(commands),
        end=end([one.report.id for one in reports]),
        # What is held back is in no group.
        held=() if wanted else tuple(one for one in held if text in f"{one.id} {one.signal.content}".casefold()),
    )


def status(one: InboxReport) -> str:
    return "Snoozed" if one.report.is_snoozed else SHOWN.get(one.report.status, one.report.status)


def _group(text: str) -> str:
    said = " ".join(text.replace("-", " ").split()).casefold()
    found = [name for name in GROUPS if name.casefold().startswith(said)]
    if not said:
        return ""
    if len(found) != 1:
        raise LoopdeskError(
            f"There is no group {plain(text, 40)!r}", do=f"Use one of {listed(GROUPS, len(GROUPS))}, or its beginning"
        )
    return found[0]


def _words(one: InboxReport) -> str:
    return f"{one.report.id} {one.title} {plain(one.report.summary)} {one.why}".casefold()


def _order(one: InboxReport) -> tuple[str, float, str]:
    """The most urgent first, of equal ones the last changed."""
    return (one.report.priority or "P9", -one.report.changed_at.timestamp(), one.report.id)


def _refused(commands: Sequence[Command]) -> dict[str, Command]:
    newest: dict[str, Command] = {}
    for command in commands:
        if command.undone_at is None:
            newest.setdefault(command.report_id, command)
    return {report: command for report, command in newest.items() if command.refused_at is not None}
