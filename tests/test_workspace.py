"""The floor: configuration, private files, databases that are never lost, text that is safe to draw."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from workspace import config, connection, databases
from workspace.errors import LoopdeskError
from workspace.memory import give_back
from workspace.paths import Workspace, write_private
from workspace.text import plain, plain_lines


def test_an_error_is_one_line_of_sentences():
    error = LoopdeskError("The disk is full", "Nothing was stored", "Free some space")
    assert str(error) == "The disk is full. Nothing was stored. Free some space."


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("plain words", "plain words"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]52;c;ZXZpbA==\x07copied", "copied"),
        ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("a\x9b31mb", "ab"),
        ("user\u202egnp.exe", "usergnp.exe"),
        ("zero\u200bwidth\u2060joined", "zerowidthjoined"),
        ("tag\U000e0041s", "tags"),
        ("line\none\r\ntwo\ttabbed", "line one two tabbed"),
        ("\ud800half", "half"),
        ("naïve 漢字 🙂", "naïve 漢字 🙂"),
        ("[bold]markup[/bold]", "[bold]markup[/bold]"),
        ("don\xe2\x80\x99t read \xe2\x80\x9cthis\xe2\x80\x9d so", "donât read âthisâ so"),
        ("a\x90dcs\x9cb\x9d0;title\x07c", "abc"),
        (
            "\U0001f1e9\U0001f1ea won, thumbs \U0001f44d\U0001f3fd up \u2764\ufe0f 1\ufe0f\u20e3",
            "DE won, thumbs 👍 up ❤ 1",
        ),
        ("z" + "\u0301" * 40 + "algo", "z" + "\u0301" * 4 + "algo"),
        ("\u0301first \u0301second", "first second"),
        ("tie\u0302\u0301ng Vie\u0323\u0302t", "tie\u0302\u0301ng Vie\u0323\u0302t"),
    ],
)
def test_text_from_outside_is_made_plain(hostile: str, shown: str):
    assert plain(hostile) == shown


def test_plain_text_is_cut_with_an_ellipsis():
    assert plain("abcdefgh", 5) == "abcd…"
    assert len(plain("x" * 10_000_000, 20)) == 20


def test_lines_keep_their_indentation():
    assert plain_lines("def f():\n\treturn\x1b[1m 1") == ["def f():", "    return 1"]


def test_later_sources_win_and_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = tmp_path / "config"
    folder.mkdir(mode=0o700)
    (folder / "config.toml").write_text('timezone = "Europe/Berlin"\nnight_starts_hour = 20\ntheme = "mine"\n')
    (folder / "config.toml").chmod(0o600)
    monkeypatch.setenv("LOOPDESK_CONFIG_DIR", str(folder))
    monkeypatch.setenv("LOOPDESK_TIMEZONE", "Asia/Tokyo")
    found = config.load({"theme": "loopdesk-light", "workspace_dir": None})
    assert (found.timezone, found.night_starts_hour, found.theme) == ("Asia/Tokyo", 20, "loopdesk-light")
    assert found.sources["timezone"] == "environment"
    assert found.sources["theme"] == "command line"
    assert found.sources["night_starts_hour"].endswith("config.toml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("timezone = 'Mars/Base'", "There is no time zone 'Mars/Base'"),
        ("night_starts_hour = 24", "whole hour from 0 to 23"),
        ("nigth = 3", "does not know: nigth"),
        ("timezone = ", "not valid TOML"),
    ],
)
def test_a_bad_setting_is_one_sentence(text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "config.toml").write_text(text)
    (tmp_path / "config.toml").chmod(0o600)
    monkeypatch.setenv("LOOPDESK_CONFIG_DIR", str(tmp_path))
    with pytest.raises(LoopdeskError, match=said):
        config.load()


def test_a_workspace_that_others_can_write_is_refused(tmp_path: Path):
    root = tmp_path / "shared"
    root.mkdir()
    root.chmod(0o777)
    with pytest.raises(LoopdeskError, match="chmod go-w"):
        Workspace(root).create()


def test_a_new_workspace_and_its_database_are_private(tmp_path: Path):
    workspace = Workspace(tmp_path / "deep" / "down").create()
    databases.open_database(workspace.events_db, ("CREATE TABLE t (x)",)).close()
    assert workspace.root.stat().st_mode & 0o777 == 0o700
    assert workspace.events_db.stat().st_mode & 0o777 == 0o600


def test_a_private_file_is_replaced_whole(tmp_path: Path):
    path = tmp_path / "note.json"
    write_private(path, "one")
    write_private(path, "two")
    assert path.read_text() == "two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert {found.name for found in tmp_path.iterdir()} == {"home", "note.json"}


def test_a_database_is_migrated_forward_after_a_copy(tmp_path: Path):
    path = tmp_path / "some.db"
    first = databases.open_database(path, ("CREATE TABLE a (x)",))
    first.execute("INSERT INTO a VALUES (7)")
    first.close()
    second = databases.open_database(path, ("CREATE TABLE a (x)", "ALTER TABLE a ADD COLUMN y"))
    assert second.execute("SELECT * FROM a").fetchall() == [(7, None)]
    second.close()
    copy = sqlite3.connect(path.with_name("some.db.schema-1"))
    assert copy.execute("SELECT * FROM a").fetchall() == [(7,)]
    copy.close()


def test_a_newer_database_is_refused(tmp_path: Path):
    path = tmp_path / "some.db"
    databases.open_database(path, ("CREATE TABLE a (x)", "CREATE TABLE b (x)")).close()
    with pytest.raises(LoopdeskError, match="newer loopdesk"):
        databases.open_database(path, ("CREATE TABLE a (x)",))


def test_a_damaged_database_is_moved_aside_and_said(tmp_path: Path):
    path = tmp_path / "events.db"
    path.write_bytes(b"this is not a database" * 100)
    path.chmod(0o600)
    with pytest.raises(LoopdeskError, match=r"moved to events\.db\.damaged-"):
        databases.open_database(path, ("CREATE TABLE a (x)",))
    (aside,) = tmp_path.glob("events.db.damaged-*")
    assert aside.read_bytes().startswith(b"this is not a database")
    databases.open_database(path, ("CREATE TABLE a (x)",)).close()


def test_posthog_is_a_table_of_the_file_and_its_secret_is_not_in_a_repr(tmp_path, monkeypatch):
    (tmp_path / "config.toml").write_text(
        '[posthog]\nhost = "https://eu.posthog.com"\nproject_id = 42\npersonal_key = "phx_secret"\n'
    )
    (tmp_path / "config.toml").chmod(0o600)
    monkeypatch.setenv("LOOPDESK_CONFIG_DIR", str(tmp_path))
    found = config.load()
    assert (found.posthog_host, found.posthog_project_id) == ("https://eu.posthog.com", "42")
    assert found.asks_posthog
    assert "phx_secret" not in repr(found)


def test_a_dotenv_sets_the_loops_names_only(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text(
        "# comment\nexport POSTHOG_HOST='https://us.i.posthog.com'\nPOSTHOG_PERSONAL_API_KEY=phx_a # mine\n"
        "LOOPDESK_WORKSPACE=/elsewhere\nbroken line\n"
    )
    found = config.load()
    assert (found.posthog_host, found.posthog_personal_key) == ("https://us.i.posthog.com", "phx_a")
    assert found.workspace_dir == ""
    assert found.sources["posthog_host"] == ".env"
    monkeypatch.setenv("POSTHOG_PERSONAL_API_KEY", "phx_b")
    assert config.load().posthog_personal_key == "phx_b"


def test_a_dotenv_cannot_send_the_key_of_another_source_to_its_own_host(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("POSTHOG_HOST=https://posthog.com.evil.example\n")
    monkeypatch.setenv("POSTHOG_PERSONAL_API_KEY", "phx_b")
    with pytest.raises(LoopdeskError, match="would be sent to that host"):
        connection.connection(config.load())
    (tmp_path / ".env").write_text("POSTHOG_HOST=https://eu.i.posthog.com\n")
    assert connection.connection(config.load()).host == "https://eu.i.posthog.com"


@pytest.mark.parametrize(
    ("host", "project", "key", "said"),
    [
        ("", "", "phx_a", "no host"),
        ("us.posthog.com", "", "phx_a", "no address"),
        ("https://us.posthog.com", "", "", "no personal key"),
        ("https://us.posthog.com", "", "phc_a", "project's key"),
        ("https://us.posthog.com", "my project", "phx_a", "not a number"),
        ("https://us.posthog.com", "", "phx_a\nX-Header: b", "characters that no key has"),
    ],
)
def test_a_connection_that_cannot_be_right_is_one_sentence(host, project, key, said):
    with pytest.raises(LoopdeskError, match=said):
        connection.checked(host, project, key)


def test_a_connection_is_written_privately_and_the_rest_of_the_file_stays(tmp_path, monkeypatch):
    monkeypatch.setenv("LOOPDESK_CONFIG_DIR", str(tmp_path / "config"))
    made = connection.checked("https://eu.posthog.com/", "42", "phx_secret")
    path = connection.save(made)
    path.write_text('# mine\ntheme = "loopdesk-light"  # by day\n' + path.read_text())
    connection.save(connection.checked("https://us.posthog.com", "", "phx_other"))
    found = config.load(environment={})
    assert connection.connection(found) == connection.Connection("https://us.posthog.com", "@current", "phx_other")
    assert "# mine\n" in path.read_text() and "# by day" in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    assert "phx_other" not in repr(connection.connection(found))


@pytest.mark.parametrize(
    ("host", "backend", "asks"),
    [
        ("", "", False),
        ("https://us.i.posthog.com", "", True),
        ("http://127.0.0.1:8377", "", False),
        ("http://127.0.0.1:8000", "", True),
        ("https://us.i.posthog.com", "embedded", False),
        ("http://127.0.0.1:8377", "posthog", True),
    ],
)
def test_posthog_is_asked_where_a_personal_key_is_set_and_the_host_is_not_our_own(host, backend, asks):
    given = {"posthog_host": host, "posthog_personal_key": "phx_a", "backend": backend}
    assert config.load(given, environment={}).asks_posthog is asks


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"backend": "mysql"}, "posthog or embedded"),
        ({"refresh_seconds": 5}, "at least 60"),
        ({"prompt_days": -1}, "whole number of days"),
    ],
)
def test_a_wrong_posthog_setting_is_one_sentence(given, said):
    with pytest.raises(LoopdeskError, match=said):
        config.load(given, environment={})


def test_opening_a_database_again_leaves_the_locks_of_the_process_alone(tmp_path: Path):
    first = databases.open_database(tmp_path / "events.db", ("CREATE TABLE t (x)",))
    databases.open_database(tmp_path / "events.db", ("CREATE TABLE t (x)",)).close()
    # POSIX locks are a process's: only another one can see whether they hold. It would take the write-ahead log away.
    other = "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0).execute('PRAGMA journal_mode = DELETE')"
    run = subprocess.run([sys.executable, "-c", other, tmp_path / "events.db"], capture_output=True, text=True)
    assert "database is locked" in run.stderr
    first.close()


def test_memory_is_given_back_where_the_c_library_can_and_nothing_happens_elsewhere(monkeypatch: pytest.MonkeyPatch):
    asked: list[int] = []

    class Glibc:
        def malloc_trim(self, pad: int) -> int:
            asked.append(pad)
            return 1

    monkeypatch.setattr("workspace.memory.ctypes.CDLL", lambda _: Glibc())
    give_back()
    monkeypatch.setattr("workspace.memory.ctypes.CDLL", lambda _: object())
    give_back()
    assert asked == [0]
