"""A sheet in any room: its sentence first, whole numbers, what is missing said, words before colours."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queries.gallery.sheet import Column, Row, Sheet, Tone, Unit
from queries.views.timeline import Annotation, Mark
from tests.board_views import HOURS
from tests.conftest import NOW
from tests.sheets import NOTHING, QUALITY, SPEND, sheets
from tests.test_painters import ASCII, DARK, PLAIN, SIZES, painted
from tui.palette import Palette
from tui.widgets.sheet import paint_sheet
from tui.widgets.strips import spots_of


def lines_of(view: Sheet, width: int, height: int, styles: Palette = DARK) -> list[str]:
    return [line.rstrip() for line in painted(paint_sheet, view, width, height, styles)]


@given(view=sheets(), size=SIZES, styles=st.sampled_from([DARK, PLAIN, ASCII]))
def test_any_sheet_fits_any_size_and_brings_no_control_character(
    view: Sheet, size: tuple[int, int], styles: Palette
) -> None:
    text = "".join(painted(paint_sheet, view, *size, styles))
    assert not [char for char in text if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
    if styles.ascii:
        assert text.isascii()


def test_every_unit_is_spelled_as_people_read_it() -> None:
    text = "\n".join(lines_of(SPEND, 150, 20))
    assert re.search(r"review +\$6.50 +dearer +58 % +█+.? +1,204 +4.2s +1.2M ", text)
    assert re.search(r"summary +\$3.10 +cheaper +28 % .* 310 +340ms +98.0k ", text)
    assert re.search(r"review +claude-haiku-4-5 +0.6100 +−0.0400", "\n".join(lines_of(QUALITY, 80, 9)))


def test_what_nobody_sent_is_a_dash_and_never_zero() -> None:
    line = next(line for line in lines_of(SPEND, 150, 20) if line.startswith("classify"))
    assert line.split()[1:] == ["$1.60", "–", "–", "2m", "05s", "940", "–"]


def test_columns_give_way_by_their_rank_and_the_word_stays() -> None:
    seen = []
    for width in (150, 76, 50, 30, 24):
        lines = lines_of(SPEND, width, 10)
        heading = next(line for line in lines if line.startswith("task type"))
        seen.append({name for name in ("spent", "of all", "over time", "calls", "p95", "tokens") if name in heading})
        assert any("dearer" in line for line in lines[2:])
    assert [len(names) for names in seen] == sorted((len(names) for names in seen), reverse=True)
    assert seen[0] > seen[-1] == {"spent"}


def test_a_course_stands_over_its_axis_and_marks_name_what_happened() -> None:
    lines = lines_of(SPEND, 150, 12)
    axis = next(line for line in lines if "18:00" in line)
    marks = lines[lines.index(axis) - 1]
    assert "◆ routing: small models first" in marks
    start = axis.index("18:00")
    assert (marks.index("◆") - start) % 4 == 0 and lines[3][start] in "▁▂▃▄▅▆▇█"


def test_an_annotation_stands_beside_the_sheets_own_marks_and_leads_on() -> None:
    happened = Mark(HOURS[10], "new rubric", (Annotation(1, "new rubric", NOW, is_commit=False),))
    strips = paint_sheet(SPEND, 150, 12, DARK, (happened, SPEND.marks[0]))
    (line,) = [strip for strip in strips if "◆" in strip.text]
    assert line.text.count("◆") == 2 and "◆ routing: small mod" in line.text
    assert [spot.target for spot in spots_of(line)] == [happened]


def test_without_room_for_courses_their_axis_takes_no_line() -> None:
    lines = lines_of(SPEND, 36, 8)
    assert not any("18:00" in line or "◆" in line for line in lines)
    assert lines[-1].startswith("12 %") or lines[-1].endswith("task type.")


@pytest.mark.parametrize("height", range(3, 9))
def test_a_low_pane_shows_the_first_rows_and_counts_the_others(height: int) -> None:
    rows = tuple(Row((f"task {place}", place)) for place in range(20))
    view = Sheet("Twenty.", (Column("task"), Column("calls", Unit.COUNT)), rows, notes=("Of two projects.",))
    lines = lines_of(view, 60, height)
    shown = sum(line.startswith("task ") and line[5].isdigit() for line in lines)
    assert f"+{20 - shown} more" in lines if shown < height - 1 else True
    assert shown >= min(2, height - 2)
    assert height < 6 or "Of two projects." in lines


def test_a_sheet_without_rows_says_why_and_what_it_leaves_out() -> None:
    assert lines_of(NOTHING, 60, 5) == [NOTHING.verdict, "", *NOTHING.notes]


def test_a_note_that_is_cut_says_so() -> None:
    view = replace(SPEND, notes=("Of the calls that name no task type nobody knows who made them.",))
    assert lines_of(view, 40, 7)[-1] == "Of the calls that name no task type…"
    assert lines_of(view, 40, 14)[-2:] == ["Of the calls that name no task type", "nobody knows who made them."]


def test_one_number_of_a_row_leads_to_what_is_behind_it() -> None:
    strips = paint_sheet(SPEND, 100, 12, DARK)
    spots = [
        (strip.text[spot.start : spot.start + spot.width], spot.target)
        for s in [strips]
        for strip in s
        for spot in spots_of(strip)
    ]
    assert spots == [("$6.50", SPEND.rows[0].drill)]


def test_a_course_begins_at_zero_unless_it_stays_far_above() -> None:
    def course(*values: float | None) -> str:
        view = Sheet("One.", (Column("x"), Column("y", Unit.COURSE, 1)), (Row(("a", values)),), HOURS[: len(values)])
        line = next(line for line in lines_of(view, 60, 3) if line.startswith("a "))
        return "".join(line.split()[1:])

    assert set(course(1.0, 4.0)) == {"▃", "█"}
    assert set(course(0.95, 1.0)) == {"▁", "█"}
    assert set(course(0.0, 0.0)) == {"▁"}
    assert course(None, None) == "–"


def test_what_is_good_and_bad_is_a_word_without_colour() -> None:
    for styles in (PLAIN, ASCII):
        text = "\n".join(lines_of(SPEND, 100, 12, styles))
        assert "dearer" in text and "cheaper" in text
    row = replace(SPEND.rows[0], tone=Tone.PLAIN)
    view = replace(SPEND, rows=(row,))
    assert {s.style for strip in paint_sheet(view, 100, 9, DARK)[2:] for s in strip if "dearer" in s.text} == {
        DARK.text
    }
