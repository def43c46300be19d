"""The painters: exact widths at any size, whole numbers, nothing hostile on the screen, words before colours."""

from __future__ import annotations

import re
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.strip import Strip

from queries.views.cost import CostLine
from queries.views.escalations import Escalations
from queries.views.funnel import Stage
from queries.views.heatmap import Heatmap
from queries.views.stops import Stops
from queries.views.trend import Trend
from tests.board_views import (
    COST,
    ESCALATIONS,
    FUNNEL,
    HEADLINE,
    HEATMAP,
    HOURS,
    NO_ESCALATIONS,
    STOPS,
    TREND,
    costs,
    dimension,
    escalated,
    funnels,
    headlines,
    heatmaps,
    scored_line,
    stopped,
    trends,
)
from themes.loader import load
from tui.palette import Palette, palette
from tui.widgets.blocks import bar, slots
from tui.widgets.cost import paint_cost
from tui.widgets.escalations import paint_escalations
from tui.widgets.funnel import paint_funnel
from tui.widgets.headline import paint_headline
from tui.widgets.heatmap import paint_heatmap
from tui.widgets.stops import paint_stops
from tui.widgets.strips import wrap
from tui.widgets.trend import paint_trend

DARK = palette(load("loopdesk-dark"))
PLAIN = palette(load("loopdesk-dark"), no_color=True)
ASCII = palette(load("loopdesk-16"), ascii=True)

Paint = Callable[..., list[Strip]]
BOARDS: dict[str, tuple[Paint, object]] = {
    "headline": (paint_headline, HEADLINE),
    "funnel": (paint_funnel, FUNNEL),
    "trend": (paint_trend, TREND),
    "heatmap": (paint_heatmap, HEATMAP),
    "cost": (paint_cost, COST),
    "escalations": (paint_escalations, ESCALATIONS),
    "stops": (paint_stops, STOPS),
}
every_board = pytest.mark.parametrize("board", BOARDS)


def painted(paint: Paint, view: object, width: int, height: int, styles: Palette = DARK) -> list[str]:
    """The painter's lines, checked for what every painter promises."""
    strips = paint(view, width, height, styles)
    assert len(strips) <= height
    for strip in strips:
        assert strip.cell_length == width
        assert Strip(list(strip)).cell_length == width
        styled = [segment.style for segment in strip]
        assert all(one != other for one, other in pairwise(styled)), "unmerged segments"
    return [strip.text for strip in strips]


def lines_of(board: str, width: int, height: int, styles: Palette = DARK) -> list[str]:
    paint, view = BOARDS[board]
    return painted(paint, view, width, height, styles)


# What any painter promises, at any size and with anything in the view


ANYTHING = st.one_of(
    st.tuples(st.just(paint_funnel), funnels()),
    st.tuples(st.just(paint_trend), trends()),
    st.tuples(st.just(paint_heatmap), heatmaps()),
    st.tuples(st.just(paint_cost), costs()),
    st.tuples(st.just(paint_escalations), escalated()),
    st.tuples(st.just(paint_stops), stopped()),
    st.tuples(st.just(paint_headline), headlines()),
)
SIZES = st.one_of(
    st.sampled_from([(1, 1), (3, 2), (2, 9), (200, 50), (38, 5), (52, 8), (0, 3), (10, 0)]),
    st.tuples(st.integers(1, 120), st.integers(1, 20)),
)


@given(board=ANYTHING, size=SIZES, styles=st.sampled_from([DARK, PLAIN, ASCII]))
def test_any_view_fits_any_size_and_brings_no_control_character(
    board: tuple[Paint, object], size: tuple[int, int], styles: Palette
) -> None:
    text = "".join(painted(*board, *size, styles))
    assert not [char for char in text if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
    if styles.ascii:
        assert text.isascii()


@every_board
def test_every_size_is_met_exactly(board: str) -> None:
    for width in range(1, 131):
        for height in (1, 2, 3, 4, 5, 6, 8, 12, 16, 50):
            lines_of(board, width, height)


_TIMES = re.compile(r"\b\d\d:\d\d\b")
_SIZED = re.compile(r"\$?[.\d][\d.,]*")


def _numbers(lines: list[str]) -> set[str]:
    text = _TIMES.sub(" ", "\n".join(lines))
    text = re.sub(r"\+[\d,]+ m|\^\w*|\b\d of \d\b", " ", text)
    return {found.strip(".,") for found in _SIZED.findall(text)}


@every_board
@pytest.mark.parametrize("styles", [DARK, ASCII], ids=["unicode", "ascii"])
def test_a_number_is_shown_whole_or_not_at_all(board: str, styles: Palette) -> None:
    paint, view = BOARDS[board]
    # Names without digits, so that every digit on the screen is a number's.
    if isinstance(view, Escalations):
        view = replace(view, verdict="9 escalations, 3 before.")
        view = replace(view, targets=tuple(replace(one, to_model="opus") for one in view.targets))
    whole = _numbers(painted(paint, view, 400, 40, styles) + painted(paint, view, 400, 4, styles))
    for width in range(1, 131):
        for height in (1, 2, 3, 4, 5, 6, 7, 9, 12, 16):
            shown = _numbers(painted(paint, view, width, height, styles))
            if isinstance(view, Heatmap):
                shown = {number for number in shown if "." in number}  # the digits of its cells are no numbers
            assert shown <= whole, (width, height)


@every_board
def test_colour_adds_nothing_that_the_text_does_not_say(board: str) -> None:
    for width in (38, 52, 78, 100):
        for height in (3, 5, 9, 14):
            assert lines_of(board, width, height, DARK) == lines_of(board, width, height, PLAIN)


@every_board
def test_ascii_stays_ascii(board: str) -> None:
    for width in (38, 78):
        assert "".join(lines_of(board, width, 12, ASCII)).isascii()


@every_board
def test_the_sentence_comes_first_and_takes_at_most_two_lines(board: str) -> None:
    _, view = BOARDS[board]
    for width in (38, 52, 78, 100):
        lines = lines_of(board, width, 12)
        first = " ".join(line.strip() for line in lines[:2])
        assert view.verdict.startswith(lines[0].strip().rstrip("…"))
        assert first.startswith(view.verdict[: width - 12])


@every_board
def test_the_sentence_is_strong(board: str) -> None:
    paint, view = BOARDS[board]
    assert all(segment.style.bold for segment in paint(view, 52, 8, DARK)[0] if segment.text.strip())


def test_painters_load_nothing_heavy() -> None:
    boards = ", ".join(f"tui.widgets.{board}" for board in BOARDS)
    heavy = "plotext textual_plotext numpy pydantic click httpx requests posthog hogql_parser starlette sqlite_utils"
    code = f"import sys, {boards}; print(*(set({heavy.split()}) & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split() == []


# The funnel


def test_the_funnel_draws_a_row_a_stage_and_names_the_worst_drop() -> None:
    lines = lines_of("funnel", 78, 10)
    applied = next(line for line in lines if line.startswith("applied"))
    assert re.search(r"█+.?░+ +171 +86 % +worst drop +▼ 10 +181", applied)
    assert sum("worst drop" in line for line in lines) == 1
    assert re.search(r"kept .* 29 +18 % +▲ 5 +24", lines[-1])


def test_a_funnel_without_room_for_rows_is_a_chain_that_still_names_the_worst_drop() -> None:
    lines = lines_of("funnel", 38, 5)
    assert lines[2].rstrip() == "started 203 → proposed 198 →"
    assert "applied 171 worst drop" in lines[3]
    assert lines[4].strip() == "kept 29"


@pytest.mark.parametrize("height", [5, 9])
def test_a_stage_that_nobody_sends_is_not_zero(height: int) -> None:
    stages = (FUNNEL.stages[0], Stage("proposed", None, None), *FUNNEL.stages[2:])
    text = "\n".join(painted(paint_funnel, replace(FUNNEL, stages=stages), 60, height))
    assert re.search(r"proposed +not sent", text)


def test_a_bar_shows_whatever_is_more_than_nothing() -> None:
    assert bar(0.0, 10, DARK) == ""
    assert bar(1e-6, 10, DARK) == "▏"
    assert bar(0.5, 9, DARK) == "████▌"
    assert bar(1.0, 10, DARK) == "█" * 10
    assert bar(1e-6, 10, ASCII) == "#"


# The trend


def test_a_falling_loss_is_an_improvement() -> None:
    line = scored_line("loss", "min", [1.2, 1.1], 1.3)
    (text,) = [line for line in painted(paint_trend, Trend(HOURS, (line,), (), "Fine."), 80, 8) if "loss" in line]
    assert re.search(r"min +1.100 +▲ 0.200 better", text)


def test_hours_without_rounds_are_gaps() -> None:
    first = next(line for line in lines_of("trend", 78, 5) if "max  0.812" in line)
    assert "▄▄    ▅▅" in first


def test_deploys_stand_under_their_hour() -> None:
    lines = lines_of("trend", 78, 10)
    chart = next(line for line in lines if "max  0.812" in line)
    marks = lines[lines.index(chart) + 1]
    start = chart.index("▁")
    assert marks.index("^4f2c1d9") == start + 2 * 2
    assert marks.index("^91ab77c") == start + 8 * 2


def test_a_narrow_trend_puts_the_line_under_its_numbers() -> None:
    lines = lines_of("trend", 38, 8)
    assert lines[2].startswith("autoagent")
    assert lines[3].startswith("▁")


def test_a_flat_line_is_neither_best_nor_worst() -> None:
    line = scored_line("flat", "max", [0.5, 0.5, 0.5], None)
    text = "".join(painted(paint_trend, Trend(HOURS, (line,), (), "Flat."), 80, 4))
    assert "▁" not in text
    assert "█" not in text


def test_more_projects_than_lines_are_counted() -> None:
    lines = tuple(scored_line(f"loop-{letter}", "max", [0.5], None) for letter in "abcdefgh")
    text = painted(paint_trend, Trend(HOURS, lines, (), "Eight."), 60, 4)
    assert text[-1].strip() == "+6 more"


# The heatmap


def test_a_wide_heatmap_prints_values_on_their_heat() -> None:
    strips = paint_heatmap(HEATMAP, 100, 12, DARK)
    row = next(strip for strip in strips if strip.text.startswith("tool_economy"))
    assert " .30 .30 .29" in row.text
    heated = [segment for segment in row if segment.style.bgcolor]
    assert {segment.style for segment in heated} == {DARK.heat[0]}
    accuracy = next(strip for strip in strips if strip.text.startswith("accuracy"))
    assert DARK.heat[-1] in {segment.style for segment in accuracy}


def test_a_narrow_heatmap_prints_a_digit_where_a_value_has_no_room() -> None:
    lines = lines_of("heatmap", 44, 10)
    assert any("·33222·22222··" in line for line in lines)
    assert any("·88888·99999··" in line for line in lines)


def test_the_heatmap_says_how_many_dimensions_it_leaves_out() -> None:
    lines = lines_of("heatmap", 100, 5)
    assert lines[-1].startswith("+4 more")


def test_dimensions_of_one_name_keep_their_owners() -> None:
    rows = tuple(dimension("clarity", f"gtm/{client}", 0.5, None) for client in ("acme", "globex"))
    text = "\n".join(painted(paint_heatmap, Heatmap(HOURS, rows, 0.4, 0.7, "Two."), 52, 8))
    assert "acme" in text
    assert "globex" in text


def test_a_scale_beyond_one_is_explained() -> None:
    row = dimension("reply_rate", "", 40.0, None, 3.0)
    text = "\n".join(painted(paint_heatmap, Heatmap(HOURS, (row,), 40.0, 76.0, "One."), 44, 8))
    assert "digits: 0 is 40.00, 9 is 76.00" in text


# Cost, escalations, stops, headline


@pytest.mark.parametrize("size", [(38, 4), (38, 9), (52, 8), (100, 14)])
def test_cost_names_its_source_last(size: tuple[int, int]) -> None:
    assert "from round_kept and" in lines_of("cost", *size)[-1]


def test_cost_says_dearer_and_cheaper_in_words() -> None:
    text = "\n".join(lines_of("cost", 78, 9))
    assert re.search(r"autoagent +\$0.43 +17 % cheaper +\$0.51 +\$3.84 +9", text)
    assert re.search(r"autoresearch +\$0.051 +2.4× dearer", text)


def test_a_project_that_sends_no_cost_has_a_dash() -> None:
    line = CostLine("quiet", None, 3, None, None, ())
    text = "\n".join(painted(paint_cost, replace(COST, lines=(line,)), 78, 9))
    assert re.search(r"quiet +– ", text)
    assert "$0.00" not in text


def test_escalations_show_when_and_why() -> None:
    text = "\n".join(lines_of("escalations", 100, 8))
    assert re.search(r"claude-opus-4-6 +7 +3 +··▃···▅█▃····· +plateau 5, json_fail 2", text)


def test_narrow_escalations_say_why_on_a_line_of_their_own() -> None:
    lines = [line.strip() for line in lines_of("escalations", 38, 9)]
    assert "plateau 5, json_fail 2" in lines


def test_a_night_without_escalations_is_told_kindly() -> None:
    lines = painted(paint_escalations, NO_ESCALATIONS, 52, 6)
    assert lines[0].startswith("No escalations; 4 the night before.")
    assert "✓ No loop asked for a bigger model." in lines[2]


def test_what_broke_is_marked_among_the_reasons() -> None:
    lines = lines_of("stops", 78, 9)
    assert any(re.match(r"✗ crash: CUDA out of memory +1", line) for line in lines)
    assert any(line.startswith("✓ budget_reached") for line in lines)


def test_runs_that_never_said_why_they_stopped_are_named() -> None:
    for size in ((52, 6), (78, 9)):
        assert lines_of("stops", *size)[-1].startswith("○ no reason given: gtm-autoresearch/globex")
    alone = Stops((), ("autoagent", "autoresearch"), (), "They never said why they stopped.")
    assert painted(paint_stops, alone, 60, 4)[-1].startswith("○ no reason given: autoagent, autoresearch")


def test_headline_columns_line_up_across_projects() -> None:
    heading, *rows = lines_of("headline", 100, 6)[1:5]
    assert heading.split() == [
        "rounds",
        "kept",
        "best",
        "change",
        "spent",
        "per",
        "kept",
        "escalations",
        "stopped",
        "on",
    ]
    best = heading.index("best") + len("best")
    assert [row[:best].split()[-1] for row in rows] == ["0.812", "0.974", "61.25"]
    assert "▲ 0.012 better" in rows[0]
    assert "▼ 0.003 worse" in rows[1]


def test_a_narrow_headline_gives_up_columns_and_keeps_the_best_score() -> None:
    seen: list[set[str]] = []
    for width in (100, 78, 60, 38, 24):
        heading = next(line for line in lines_of("headline", width, 8) if "best" in line and "kept" in line)
        seen.append(set(heading.replace("per kept", "per_kept").replace("stopped on", "stopped_on").split()))
    assert all(narrow <= wide for wide, narrow in pairwise(seen))
    assert seen[-1] == {"kept", "best"}


def test_a_headline_without_room_for_headings_says_the_units() -> None:
    assert re.search(r"autoagent +64 rounds +9 kept +0.812", lines_of("headline", 78, 5)[2])


def test_missing_properties_are_a_note() -> None:
    assert lines_of("headline", 78, 8)[-1].startswith("autoresearch: git_sha missing on 12 %")


# Words


def test_a_number_never_ends_a_shortened_sentence() -> None:
    assert wrap("autoagent 0.812, autoresearch 0.974 and more words", 36, 1, DARK) == ["autoagent 0.812, autoresearch…"]


def test_a_share_keeps_its_sign() -> None:
    assert wrap("lost 12 % of them", 7, 2, DARK)[0] == "lost"


def test_wide_characters_are_counted_in_cells() -> None:
    assert wrap("実験 ループ", 5, 2, DARK) == ["実験", "ルー…"]


def test_buckets_share_a_width_evenly_or_in_groups() -> None:
    assert (slots(14, 30).wide, slots(14, 30).group) == (2, 1)
    assert (slots(31, 10).wide, slots(31, 10).group, slots(31, 10).width) == (1, 4, 8)
