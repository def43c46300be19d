"""Every number leads to the rounds behind it: they are as many as it says, and Esc comes back to it."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queries import boards
from queries.behind import Behind, behind
from queries.local.backend import LocalBackend
from queries.local.store import Store
from queries.views import drill, window
from queries.views.answers import records
from queries.views.cost import CostPerKept
from queries.views.drill import Drill
from queries.views.filters import Filters
from queries.views.heatmap import Heatmap
from queries.views.rounds import Round
from queries.views.stops import Stops
from queries.views.trend import Trend
from tests.catalog_oracle import MORNING, weekend
from tests.desks import FakeAsker, answer, desk, screen_text, settled
from tests.hogql_corpus import ZONE
from tests.test_desk import opened, press, status
from themes.loader import load
from tui import sheets
from tui.palette import palette
from tui.screens.behind import BehindScreen
from tui.screens.full import FullScreen
from tui.screens.morning import MorningScreen
from tui.widgets import spots
from tui.widgets.pane import BoardPane
from tui.widgets.pictures import PAINTERS
from tui.widgets.strips import spots_of

NIGHT = window.night(MORNING, ZONE)
DARK = palette(load("loopdesk-dark"))


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalBackend]:
    path: Path = tmp_path_factory.mktemp("drill") / "events.db"
    store = Store.open(path)
    store.ingest(weekend(), now=MORNING)
    store.close()
    backend = LocalBackend(path, ZONE, now=lambda: MORNING)
    yield backend
    backend.close()


def view_of(board: str, backend: LocalBackend, filters: Filters | None = None) -> object:
    return boards.ask(board, backend, NIGHT, filters or Filters()).view


def rows_behind(found: Drill, backend: LocalBackend, filters: Filters | None = None) -> tuple[Round, ...]:
    return cast(Behind, behind(found, backend, NIGHT, filters or Filters()).view).rounds.rows


def spots_on(board: str, view: object, width: int = 160, height: int = 40) -> list[tuple[str, Drill]]:
    lines = PAINTERS[board](view, width, height, DARK)
    return [
        (line.crop(spot.start, spot.start + spot.width).text.strip(), cast(Drill, spot.target))
        for line in lines
        for spot in spots_of(line)
    ]


def test_rounds_that_are_named_are_found_whatever_night_they_were_in(backend: LocalBackend):
    shown = rows_behind(drill.all_rounds(), backend)
    ids = [row.round_id for row in shown[:3]]
    found = behind(drill.named("“it got worse”", ids), backend, window.around(MORNING, MORNING), Filters())
    view = cast(Behind, found.view)
    assert {row.round_id for row in view.rounds.rows} == set(ids)
    title = drill.title(drill.named("“it got worse”", ids), len(ids), view.is_cut)
    assert title == "3 rounds behind “it got worse”."


@pytest.mark.parametrize("board", ["funnel", "headline", "escalations", "cost"])
@pytest.mark.parametrize("filters", [Filters(), Filters("gtm-autoresearch", "moss-cosmetics")])
def test_a_count_is_how_many_rounds_lie_behind_it(board: str, filters: Filters, backend: LocalBackend):
    counted = [pair for pair in spots_on(board, view_of(board, backend, filters)) if re.fullmatch(r"[\d,]+", pair[0])]
    assert counted
    for text, found in counted:
        ids = {row.round_id for row in rows_behind(found, backend, filters)}
        assert len(ids) == int(text.replace(",", "")), found.says


def test_what_a_stage_lost_lies_between_the_counts_around_it(backend: LocalBackend):
    shares = [found for text, found in spots_on("funnel", view_of("funnel", backend)) if text.endswith("%")]
    lost = {found.says: len(rows_behind(found, backend)) for found in shares}
    stages = view_of("funnel", backend).stages  # type: ignore[attr-defined]
    for before, after in pairwise(stages):
        assert lost[f"rounds {before.name} and not {after.name}"] == before.rounds - after.rounds


def test_a_cell_of_the_heatmap_is_the_average_of_the_rounds_behind_it(backend: LocalBackend):
    view = cast(Heatmap, view_of("heatmap", backend))
    for row in view.rows[:6]:
        for name, value in zip(view.buckets, row.cells, strict=True):
            if value is not None:
                values = [one.value for one in rows_behind(drill.of_dimension(row, [name]), backend)]
                assert sum(cast(list[float], values)) / len(values) == pytest.approx(value)


def test_a_point_of_the_trend_is_the_best_of_the_rounds_behind_it(backend: LocalBackend):
    for line in cast(Trend, view_of("trend", backend)).lines:
        for point in line.points:
            scores = [row.score for row in rows_behind(drill.of_line(line, [point.bucket]), backend)]
            known = [score for score in scores if score is not None]
            assert (min if line.goal == "min" else max)(known) == point.best
            assert len(known) == point.rounds


def test_a_deploy_mark_leads_to_the_rounds_of_its_sha(backend: LocalBackend):
    marks = cast(Trend, view_of("trend", backend)).marks
    for mark in marks:
        rows = rows_behind(drill.of_mark(mark), backend)
        assert rows and {(row.project, row.git_sha) for row in rows} == {(mark.project, mark.git_sha)}


def test_a_stop_reason_leads_to_the_rounds_of_its_runs(backend: LocalBackend):
    view = cast(Stops, view_of("stops", backend))
    for stop in view.reasons:
        rows = rows_behind(drill.of_stop(stop), backend)
        assert len({row.run_id for row in rows}) == stop.count
    for name, run_id in zip(view.unfinished, view.unfinished_ids, strict=True):
        assert {row.run_id for row in rows_behind(drill.of_run(name, run_id), backend)} == {run_id}


def test_money_spent_is_what_the_rounds_behind_it_cost(backend: LocalBackend):
    view = cast(CostPerKept, view_of("cost", backend))
    for line in view.lines:
        rows = rows_behind(drill.decided_rounds(line.project), backend)
        assert sum(row.cost_usd or 0.0 for row in rows) == pytest.approx(line.spent_usd)
        for name, _, spent in line.points:
            rows = rows_behind(drill.decided_rounds(line.project, [name]), backend)
            assert sum(row.cost_usd or 0.0 for row in rows) == pytest.approx(spent)


def test_before_looks_at_the_time_that_is_compared_with(backend: LocalBackend):
    stage = view_of("funnel", backend).stages[0]  # type: ignore[attr-defined]
    rows = rows_behind(drill.reached(stage).before(), backend)
    assert len(rows) == stage.before
    assert all(row.started < NIGHT.span.since for row in rows)


@pytest.mark.parametrize("board", ["headline", "funnel", "trend", "heatmap", "cost", "escalations", "stops"])
def test_a_row_of_a_full_screens_table_leads_to_rounds(board: str, backend: LocalBackend):
    for row in records(boards.ask(board, backend, NIGHT, Filters()).results[0])[:40]:
        found = drill.of_row(board, row)
        assert found is not None and rows_behind(found, backend), row


@pytest.mark.parametrize("board", list(PAINTERS))
@given(size=st.tuples(st.integers(20, 200), st.integers(2, 40)))
def test_a_spot_lies_on_its_text(board: str, size: tuple[int, int]):
    width, height = size
    for line in PAINTERS[board](answer(board).view, width, height, DARK):
        ends = [0]
        for spot in spots_of(line):
            assert spot.start >= ends[-1] and spot.width > 0
            ends.append(spot.start + spot.width)
        assert ends[-1] <= width
        assert all(line.crop(spot.start, spot.start + spot.width).text.strip() for spot in spots_of(line))


def test_words_of_a_title():
    found = Drill("rounds applied and not scored")
    assert drill.title(found, 0, False) == "No round applied and not scored."
    assert drill.title(found, 1, False) == "1 round applied and not scored."
    assert drill.title(found, 1000, True) == "The newest 1,000 rounds applied and not scored."
    four = Drill("rounds handed to opus", count=4)
    assert "the others of the 4 name no round" in drill.title(four, 3, False)


# The cursor


def at(y: int, start: int, width: int = 3) -> spots.Placed:
    return spots.Placed(y, start, width, (y, start))


def test_the_cursor_goes_to_the_nearest_number_in_a_direction():
    placed = [at(2, 10), at(2, 20), at(4, 12), at(4, 40)]
    assert spots.towards(placed, None, 0, 1) == at(2, 10)
    assert spots.towards(placed, None, 1, 0) is None and spots.towards(placed, None, 0, -1) is None
    assert spots.towards(placed, at(2, 10), 1, 0) == at(2, 20)
    assert spots.towards(placed, at(2, 20), 0, 1) == at(4, 12)
    assert spots.towards(placed, at(4, 40), 0, -1) == at(2, 20)
    assert spots.towards(placed, at(4, 40), 1, 0) is None


async def test_arrows_go_through_the_numbers_and_enter_opens_their_rounds_and_esc_comes_back(backend: LocalBackend):
    asker = FakeAsker()
    asker.backend = backend
    app = desk(asker)
    async with opened(app) as pilot:
        await press(pilot, "j", "j")
        assert "enter shows them" in status(app)
        pane = cast(BoardPane, app.screen.focused)
        spot = pane.spot
        await press(pilot, "enter")
        await settled(pilot)
        assert isinstance(app.screen, BehindScreen)
        await press(pilot, "escape")
        assert isinstance(app.screen, MorningScreen)
        assert app.screen.focused is pane and pane.spot == spot
        await press(pilot, "escape")
        assert pane.spot is None


async def test_past_its_numbers_the_cursor_goes_to_the_next_pane():
    app = desk()
    async with opened(app) as pilot:
        await press(pilot, *["j"] * 6)
        assert cast(BoardPane, app.screen.focused).board == "cost"
        await press(pilot, "k")
        assert cast(BoardPane, app.screen.focused).board == "funnel"
        await press(pilot, "k")
        assert cast(BoardPane, app.screen.focused).board == "headline"


async def test_a_store_that_cannot_answer_is_said_on_the_list():
    app = desk()
    async with opened(app) as pilot:
        await press(pilot, "j", "enter")
        assert isinstance(app.screen, BehindScreen)
        assert "This desk has no store" in screen_text(app)


async def test_a_row_of_a_full_screen_opens_and_the_picture_has_a_cursor_too(backend: LocalBackend):
    asker = FakeAsker()
    asker.backend = backend
    app = desk(asker)
    async with opened(app) as pilot:
        await press(pilot, "+", "j", "enter")
        assert isinstance(app.screen, BehindScreen)
        await press(pilot, "escape", "tab", "enter")
        assert isinstance(app.screen, BehindScreen)
        await press(pilot, "escape")
        assert isinstance(app.screen, FullScreen)


async def test_a_full_screen_is_exported_as_it_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    app = desk()
    async with opened(app) as pilot:
        await press(pilot, "+", "/", *"auto", "enter", "e", "enter")
        await settled(pilot)
        assert "Written:" in status(app)
        rows = list(csv.DictReader((tmp_path / "loopdesk-funnel.csv").open(encoding="utf-8", newline="")))
        assert [row["project"] for row in rows] == ["autoagent", "autoresearch", "gtm-autoresearch"]
        await press(pilot, "e", "down", "enter")
        await settled(pilot)
        assert json.loads((tmp_path / "loopdesk-funnel.json").read_text())[0]["best"] == 0.812
        await press(pilot, "e", "down", "down", "enter")
        await settled(pilot)
        assert "SELECT" in (tmp_path / "loopdesk-funnel.sql").read_text()


def test_nothing_of_an_event_leaves_in_an_export_as_it_came():
    shown = sheets.sheet(
        "../../etc/\x1b[31m", ("a\x1b]0;title\x07",), [("\x1b[2Jred\u202e",), (["x\x00y"],)], "SELECT 1"
    )
    assert sheets.text(shown, "csv") == 'a\r\nred\r\n"[""xy""]"\r\n'
    assert "\x1b" not in sheets.text(shown, "json")


def test_an_export_never_writes_over_a_file(tmp_path: Path):
    shown = sheets.sheet("funnel", ("a",), [(1,)], "SELECT 1")
    assert sheets.write(tmp_path, shown, "csv").name == "loopdesk-funnel.csv"
    second = sheets.write(tmp_path, shown, "csv")
    assert second.name == "loopdesk-funnel-2.csv" and second.stat().st_mode & 0o777 == 0o600
