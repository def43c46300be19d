"""Boards of the user's own: a file becomes a sheet, and one with a mistake says which and harms nobody."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from queries import boards
from queries.backend import QueryResult
from queries.boards import Answer
from queries.cache import AnswerCache
from queries.catalog import catalog
from queries.gallery import own, registry
from queries.gallery.sheet import Sheet, Unit
from queries.gallery.tabular import tabular
from queries.local.backend import LocalBackend
from queries.local.store import Store
from queries.views import drill
from queries.views.filters import Filters
from queries.views.window import Window, night
from tests import hostile
from tests.conftest import NOW
from tests.events import event
from tests.test_commands import loopdesk
from tui.readme import README
from workspace.errors import LoopdeskError

NIGHT: Window = night(NOW, "UTC")
GOOD = """-- title: Kept by project
-- asks: who kept rounds?
-- params: since DateTime, until DateTime, project String = '', client String = ''
-- columns: project String, kept UInt64 (rounds), spent Float64 (USD)
-- events: round_kept
-- cost: round_kept.cost_usd, of kept rounds only
-- limit: 20
SELECT properties.project AS project, count() AS kept, sum(toFloat(properties.cost_usd)) AS spent
FROM events
WHERE event = 'round_kept' AND timestamp >= toDateTime({since}) AND timestamp < toDateTime({until})
  AND ({project} = '' OR properties.project = {project}) AND ({client} = '' OR properties.client = {client})
GROUP BY project
ORDER BY kept DESC, project
LIMIT 20
"""
OVER_TIME = (
    GOOD.replace("-- columns: ", "-- columns: bucket String, ")
    .replace("until DateTime", "until DateTime, bucket String = 'day'")
    .replace("SELECT ", "SELECT toString(toStartOfHour(timestamp)) AS bucket, ")
    .replace("GROUP BY project\nORDER BY kept DESC, project", "GROUP BY bucket, project\nORDER BY project, bucket")
)
README_EXAMPLE = re.search(r"```sql\n(-- title: .*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> LocalBackend:
    folder = tmp_path_factory.mktemp("own") / "workspace"
    folder.mkdir(mode=0o700)
    store = Store.open(folder / "events.db")
    for place, (project, hours) in enumerate([("autoagent", 9), ("autoagent", 9), ("autoagent", 6), ("gtm", 6)]):
        at = NOW - timedelta(hours=hours, minutes=-place)
        named = {"project": project, "round_id": f"R{place}", "run_id": "N1"}
        sent = [event("round_kept", at=at, cost_usd=0.25, **named)]
        sent.append(event("step.tool_returned", at=at, tool="pytest", ok=place > 0, latency_ms=900 * place, **named))
        store.ingest(sent, now=NOW)
    store.close()
    return LocalBackend(folder / "events.db", now=lambda: NOW)


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("LOOPDESK_CONFIG_DIR", str(tmp_path / "config"))
    made = tmp_path / "config" / "boards"
    made.mkdir(parents=True)
    return made


def written(folder: Path, text: str | bytes, name: str = "mine.sql") -> str:
    """The board's name."""
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return own.names()[0]


def ask(backend: LocalBackend, board: str, filters: Filters | None = None) -> Sheet:
    view = boards.ask(board, backend, NIGHT, filters or Filters()).view
    assert isinstance(view, Sheet)
    return view


def refused(backend: LocalBackend, board: str) -> LoopdeskError:
    with pytest.raises(LoopdeskError) as failed:
        boards.ask(board, backend, NIGHT, Filters())
    return failed.value


# Good ones


def test_a_file_is_a_board(folder: Path, backend: LocalBackend):
    board = written(folder, GOOD)
    view = ask(backend, board)
    assert boards.title(board) == "Kept by project" and registry.names()[-1] == board
    assert [(column.heading, column.unit) for column in view.columns] == [
        ("project", Unit.TEXT),
        ("kept", Unit.COUNT),
        ("spent", Unit.USD),
    ]
    assert [row.cells for row in view.rows] == [("autoagent", 3, 0.75), ("gtm", 1, 0.25)]
    assert view.verdict == "Who kept rounds? 2 rows."
    assert view.rows[0].drill == drill.all_rounds("autoagent")
    assert registry.source(board) == "round_kept.cost_usd" and registry.asks(board) == "who kept rounds?"
    assert boards.is_changed(board, frozenset({"round_kept"}))
    assert not boards.is_changed(board, frozenset({"step.plan"}))


@pytest.mark.parametrize("sample", ["csi", "title", "osc52", "bidi", "markup-action", "surrogates", "unbroken"])
def test_hostile_words_in_a_header_and_in_its_rows_do_nothing(sample: str, folder: Path, backend: LocalBackend):
    text = hostile.CORPUS[sample].encode("utf-8", "replace").decode().replace("\n", " ")[:500]
    board = written(folder, GOOD.replace("Kept by project", text).replace("who kept rounds?", text))
    for said in (boards.title(board), ask(backend, board).verdict, registry.asks(board)):
        hostile.assert_harmless(said)


def test_the_window_and_the_filters_are_the_desks(folder: Path, backend: LocalBackend):
    board = written(folder, GOOD)
    assert [row.cells[0] for row in ask(backend, board, Filters(project="gtm")).rows] == ["gtm"]
    assert ask(backend, board, Filters(project="nobody")) == Sheet("Who kept rounds? No row in this window.", notes=())
    without = GOOD.replace(", project String = '', client String = ''", "")
    without = re.sub(r"\n  AND \(.*", "", without)
    assert "project and client" in ask(backend, written(folder, without)).notes[0]


def test_rows_of_a_bucket_are_one_course(folder: Path, backend: LocalBackend):
    view = ask(backend, written(folder, OVER_TIME))
    assert view.verdict == "Who kept rounds? 2 rows over 14 hours." and len(view.buckets) == 14
    agent, gtm = view.rows
    last, course = agent.cells[1:3]
    assert agent.cells[0] == "autoagent" and last == 1
    assert isinstance(course, tuple) and [value for value in course if value is not None] == [2, 1]
    at = view.buckets.index("2026-11-19 22:00:00")
    assert course[at] == 2 and course[at + 1] is None
    assert [column.unit for column in view.columns[1:]] == [Unit.COUNT, Unit.COURSE, Unit.USD, Unit.COURSE]
    assert gtm.drill == drill.all_rounds("gtm")


def test_the_readmes_example_is_a_board(folder: Path, backend: LocalBackend):
    assert README_EXAMPLE is not None
    view = ask(backend, written(folder, README_EXAMPLE[1]))
    assert [row.cells for row in view.rows] == [
        ("pytest", "autoagent", 3, pytest.approx(1 / 3), 1.8),
        ("pytest", "gtm", 1, 0.0, 2.7),
    ]


def test_a_file_that_was_mended_is_another_answer(folder: Path, backend: LocalBackend, tmp_path: Path):
    """What was remembered of the old file is not shown under the new header."""
    board = written(folder, GOOD)
    cache = AnswerCache(tmp_path / "desk.db")
    cache.save(boards.ask(board, backend, NIGHT, Filters()), "night")
    assert isinstance(cache.load(board, "night", Filters()), Answer)
    written(folder, GOOD.replace("kept UInt64", "n UInt64").replace("AS kept", "AS n").replace("kept DESC", "n DESC"))
    assert cache.load(board, "night", Filters()) is None
    assert ask(backend, board).columns[1].heading == "n"
    cache.close()


def test_the_command_answers_them_by_name(folder: Path, backend: LocalBackend):
    written(folder, GOOD)
    (folder / "typo.sql").write_text("-- title: x\n")
    arguments = ("--workspace", backend.path.parent, "query")
    environment = {"LOOPDESK_CONFIG_DIR": str(folder.parent)}
    found = loopdesk(*arguments, "mine", "--since", "2026-11-19", "--until", "2026-11-21", "--csv", env=environment)
    assert found.stdout.splitlines()[1:] == ["autoagent,3,0.75", "gtm,1,0.25"], found.stderr
    assert "mine                 who kept rounds?" in loopdesk(*arguments, env=environment).stdout
    failed = loopdesk(*arguments, "typo", env=environment)
    assert failed.returncode and "no header line `-- asks: ...`" in failed.stderr


# With a mistake


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("-- asks", "-- aks"), r"no header line `-- asks: \.\.\.`"),
        (("-- limit: 20", "-- limit: many"), "limit: .* is no number"),
        (("-- limit: 20", "-- limit: 90000"), "not between 1 and 5,000"),
        (("until DateTime", "until DateTime, nights Int64"), "takes nights, .* since, until, bucket, project, client"),
        (("since DateTime", "since String"), "parameter since is DateTime, and the header says String"),
        (("columns: project String, kept", "columns: project String, keep"), "columns project, keep .*project, kept"),
        (("columns: project String, kept UInt64 (rounds), spent Float64 (USD)", "columns: project"), "names no column"),
        (("WHERE event", "WERE event"), "Line 3 of its query is not understood: WERE event = 'round_kept' AND"),
        (("count()", "launch_missiles()"), "Line 1 of its query is not understood"),
        (("{until}", "{untill}"), "untill"),
        (("SELECT", "DROP TABLE events; SELECT"), "Line 1 of its query"),
        (("FROM events", "FROM bodies"), "bodies"),
    ],
)
def test_a_mistake_is_said_in_one_sentence(change: tuple[str, str], said: str, folder: Path, backend: LocalBackend):
    board = written(folder, GOOD.replace(*change, 1))
    problem = refused(backend, board)
    assert re.search(said, problem.what + problem.means) and "mine.sql" in str(problem), problem
    assert "\n" not in str(problem) and boards.title(board)
    assert not boards.is_changed(board, frozenset({"step.plan"}))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("cost.sql", GOOD, "loopdesk itself has something named cost"),
        ("round_funnel.sql", GOOD, "loopdesk itself has something named round_funnel"),
        ("My board.sql", GOOD, "My board.sql is no name for a board"),
        ("x\x1b[31m.sql", GOOD, "x.sql is no name for a board"),
        ("mine.sql", b"\xff\xfe-- title", "is not UTF-8"),
        ("mine.sql", GOOD + " " * 70_000, "larger than 64 KB"),
        ("mine.sql", "", "no header line `-- title"),
        ("mine.sql", GOOD[: GOOD.index("SELECT")], "no query under its header"),
    ],
)
def test_a_file_that_cannot_be_a_board_says_why(
    name: str, content: str | bytes, said: str, folder: Path, backend: LocalBackend
):
    board = written(folder, content, name)
    assert said in str(refused(backend, board))
    assert re.fullmatch(r"own-[a-z0-9_-]+", board)


def test_what_is_no_file_or_is_gone_is_not_waited_for(folder: Path, backend: LocalBackend):
    (folder / "folder.sql").mkdir()
    os.mkfifo(folder / "pipe.sql")
    assert "folder.sql is no file" in str(refused(backend, "own-folder"))
    assert "pipe.sql is no file" in str(refused(backend, "own-pipe"))
    assert "gone" in str(refused(backend, "own-nothing"))
    (folder / "nowhere.sql").symlink_to(folder / "missing")
    assert "cannot be read" in str(refused(backend, "own-nowhere"))


def test_a_folder_full_of_files_is_read_up_to_a_number(folder: Path):
    for place in range(own.MOST_FILES + 2):
        (folder / f"b{place}.sql").write_text(GOOD)
    assert len(own.names()) == own.MOST_FILES and own.left_out() == 2


def test_without_the_folder_there_are_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("LOOPDESK_CONFIG_DIR", str(tmp_path / "none"))
    assert own.names() == ()


# Any rows


def result(columns: tuple[str, ...], rows: tuple[tuple, ...]) -> QueryResult:
    return QueryResult(columns, tuple("String" for _ in columns), rows, "UTC", "embedded", NOW)


def test_questions_of_the_catalog_are_sheets_too():
    question = catalog.load("router_anomalies")
    names = tuple(column.name for column in question.columns)
    row = ("autoagent", "", "cost_spike", "u1", "review", "Use a smaller model", 4, "2026-11-20T02:00:00+00:00", None)
    view = tabular(question, NIGHT, result(names, (row,)))
    assert view.rows[0].cells == (*row[:1], None, *row[2:7], "20 Nov 02:00", None)
    ranks = {column.heading: column.rank for column in view.columns}
    assert ranks["project"] == 0 and ranks["times"] == 1


def test_what_is_not_what_its_header_says_is_missing_and_not_wrong():
    question = replace(catalog.parse("x", GOOD), limit=2)
    rows = (("a", "3", "0.5"), ("b", "many", float("nan")), ("c", 1, 1))
    view = tabular(question, NIGHT, result(("project", "kept", "spent"), rows))
    assert [row.cells for row in view.rows] == [("a", 3.0, 0.5), ("b", None, None)]
    assert "first 2 rows" in view.notes[-1]


def test_buckets_of_another_kind_stand_as_they_come():
    question = catalog.parse("x", OVER_TIME)
    rows = (("week 2", "a", 1, 0.5), ("week 1", "a", 2, None), ("week 1", "a", 4, None))
    view = tabular(question, NIGHT, result(("bucket", "project", "kept", "spent"), rows))
    assert view.buckets == ("week 1", "week 2") and view.rows[0].cells == ("a", 1, (4, 1), 0.5, (None, 0.5))
    assert "last one" in view.notes[-1]


# The registry


def test_every_board_of_the_gallery_can_be_asked_and_siblings_know_each_other():
    known = [name for name in registry.names() if not own.is_own(name)]
    assert len(known) == len(set(known)) and not set(known) & set(boards.NAMES)
    for name in known:
        assert boards.title(name) != name and registry.asks(name) and boards.events_of(name)
        other = registry.sibling(name)
        assert not other or (registry.sibling(other) == name and registry.source(other) != registry.source(name))
    assert registry.useful() and set(registry.useful()) <= set(known)
