"""The command line as a person meets it: a process, its output, its exit code, and one sentence when it cannot."""

from __future__ import annotations

import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def loopdesk(*arguments: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tui.main", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, **options)  # type: ignore[call-overload]


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """The one sentence on stderr of a command that could not."""
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    (line,) = done.stderr.strip().splitlines()
    return line


@pytest.fixture(scope="module")
def weekend(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "workspace"
    done = loopdesk("demo", "--prepare", folder, "--seed", "3")
    assert done.returncode == 0, done.stderr
    assert f"loopdesk --workspace {folder}" in done.stdout
    return folder


def test_the_prepared_weekend_is_private_labelled_and_large_enough(weekend: Path):
    assert weekend.stat().st_mode & 0o777 == 0o700
    assert json.loads((weekend / "demo.json").read_text())["seed"] == 3
    done = loopdesk("query", "projects", "--workspace", weekend, "--json")
    answer = json.loads(done.stdout)
    names = {row[answer["columns"].index("project")] for row in answer["results"]}
    assert names == {"autoagent", "autoresearch", "gtm-autoresearch"}


def test_the_weekend_was_judged_already(weekend: Path):
    assert "Took in 0 signals" in loopdesk("--workspace", weekend, "engine", "once").stdout


def test_a_brief_is_printed_whatever_the_locale(weekend: Path):
    old = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = loopdesk("brief", "--workspace", weekend, env=old)
    assert (done.returncode, done.stderr) == (0, "")
    assert "SIMULATED" in done.stdout and "Round funnel" in done.stdout
    found = json.loads(loopdesk("brief", "--json", "--window", "7d", "--workspace", weekend).stdout)
    assert found["simulated"] is True
    assert len(found["projects"]) == 3


def test_simulated_rounds_are_never_mixed_with_others(weekend: Path):
    assert "already holds events" in refused(loopdesk("demo", "--prepare", weekend))


@pytest.mark.parametrize("place", ["before", "after"])
def test_the_workspace_may_stand_before_or_after_the_subcommand(weekend: Path, place: str):
    option = ("--workspace", weekend)
    arguments = (
        (*option, "query", "SELECT 1 AS one", "--json")
        if place == "before"
        else ("query", "SELECT 1 AS one", "--json", *option)
    )
    assert json.loads(loopdesk(*arguments).stdout)["results"] == [[1]]


def test_a_table_is_for_people_and_json_for_scripts(weekend: Path):
    table = loopdesk("--workspace", weekend, "query", "round_funnel", "--window", "7d")
    assert "started" in table.stdout
    assert "rows in" in table.stderr
    listed = json.loads(loopdesk("query", "--json").stdout)
    assert {"name", "title", "asks"} == set(listed[0])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("SELECT coutn() FROM events", "Perhaps you meant 'count(...)'?"),
        ("SELECT count( FROM events", "no viable alternative"),
        ("DROP TABLE events", "mismatched input"),
        ("SELECT * FROM users", 'Unknown table "users"'),
        ("round_funel", "There is no question named round_funel"),
        ("SELECT \x1b[31mx", "x"),
    ],
)
def test_a_query_with_a_typo_is_one_sentence(weekend: Path, text: str, said: str):
    done = loopdesk("--workspace", weekend, "query", text)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    # Before the sentence, where the place is known, the line and carets under it.
    *marked, line = done.stderr.strip("\n").split("\n")
    assert said in line
    assert len(marked) in (0, 2) and (not marked or set(marked[1].strip()) == {"^"})
    assert "\x1b" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--nonsense",), "Unrecognized arguments: --nonsense"),
        (("nonsense",), "nonsense"),
        (("serve", "--port", "99999"), "--port"),
        (("--timezone", "Mars/Base"), "There is no time zone 'Mars/Base'"),
        (("query", "SELECT 1"), "events.db does not exist"),
        (("import", "nowhere.tsv"), "nowhere.tsv"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(arguments: tuple[str, ...], said: str):
    assert said in refused(loopdesk(*arguments))


def test_a_workspace_after_the_subcommand_does_not_undo_a_time_zone_before_it(weekend: Path):
    arguments = ("--timezone", "Asia/Tokyo", "query", "SELECT 1", "--json", "--workspace", weekend)
    assert json.loads(loopdesk(*arguments).stdout)["timezone"] == "Asia/Tokyo"


def test_a_wrong_option_names_the_help_that_has_the_right_one():
    assert refused(loopdesk("serve", "--prot", "1")).endswith("See: loopdesk serve --help.")
    assert refused(loopdesk("storage", "prune", "--al")).endswith("See: loopdesk storage prune --help.")


def test_lists_can_be_taken_apart_from_the_first_query_on(weekend: Path):
    done = loopdesk("--workspace", weekend, "query", "SELECT arrayJoin([1, 2]) AS n ORDER BY n", "--json")
    assert json.loads(done.stdout)["results"] == [[1], [2]]


def test_options_of_the_catalog_are_not_ignored_beside_a_query(weekend: Path):
    line = refused(loopdesk("--workspace", weekend, "query", "SELECT 1", "--project", "autoagent"))
    assert "belong to the questions of the catalog" in line


def test_the_desk_without_a_terminal_says_what_to_use_instead():
    assert "loopdesk query NAME --json" in refused(loopdesk(stdin=subprocess.DEVNULL))


def test_help_lists_the_subcommands():
    done = loopdesk("--help")
    assert done.returncode == 0
    assert all(name in done.stdout for name in ("demo", "serve", "import", "query"))


def test_a_damaged_store_is_moved_aside_and_the_next_start_works(tmp_path: Path):
    workspace = tmp_path / "workspace"
    workspace.mkdir(mode=0o700)
    (workspace / "events.db").write_bytes(b"not a database" * 1000)
    (workspace / "events.db").chmod(0o600)
    assert "has been moved to events.db.damaged-" in refused(loopdesk("serve", "--port", "0", "--workspace", workspace))
    (aside,) = workspace.glob("events.db.damaged-*")
    assert aside.read_bytes() == b"not a database" * 1000
    with Serving(workspace) as server:
        assert server.told["project_key"].startswith("phc_")


def test_a_full_disk_stores_nothing_by_halves(tmp_path: Path):
    # A file size limit is what a full disk is to SQLite: a write that is cut short.
    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))

    workspace = tmp_path / "workspace"
    line = refused(loopdesk("demo", "--prepare", workspace, preexec_fn=limit))
    assert "events.db" in line
    connection = sqlite3.connect(workspace / "events.db")
    assert connection.execute("SELECT count(*) FROM bodies").fetchone() == (0,)
    connection.close()


def test_a_home_that_cannot_be_written_is_one_sentence(tmp_path: Path):
    home = tmp_path / "home-is-a-file"
    home.write_text("")
    line = refused(loopdesk("serve", "--port", "0", env={**os.environ, "HOME": str(home)}))
    assert "Cannot make the workspace" in line
    assert "--workspace DIR" in line


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
def test_output_that_was_closed_before_it_began_is_no_error(weekend: Path):
    desk = [sys.executable, "-m", "tui.main", "--workspace", str(weekend), "flags"]
    command = ["sh", "-c", 'exec "$@" >&-', "sh", *desk]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_second_server_on_the_same_port_is_told_so(tmp_path: Path):
    with Serving(tmp_path / "one") as server:
        port = server.told["url"].rpartition(":")[2]
        assert f"Port {port} is already in use" in refused(
            loopdesk("--workspace", tmp_path / "two", "serve", "--port", port)
        )


def test_serve_prints_its_address_at_once_into_a_pipe_and_leaves_cleanly(tmp_path: Path):
    with Serving(tmp_path / "workspace") as server:
        with urllib.request.urlopen(server.told["url"] + "/_readiness", timeout=10) as response:
            assert response.status == 200
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(60) in (0, 130)
        assert server.process.stderr is not None
        assert "Traceback" not in server.process.stderr.read()


class Serving:
    """`loopdesk serve --json` as a process; `told` is the line it printed."""

    def __init__(self, workspace: Path) -> None:
        command = [sys.executable, "-m", "tui.main", "serve", "--port", "0", "--json", "--workspace", str(workspace)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def __enter__(self) -> Serving:
        assert self.process.stdout is not None
        self.told = json.loads(self.process.stdout.readline())
        return self

    def __exit__(self, *_: object) -> None:
        with self.process:
            self.process.terminate()
