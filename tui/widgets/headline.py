"""The headline: one line a project, columns aligned across them."""

from __future__ import annotations

from dataclasses import replace

from textual.strip import Strip

from queries.views import drill
from queries.views.headline import Headline, ProjectNight
from queries.views.words import share
from tui.palette import Palette
from tui.widgets.aligned import Column, listed, measured, name_room
from tui.widgets.formats import counted, paid, score_change, scored
from tui.widgets.strips import Cell, cell, flow, linked, painted, said, verdict

_IN_WORDS = 90  # cells; from here on `better` and `worse` are written out


def paint_headline(view: Headline, width: int, height: int, palette: Palette) -> list[Strip]:
    """At most `height` strips of `width` cells.

    A narrow line gives up, in this order: escalations, cost per kept round, why it stopped, rounds, money spent, the
    change, kept rounds; the project and its best score stay. What still fits into the gap is put back.
    """
    head = verdict(view.verdict, width, height, palette)
    room = height - len(head)
    if not view.projects or room <= 0:
        return painted(head, [], width, height)
    # A line of headings comes before a line of notes: it makes the numbers readable.
    spare = min(2, room - len(view.projects) - 1)
    notes = flow(_missing(view, palette), width, spare, palette, between="; ")
    return painted(head, listed(_columns(view, width, palette), width, room, palette, foot=notes), width, height)


def _columns(view: Headline, width: int, palette: Palette) -> list[Column]:
    projects, in_words = view.projects, width >= _IN_WORDS
    return [
        Column([cell(said(one.project, palette), palette.title) for one in projects], least=name_room(width)),
        measured(
            [linked(counted(one.rounds, palette), drill.all_rounds(one.project)) for one in projects], "rounds", 4
        ),
        measured([linked(counted(one.kept, palette), drill.kept_rounds(one.project)) for one in projects], "kept", 1),
        Column(
            [
                linked(scored(one.best, palette, palette.strong), drill.scored_rounds(one.project, one.goal))
                for one in projects
            ],
            heading="best",
            right=True,
        ),
        Column(
            [score_change(one.change, one.is_better, palette, in_words=in_words) for one in projects],
            heading="change",
            rank=2,
        ),
        measured(
            [linked(paid(one.spent_usd, palette), drill.decided_rounds(one.project)) for one in projects], "spent", 3
        ),
        measured(
            [linked(paid(one.per_kept_usd, palette), drill.kept_rounds(one.project)) for one in projects], "per kept", 6
        ),
        measured(
            [
                linked(
                    counted(one.escalations, palette),
                    replace(drill.escalated(project=one.project), count=one.escalations) if one.escalations else None,
                )
                for one in projects
            ],
            "escalations",
            7,
        ),
        Column([_stopped(one, palette) for one in projects], heading="stopped on", least=10, rank=5),
    ]


def _stopped(project: ProjectNight, palette: Palette) -> Cell:
    if not project.stopped:
        return cell(palette.glyphs.dash, palette.dim)
    return linked(cell(said(project.stopped, palette), palette.text), drill.stopped(project.stopped, project.project))


def _missing(view: Headline, palette: Palette) -> list[Cell]:
    """Which common properties a project leaves out, and how often."""
    return [
        cell(f"{said(one.project, palette)}: {said(name, palette)} missing on {share(part)}", palette.dim)
        for one in view.projects
        for name, part in one.missing
    ]
