"""Reports, signals and commands as a person names them: by an id, or by enough of its beginning or its end."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from engine.inbox import Inbox, ReportDetail, StoredSignal
from engine.model import Command
from queries.views.words import listed
from workspace.errors import LoopdeskError
from workspace.text import plain

_SHORTEST = 6
_MOST_COMMANDS = 10_000


def end(ids: Collection[str]) -> int:
    """How many characters at the end tell all of them apart. What came in one moment has the same beginning."""
    length = _SHORTEST
    longest = max(map(len, ids), default=0)
    while length < longest and len({id[-length:] for id in ids}) < len(set(ids)):
        length += 1
    return length


def report(inbox: Inbox, text: str) -> ReportDetail:
    """Raises `LoopdeskError` for none, and for several."""
    said = _said(text)
    # One that joined another is in no list, but can be named.
    found = inbox.report(said) if said else None
    found = found or inbox.report(_one("report", said, [one.report.id for one in inbox.reports()]))
    if found is None:  # it has joined another this moment
        raise _none("report", said)
    return found


def observed(found: ReportDetail) -> tuple[StoredSignal, ...]:
    """The report's signals without those that only say what was decided."""
    return tuple(one for one in found.signals if not one.signal.is_own_word)


def signal(text: str, among: Sequence[StoredSignal], what: str) -> StoredSignal:
    """`what` names those that are looked among, such as "signal of this report"."""
    id = _one(what, _said(text).lower(), [one.id for one in among])
    return next(one for one in among if one.id == id)


def command(inbox: Inbox, text: str) -> Command:
    """The one that is named, or for an empty text the newest that stands. Raises `LoopdeskError`."""
    known = inbox.commands(_MOST_COMMANDS)
    if text:
        id = _one("command", _said(text), [one.id for one in known])
        return next(one for one in known if one.id == id)
    newest = next(iter(standing(known)), None)
    if newest is None:
        raise LoopdeskError("There is nothing to undo")
    return newest


def standing(commands: Sequence[Command]) -> list[Command]:
    """Those that were neither refused nor undone, and that undo nothing themselves. `commands` are the newest first."""
    in_force = [one for one in commands if one.undone_at is None and one.refused_at is None]
    taken_back = {one.arguments.get("undoes") for one in in_force}
    return [one for one in in_force if one.id not in taken_back and "undoes" not in one.arguments]


def fits(text: str, id: str) -> bool:
    said = _said(text).lower()
    return bool(said) and (id.lower().startswith(said) or id.lower().endswith(said))


def _said(text: str) -> str:
    """As it is compared; an ellipsis may have been copied along."""
    return text.strip().lstrip("…").upper()


def _one(what: str, text: str, ids: Sequence[str]) -> str:
    if text in ids:
        return text
    found = [id for id in ids if text and id.startswith(text)] or [id for id in ids if text and id.endswith(text)]
    if not found:
        raise _none(what, text)
    if len(found) > 1:
        shown = listed([f"…{id[-end(found) :]}" for id in found])
        raise LoopdeskError(f"{plain(text, 40)!r} names {len(found)}: {shown}", do="Say it as one of these")
    return found[0]


def _none(what: str, text: str) -> LoopdeskError:
    return LoopdeskError(
        f"There is no {what} whose id begins or ends with {plain(text, 40)!r}",
        do="loopdesk inbox list shows what there is",
    )
