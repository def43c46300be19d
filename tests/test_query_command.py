"""`loopdesk query`: texts from everywhere, typed parameters, tables that fit, exact CSV, and where a text is wrong."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.cells import cell_len

from queries import tables
from queries.backend import QueryResult
from queries.catalog import catalog
from queries.local.store import Store
from tests.conftest import NOW
from tests.events import event
from tests.test_commands import loopdesk, refused
from tui.commands import query as query_command
from tui.commands import query_table
from tui.commands.query_error import marked
from tui.commands.query_params import Parameter, find_text, read_parameters
from workspace.errors import LoopdeskError

# The command asks about the last days, so the events are of now.
RECENT = datetime.now(UTC) - timedelta(hours=2)
YESTERDAY, TOMORROW = f"{RECENT - timedelta(days=1):%Y-%m-%d}", f"{RECENT + timedelta(days=1):%Y-%m-%d}"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("asked") / "workspace"
    folder.mkdir(mode=0o700)
    store = Store.open(folder / "events.db")
    names = ['=cmd|"x"!A1', "a,b", 'say "hi"', "line\nbreak", "ß 🎉", ""]
    wire = [event("odd", at=RECENT, key=place, label=name, n=place) for place, name in enumerate(names)]
    wire += [event("round_started", at=RECENT, key=place, round_id=f"r{place}") for place in range(3)]
    assert not store.ingest(wire).rejected
    store.close()
    return folder


# Where the text comes from


def test_a_text_comes_from_a_file_or_from_standard_input(workspace: Path, tmp_path: Path) -> None:
    file = tmp_path / "count.sql"
    file.write_text("SELECT count() AS n\nFROM events\n", encoding="utf-8")
    for arguments, given in ((["@" + str(file)], None), ([file], None), (["-"], "SELECT count() AS n FROM events")):
        done = loopdesk("--workspace", workspace, "query", *arguments, "--json", input=given)
        assert json.loads(done.stdout)["results"] == [[9]], done.stderr


@pytest.mark.parametrize(
    ("word", "content", "said"),
    [
        ("@nowhere.sql", None, "Cannot read nowhere.sql"),
        ("{file}", b"", "is empty"),
        ("{file}", b"\xff\xfe", "not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_is_a_sentence(word: str, content: bytes | None, said: str, tmp_path: Path) -> None:
    file = tmp_path / "text.sql"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(LoopdeskError, match=said):
        find_text(word.replace("{file}", f"@{file}"))


def test_a_word_is_a_question_and_never_hogql() -> None:
    found = find_text("round_funnel")
    assert found.question is catalog.load("round_funnel")
    with pytest.raises(LoopdeskError, match="no question named round_funel"):
        find_text("round_funel")
    assert find_text("SELECT 1").question is None


# Parameters


@pytest.mark.parametrize(
    ("word", "value", "type"),
    [
        ("n=5", 5, "Int64"),
        ("n=-5", -5, "Int64"),
        ("n=0.5", 0.5, "Float64"),
        ("n=1e3", 1000.0, "Float64"),
        ("n=true", True, "Bool"),
        ("n=x=y", "x=y", "String"),
        ("n=", "", "String"),
        ('n=["a","b"]', ["a", "b"], "Array(String)"),
        ("n:String=5", "5", "String"),
        ("n:float64=5", 5.0, "Float64"),
        ("n:Array(String)=a,b", ["a", "b"], "Array(String)"),
        ("n:Bool=yes", True, "Bool"),
        ("n=2026-03-29T00:30:00Z", datetime(2026, 3, 29, 0, 30, tzinfo=UTC), "DateTime"),
        ("n=2026-03-29 12:00", datetime(2026, 3, 29, 10, 0, tzinfo=UTC), "DateTime"),
        ("n:DateTime=2026-01-01", datetime(2025, 12, 31, 23, 0, tzinfo=UTC), "DateTime"),
        ("n=20260329", 20260329, "Int64"),
    ],
)
def test_a_parameter_is_of_the_type_that_is_named_or_looked_like(word: str, value: object, type: str) -> None:
    assert read_parameters([word], None, "Europe/Berlin") == [Parameter("n", value, type)]


def test_a_questions_parameter_has_the_questions_type() -> None:
    (found,) = read_parameters(["project=5"], catalog.load("round_funnel"), "UTC")
    assert (found.value, found.type) == ("5", "String")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing"], "is not name=value"),
        (["1x=5"], "is not name=value"),
        (["a=1", "a=2"], "given twice"),
        (["a:Int64=x"], "a=x is not of type Int64"),
        (["a:Nope=1"], "There is no type Nope"),
        (["a:Bool=maybe"], "is not of type Bool"),
        (["a:Array(String)=[[1]]"], "is not of type Array"),
        (["a:DateTime=soon"], "is not of type DateTime"),
    ],
)
def test_a_parameter_that_is_none_is_a_sentence(words: list[str], said: str) -> None:
    with pytest.raises(LoopdeskError, match=said):
        read_parameters(words, None, "UTC")
    with pytest.raises(LoopdeskError, match="has no parameter nope"):
        read_parameters(["nope=1"], catalog.load("round_funnel"), "UTC")


def test_parameters_reach_the_query(workspace: Path) -> None:
    arguments = ["SELECT {a} AS a, {b} AS b, {c} AS c, {d} AS d", "--param", "a=5", "--param", "b:String=5", "--param",
                 "c=it's", "--param", "d=2026-03-29T00:00:00Z", "--json"]  # fmt: skip
    done = loopdesk("--workspace", workspace, "--timezone", "Europe/Berlin", "query", *arguments)
    assert json.loads(done.stdout)["results"] == [[5, "5", "it's", "2026-03-29T01:00:00+01:00"]], done.stderr


# What it shows


def test_csv_is_exact(workspace: Path) -> None:
    text = (
        "SELECT properties.label AS name, properties.nothing AS x, [1, 2] AS l, n = 1 AS b, toInt(properties.n) AS n "
    )
    done = loopdesk("--workspace", workspace, "query", text + "FROM events WHERE event = 'odd' ORDER BY n", "--csv")
    rows = list(csv.reader(io.StringIO(done.stdout, newline="")))
    assert rows[0] == ["name", "x", "l", "b", "n"]
    # Properties are shown with the escapes of their JSON, as PostHog does; NULL is an empty field.
    names = ['=cmd|\\"x\\"!A1', "a,b", 'say \\"hi\\"', "line\\nbreak", "ß 🎉", ""]
    assert [row[0] for row in rows[1:]] == names
    assert {tuple(row[1:3]) for row in rows[1:]} == {("", "[1, 2]")}


def test_csv_ends_lines_as_rfc_4180_says() -> None:
    assert tables.csv_text(("a", "b"), [("x\ny", 'q"'), (None, True)]) == 'a,b\r\n"x\ny","q"""\r\n,true\r\n'


def test_what_was_asked_can_be_shown(workspace: Path) -> None:
    done = loopdesk("--workspace", workspace, "query", "projects", "--hogql", "--json")
    assert "SELECT" in done.stderr and json.loads(done.stdout)["query"] == catalog.load("projects").text
    done = loopdesk("--workspace", workspace, "query", "SELECT count() FROM events", "--explain")
    assert done.stdout.startswith("SELECT") and "events AS t1" in done.stdout


def test_a_table_says_how_long_it_took_and_what_is_left_out(workspace: Path) -> None:
    done = loopdesk("--workspace", workspace, "query", "SELECT arrayJoin(range(200)) AS n")
    assert len(done.stdout.splitlines()) == 102
    assert "100 rows in" in done.stderr and "write a LIMIT" in done.stderr


@pytest.mark.parametrize("arguments", [("--since", YESTERDAY), ("--since", YESTERDAY, "--until", TOMORROW)])
def test_a_question_takes_a_span(arguments: tuple[str, ...], workspace: Path) -> None:
    done = loopdesk("--workspace", workspace, "query", "projects", *arguments, "--json")
    assert json.loads(done.stdout)["results"], done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("projects", "--until", "2026-11-21"), "--until needs --since"),
        (("projects", "--since", "2026-11-21", "--until", "2026-11-20"), "--since is not before --until"),
        (("projects", "--since", "soon"), "'soon' is not a time"),
        (("SELECT 1", "--since", "2026-11-21"), "belong to the questions of the catalog"),
        (("SELECT 1", "--json", "--csv"), "--json and --csv are two answers"),
        (("projects", "--param", "nope=1"), "has no parameter nope"),
    ],
)
def test_options_that_do_not_fit_are_a_sentence(arguments: tuple[str, ...], said: str, workspace: Path) -> None:
    assert said in refused(loopdesk("--workspace", workspace, "query", *arguments))


def test_a_project_that_nobody_has_is_named(workspace: Path) -> None:
    done = loopdesk("--workspace", workspace, "query", "runs", "--since", YESTERDAY, "--project", "autoagnt")
    assert "There is no project autoagnt. There are autoagent." in done.stderr


# Tables that fit


def _result(columns: tuple[str, ...], rows: list[tuple], types: tuple[str, ...] | None = None) -> QueryResult:
    return QueryResult(columns, types or ("String",) * len(columns), tuple(rows), "UTC", "embedded", NOW)


WIDE = _result(
    ("name", "日本語", "n"), [("x" * 50, "文" * 20, 5), ("short", None, -1.5)], ("String", "String", "Float64")
)


def test_a_pipe_has_no_edge() -> None:
    head, _rule, first, _second = query_table.lines(WIDE, None)
    assert "x" * 50 in first and "文" * 20 in first and head.split() == ["name", "日本語", "n"]


@pytest.mark.parametrize("width", [40, 60, 80, 94])
def test_a_table_is_never_wider_than_the_terminal(width: int) -> None:
    shown = query_table.lines(WIDE, width)
    assert len(shown) == 4 and all(cell_len(line) <= width for line in shown)
    assert shown[2].endswith("5") and shown[3].endswith("-1.5")


def test_where_the_columns_cannot_fit_each_row_is_a_block() -> None:
    many = _result(tuple(f"column_{n}" for n in range(20)), [tuple(f"value {n}" for n in range(20))] * 2)
    shown = query_table.lines(many, 60)
    assert len(shown) == 42 and all(cell_len(line) <= 60 for line in shown)
    assert shown[1].split() == ["column_0", "value", "0"] and shown[0].startswith("─ 1 ")


def test_hostile_cells_are_plain() -> None:
    evil = _result(("a\x1b[31m",), [("\x1b]0;title\x07red\u202e",), ({"k": "\x1b[2J"},)])
    assert "\x1b" not in "".join(query_table.lines(evil, 80)) and "\u202e" not in "".join(query_table.lines(evil, None))


@pytest.mark.parametrize("widths", [[10, 10], [100, 5], [30, 30, 30], [8] * 5, [200, 1, 200]])
def test_widths_are_cut_evenly_and_only_as_far_as_needed(widths: list[int]) -> None:
    for room in range(20, 120, 7):
        fitted = query_table.fit(widths, [4] * len(widths), room)
        if fitted is None:
            assert sum(min(w, 8) for w in widths) + 2 * (len(widths) - 1) > room
        else:
            total = sum(fitted) + 2 * (len(widths) - 1)
            assert total <= room and all(a <= b for a, b in zip(fitted, widths, strict=True))
            assert fitted == widths or total == room


# Where a text is wrong


def test_the_place_is_marked_under_its_line() -> None:
    text = "SELECT\n  nope,\n  1 FROM events"
    assert marked(text, 9, 13) == ["2:   nope,", "     ^^^^"]
    assert marked("SELECT nope", 7, 11) == ["SELECT nope", "       ^^^^"]
    assert marked("SELECT (", 8, 8) == ["SELECT (", "        ^"]
    assert marked("SELECT 1", None, None) == []
    assert marked("SELECT 1", 99, 100) == []


def test_wide_letters_and_tabs_keep_the_carets_in_place() -> None:
    line, carets = marked("SELECT '日本', nope", 14 - 1, 17)
    assert line[: len("SELECT '日本', ")] == "SELECT '日本', "
    assert cell_len(carets) - len("nope") == cell_len("SELECT '日本', ")
    line, carets = marked("SELECT\t\x1b[31mnope", 12, 16)
    assert "\x1b" not in line and line[carets.index("^") :] == "nope"


def test_a_long_line_is_cut_around_the_place() -> None:
    text = "SELECT " + "a, " * 200 + "nope" + ", b" * 200
    start = text.index("nope")
    line, carets = marked(text, start, start + 4, width=60)
    assert cell_len(line) <= 60 and line[carets.index("^") : carets.index("^") + 4] == "nope"


def test_a_place_over_several_lines_is_marked_to_the_end_of_the_first() -> None:
    text = "SELECT lower(\n1, 2\n)"
    assert marked(text, 7, len(text)) == ["1: SELECT lower(", "          ^^^^^^"]


def test_the_command_shows_the_place(workspace: Path) -> None:
    done = loopdesk("--workspace", workspace, "query", "SELECT\n  coutn()\nFROM events")
    assert done.stderr.splitlines()[:2] == ["2:   coutn()", "     ^^^^^^^"] and done.returncode == 1


# Ctrl-C


def test_control_c_is_heard_while_the_backend_waits() -> None:
    waiting = threading.Event()

    def ask() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        waiting.wait(10)

    with pytest.raises(KeyboardInterrupt):
        query_command._unless_cancelled(ask)
    waiting.set()


def test_a_cancelled_query_says_so_and_exits_with_130(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tui.commands.cli import run

    def cancelled(_ask: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(query_command, "_unless_cancelled", cancelled)
    assert run(["--workspace", str(workspace), "query", "SELECT 1"]) == 130
    assert capsys.readouterr() == ("", "Cancelled.\n")
