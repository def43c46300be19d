"""Text from outside harms nothing: it is not obeyed, it breaks no line, and it stays readable."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
import unicodedata
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.pilot import Pilot
from wcwidth import wcwidth

from queries.cache import AnswerCache
from queries.local.store import Store
from queries.views.filters import Filters
from tests import hostile
from tests.desks import at_once, settled
from tests.terminals import ROOT, Terminal, desk_command
from themes.loader import load
from tui.asker import LocalAsker, Place
from tui.clipboard import copyable
from tui.desk import Desk
from tui.palette import palette
from tui.widgets.strips import clip, said, strip
from workspace import config
from workspace.text import plain, plain_lines

TYPED = "x\x1b]0;owned\x07\x1b[31m\u202e\x9b31m\udcff\udce9[bold]"  # bytes that are no UTF-8 as well
EVERY_SCREEN = (
    [],
    *((["plus"], ["tab"], ["tab"], ["escape", "tab"]) * 6),  # each board of Morning: picture, table and HogQL
    *(["down", "enter"], ["escape", "escape"]),  # the rounds behind a number
    *(["2"], ["G"], ["plus"], ["tab"]),  # Rounds, their last one, and what was deployed
    *(["escape", "f"], ["escape", "w"], ["escape", "slash", "m", "a", "r", "k"], ["escape", "question_mark"]),
    *(["escape", "6"], ["plus"], ["tab"], ["escape", "p"], ["escape", "]"]),  # boards beyond the six
)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which every event carries the corpus wherever an event can carry text."""
    folder = tmp_path_factory.mktemp("hostile") / "workspace"
    folder.mkdir(mode=0o700)
    store = Store.open(folder / "events.db")
    now = datetime.now(UTC)
    ingested = store.ingest(list(hostile.rounds(now)), now=now)
    store.close()
    assert not ingested.rejected and ingested.stored == 11 * len(hostile.CORPUS)
    return folder


# One text


@pytest.mark.parametrize("name", hostile.CORPUS)
def test_plain_text_is_harmless_and_readable(name: str):
    shown = plain(hostile.CORPUS[name])
    hostile.assert_as_wide(shown, cell_len(shown))
    assert shown.startswith(name)
    for line in plain_lines(hostile.CORPUS[name]):
        hostile.assert_harmless(line)


@given(st.text(st.characters(exclude_categories=()), max_size=30))
def test_no_text_gets_through(text: str):
    hostile.assert_harmless(plain(text))
    hostile.assert_harmless("\n".join(plain_lines(text)))
    hostile.assert_harmless(copyable(text))


@given(
    st.text(
        st.sampled_from("\x1b\x9b\x9d\x90[]?0;1mHPX^_\\\x07\x9c\u202e\u200d\u0301\u0316\ufe0f\u2028 漢👍\U0001f3fda")
    )
)
def test_no_sequence_is_put_together_by_taking_another_away(text: str):
    hostile.assert_harmless(plain(text))
    hostile.assert_harmless("\n".join(plain_lines(text)))


def test_every_character_is_counted_as_terminals_count_it():
    everything = "".join(
        char for char in map(chr, range(sys.maxunicode)) if unicodedata.category(char) not in ("Cs", "Cn")
    )
    kept = plain(" ".join(everything))
    assert len(kept) > 200_000
    assert [f"{ord(char):x}" for char in set(kept) if cell_len(char) != wcwidth(char)] == []


@pytest.mark.parametrize("width", [0, 1, 2, 7, 33, 80])
@pytest.mark.parametrize("is_ascii", [False, True])
def test_a_line_is_as_wide_as_it_should_be_wherever_it_is_cut(width: int, is_ascii: bool):
    style = palette(load("loopdesk-dark"), ascii=is_ascii)
    for text in (*hostile.CORPUS.values(), hostile.LARGE):
        clean = said(text, style)
        for runs in ([(clean, style.text)], [("12 ", style.dim), (clip(clean, max(0, width - 4), style), style.text)]):
            hostile.assert_as_wide(strip(runs, width).text, width)


def test_what_is_copied_can_be_pasted_into_a_shell():
    for text in hostile.CORPUS.values():
        hostile.assert_harmless(copyable(text))


# The desk


@pytest.mark.parametrize("is_ascii", [False, True])
@pytest.mark.parametrize("size", [(160, 48), (80, 24)])
async def test_every_line_of_every_screen_is_as_wide_as_the_terminal(
    workspace: Path, size: tuple[int, int], is_ascii: bool
):
    async with opened(workspace, size, is_ascii=is_ascii) as pilot:
        for keys in EVERY_SCREEN:
            await pilot.press(*keys)
            await settled(pilot)
            for line in pilot.app.screen._compositor.render_strips():
                hostile.assert_as_wide(line.text, size[0])
                assert not is_ascii or line.text.isascii()


async def test_every_name_can_be_filtered_by_and_read(workspace: Path):
    async with opened(workspace, (160, 48)) as pilot:
        desk = pilot.app
        for name, text in hostile.CORPUS.items():
            # As the store holds it: JSON text, whose escapes stay as they are.
            stored = json.dumps(text, ensure_ascii=False)[1:-1].encode("utf-8", "replace").decode()
            desk.look(Place(filters=Filters(stored, stored)))
            await settled(pilot)
            lines = [line.text for line in desk.screen._compositor.render_strips()]
            for line in lines:
                hostile.assert_as_wide(line, 160)
            assert any("1 round" in line for line in lines), name
            assert sum(name in line for line in lines) >= 3, name


@asynccontextmanager
async def opened(workspace: Path, size: tuple[int, int], *, is_ascii: bool = False) -> AsyncIterator[Pilot]:
    asker = LocalAsker(config.load({"workspace_dir": str(workspace)}), read_only=True)
    cache = AnswerCache(workspace / "desk.db", read_only=True)
    desk = Desk(asker, cache, ascii=is_ascii, watch=False, spawn=at_once, read_only=True)
    async with desk.run_test(size=size) as pilot:
        await settled(pilot)
        yield pilot


def test_a_terminal_is_sent_nothing_but_what_the_desk_means_to_send(workspace: Path):
    terminal = Terminal(desk_command(workspace, "--read-only"), (160, 48))
    terminal.read(until=b"as of")
    terminal.press(b"2", until=b"outcome")
    for _page in range(2):
        places = {column(line, mark) for line in terminal.picture() for mark in ("○ rev", "✓ kept", "outcome")}
        assert len(places - {-1}) == 1
        terminal.press(b"\x1b[6~")
    terminal.press(b"y")
    for keys in (b"+", b"\t", b"\t", b"\x1b", b"f", b"\x1b", b"1", b"+", b"\x1b", b"?"):
        terminal.press(keys)
    assert all(len(line) <= 160 for line in terminal.picture())
    terminal.press(b"\x1bq")
    terminal.close()
    hostile.assert_ours(terminal.stream)
    copies = re.findall(rb"\x1b\]52;c;([A-Za-z0-9+/=]*)\x07", terminal.stream)
    assert copies
    for copied in copies:
        hostile.assert_harmless(base64.b64decode(copied))


def test_a_filter_from_the_command_line_is_only_a_name(workspace: Path):
    terminal = Terminal(desk_command(workspace, "--project", TYPED, "--read-only"), (160, 48))
    terminal.read(until=b"quit")
    terminal.press(b"2", until=b"Rounds")
    terminal.press(b"q")
    assert terminal.ended() == 0
    hostile.assert_ours(terminal.stream)
    assert b"x[bold]" in terminal.stream


async def test_ten_megabytes_in_one_property_are_refused_or_kept_aside(tmp_path: Path):
    folder = tmp_path / "workspace"
    folder.mkdir(mode=0o700)
    now = datetime.now(UTC)
    store = Store.open(folder / "events.db")
    events = list(hostile.rounds(now, {"plain": "plain"}))
    grown = [
        {**event, "uuid": str(UUID(int=10**6 + number)), "properties": {**event["properties"], name: hostile.LARGE}}
        for number, (event, name) in enumerate([(events[4], "failure_mode"), (events[7], "$ai_input")])
    ]
    ingested = store.ingest([*events, *grown], now=now)
    # Prompts may be larger where they come by the lane that is made for them.
    kept = store.ingest(grown[1:], now=now, limit=10 * len(hostile.LARGE))
    store.close()
    assert (ingested.stored, len(ingested.rejected), kept.stored) == (len(events), 2, 1)
    hostile.assert_harmless(ingested.rejected[0])
    async with opened(folder, (160, 48)) as pilot:
        for keys in ([], ["2"], ["plus"]):
            await pilot.press(*keys)
            await settled(pilot)
            for line in pilot.app.screen._compositor.render_strips():
                hostile.assert_as_wide(line.text, 160)


# The command line


def loopdesk(*arguments: object, folder: Path = ROOT) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "tui.main", *map(os.fsencode, map(str, arguments))]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=60)


QUESTIONS = (
    "rounds",
    "escalations",
    "stop_reasons",
    "dimension_heatmap",
    "SELECT event, distinct_id, properties.project, properties FROM events LIMIT 1000",
)


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("form", ["table", "json"])
def test_answers_are_printed_harmlessly(workspace: Path, question: str, form: str):
    done = loopdesk("query", question, *(["--json"] if form == "json" else []), "--workspace", workspace)
    assert done.returncode == 0, done.stderr
    hostile.assert_harmless(done.stdout + done.stderr)
    assert b"markup-action [@click=app.quit]" in done.stdout
    if form == "json":
        # For a script they are exactly what is stored.
        assert "user\u202egnp.exe" in json.dumps(json.loads(done.stdout), ensure_ascii=False)


def test_a_table_on_a_terminal_keeps_its_columns(workspace: Path):
    question = "SELECT 'row' AS first, properties.project AS project, 'last' AS last FROM events LIMIT 1000"
    command = [sys.executable, "-m", "tui.main", "query", question, "--workspace", str(workspace)]
    terminal = Terminal(command, (120, 1_500), {"TERM": "dumb"})
    terminal.read(until=b"rows in")
    assert terminal.ended() == 0
    hostile.assert_ours(terminal.stream)
    places = {column(line, " last") for line in terminal.picture()}
    terminal.close()
    assert len(places - {-1}) == 1


def column(line: str, text: str) -> int:
    """The cell in which the text begins, -1 where it is not in the line."""
    before, found, _ = line.partition(text)
    return sum(max(0, wcwidth(char)) for char in before) if found else -1


@pytest.mark.parametrize("name", hostile.CORPUS)
def test_a_log_is_imported_harmlessly(tmp_path: Path, name: str, capsysbinary: pytest.CaptureFixture[bytes]):
    from tui.main import main

    text = hostile.CORPUS[name]
    cell = re.sub(r"[\t\r\n\v\f\x1c-\x1e\x85\u2028\u2029]", " ", text)
    log = tmp_path / (plain(text).replace("/", "-")[:40] + "\x1b[31m\u202e.tsv")
    head = f"commit\tval_loss\tmemory_gb\tstatus\tdescription\t{cell}\n"
    rows = f"abc1234\t1.5\t2.0\tkeep\t{cell}\tx\n{cell}\t1.4\t2.0\tkeep\tb\tx\nabc1236\t{cell}\t2.0\t{cell}\tb\tx\n"
    log.write_bytes((head + rows).encode("utf-8", "surrogatepass"))
    for options in ([], ["--json"]):
        main(["import", "--workspace", str(tmp_path / f"data{len(options)}"), str(log), *options])
        said = capsysbinary.readouterr()
        hostile.assert_harmless(said.out + said.err)


@pytest.mark.parametrize(
    "arguments",
    [
        ["query", "{}"],
        ["query", "SELECT '{}' FROM nowhere"],
        ["query", "rounds", "--project", "{}"],
        ["query", "rounds", "--json", "--client", "{}"],
        ["import", "{}"],
        ["--workspace", "/nowhere/{}", "query", "rounds"],
        ["--timezone", "{}", "query", "rounds"],
        ["--theme", "{}"],
        ["--project", "{}"],
        ["{}"],
    ],
    ids=lambda arguments: " ".join(arguments),
)
def test_what_is_typed_comes_back_harmless(workspace: Path, arguments: list[str]):
    words = [word.replace("{}", TYPED) for word in arguments]
    done = loopdesk(*words, *([] if "--workspace" in words else ["--workspace", workspace]))
    hostile.assert_harmless(done.stdout + done.stderr)
    assert b"Traceback" not in done.stderr
