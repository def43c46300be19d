"""`loopdesk inbox`: read what the engine found and decide about it, from a shell or a script."""

from __future__ import annotations

import click

from engine import verbs
from tui.commands import inbox_naming as naming
from tui.commands import inbox_posthog, inbox_proposals
from tui.commands.inbox_deciding import Door, deciding, written
from tui.commands.inbox_reading import list_, show
from tui.moments import later
from workspace.errors import LoopdeskError


@click.group("inbox", invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Reports of the engine, and what you decide about them. A report is named by its id, or by the id's beginning or
    end."""
    if ctx.invoked_subcommand is None:
        raise click.UsageError(f"Say which: {', '.join(command.commands)}", ctx)


command.add_command(list_)
command.add_command(show)
command.add_command(inbox_posthog.command)
for one in inbox_proposals.COMMANDS:
    command.add_command(one)


@command.command("decline", short_help="Not worth doing, and why.")
@click.argument("report")
@click.option("--reason", type=click.Choice(tuple(verbs.REASONS)), required=True)
@click.option("--note", default="", help="Kept with it, and given to research.")
@deciding
def decline(door: Door, report: str, reason: str, note: str) -> None:
    """Decline a report. It goes on taking in what belongs to it, and stays declined."""
    door.decide("decline", report, {"reason": reason, **_noted(note)}, f"Declined: {verbs.REASONS[reason]}")


@command.command("context", short_help="Tell the engine what it cannot know.")
@click.argument("report")
@click.option("--note", help="The text; without it standard input, or your $EDITOR on a terminal.")
@deciding
def context(door: Door, report: str, note: str | None) -> None:
    """Add a text to a report. One that needs input, or has failed, is researched again with it."""
    text = note if note is not None else written(door.report(report).listed.title)
    door.decide("context", report, {"note": text.strip()}, "Context added")


@command.command("snooze", short_help="Out of sight until a time, or until it comes again.")
@click.argument("report")
@click.option("--until", metavar="TIME", help="2026-11-27T08:00, tomorrow 8:00, or 12h, 3d, 2w from now.")
@click.option("--signals", type=int, metavar="N", help="Until so many further signals.")
@deciding
def snooze(door: Door, report: str, until: str | None, signals: int | None) -> None:
    """Put a report off: until a time, or until N more signals came. A time without an offset is your time zone's."""
    arguments: dict[str, object] = {} if signals is None else {"signals": signals}
    said = f"Snoozed until {signals} more signals"
    if until is not None:
        at = later("--until", until, door.now, door.zone)
        arguments["until"] = at.isoformat()
        said = f"Snoozed until {at.astimezone(door.zone):%Y-%m-%d %H:%M}"
    door.decide("snooze", report, arguments, said)


@command.command("resolve", short_help="It is done.")
@click.argument("report")
@click.option("--note", default="")
@deciding
def resolve(door: Door, report: str, note: str) -> None:
    """Say that a report's problem is solved. When it comes again a fresh report opens, linked to this one."""
    door.decide("resolve", report, _noted(note), "Resolved")


@command.command("join", short_help="Two reports are one problem.")
@click.argument("report")
@click.option("--into", required=True, metavar="REPORT", help="The one that remains.")
@deciding
def join(door: Door, report: str, into: str) -> None:
    """Put the signals of a report into another one. The engine learns from it."""
    remains = door.report(into).listed
    if remains.report.id == door.report(report).listed.report.id:
        raise LoopdeskError("A report cannot join itself", do="Name another one with --into")
    door.decide("join", report, {"into": remains.report.id}, f"Joined into “{remains.title}”")


@command.command("split", short_help="Some signals are another problem.")
@click.argument("report")
@click.argument("signals", nargs=-1, required=True, metavar="SIGNAL...")
@deciding
def split(door: Door, report: str, signals: tuple[str, ...]) -> None:
    """Make a report of its own of some of a report's signals. The engine learns from it."""
    mine = naming.observed(door.report(report))
    going = [naming.signal(text, mine, "signal of this report").id for text in signals]
    door.decide("split", report, {"signals": list(dict.fromkeys(going))}, "Split off")


@command.command("release", short_help="Let pass what the safety filter holds back.")
@click.argument("name", metavar="SIGNAL|REPORT")
@deciding
def release(door: Door, name: str) -> None:
    """Let a signal pass that is held back, or a report that was blocked as a whole. Read what is quoted first."""
    held = [one for one in door.inbox.blocked() if naming.fits(name, one.id)]
    if name and held:
        signal = naming.signal(name, held, "signal that is held back")
        door.decide("release", "", {"signal": signal.id}, "Released", about=signal.signal.title)
    else:
        door.decide("release", name, {}, "Released")


@command.command("acknowledge", short_help="You have seen what a fix did.")
@click.argument("report")
@deciding
def acknowledge(door: Door, report: str) -> None:
    """Say that you have seen what a merged fix did; its report leaves the group Outcomes."""
    door.decide("acknowledge", report, {}, "Outcome seen")


@command.command("research", short_help="Have it looked at again.")
@click.argument("report")
@deciding
def research(door: Door, report: str) -> None:
    """Start another research pass of a report, outside of those that its signals earn."""
    door.decide("research", report, {}, "Research asked for")


@command.command("undo", short_help="Take a decision back.")
@click.argument("name", metavar="[COMMAND]", default="")
@deciding
def undo(door: Door, name: str) -> None:
    """Take a decision back: your newest, or the one named. Before it is applied it never happens; after that its
    opposite is decided."""
    door.undo(naming.command(door.inbox, name))


def _noted(note: str) -> dict[str, object]:
    return {"note": note} if note else {}
