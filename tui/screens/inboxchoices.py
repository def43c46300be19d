"""What the inbox can be filtered by, and what of it is exported."""

from __future__ import annotations

from dataclasses import replace

from engine.states import SHOWN
from queries.views.filters import Filters
from queries.views.words import counted
from tui.asker import Place
from tui.reports import Contents, Entry, Listed, stopped_words, title
from tui.screens.chooser import Choice

COLUMNS = ("id", "group", "status", "priority", "title", "signals", "last_seen", "projects", "why")


def filters(contents: Contents, place: Place, status: str) -> list[Choice]:
    """Everything; each project, which every screen then looks at; each status. A value is a place, or a status."""
    now = place.filters
    choices = [Choice("All projects", "", replace(place, filters=Filters()), now == Filters())]
    projects = sorted({name for row in contents.reports for name in row.found.projects})
    for project in projects:
        is_chosen = now.project == project
        count = counted(sum(project in row.found.projects for row in contents.reports), "report")
        chosen = replace(place, filters=replace(now, project="" if is_chosen else project))
        choices.append(
            Choice(project, f"project, {count}{': again takes it off' if is_chosen else ''}", chosen, is_chosen)
        )
    for name, words in SHOWN.items():
        number = sum(row.found.report.status == name for row in contents.reports)
        if number or name == status:
            is_chosen = name == status
            note = f"status, {counted(number, 'report')}{': again takes it off' if is_chosen else ''}"
            choices.append(Choice(words, note, "" if is_chosen else name, is_chosen))
    return choices


def exported(row: Entry) -> tuple[object, ...]:
    """A row of `COLUMNS`."""
    seen = row.last_seen.isoformat()
    if not isinstance(row, Listed):
        return row.id, row.group, row.found.safety, "", title(row), None, seen, "", stopped_words(row.found)
    report = row.found.report
    return (
        row.id,
        row.group,
        report.status,
        report.priority,
        title(row),
        report.signals,
        seen,
        " ".join(row.found.projects),
        row.found.why,
    )
