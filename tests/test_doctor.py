"""`loopdesk doctor`: each line against what it looks at, a PostHog that answers as told, and no secret in sight."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from engine.inbox import Inbox
from queries.local.keys import load_keys
from queries.local.store import Store
from tests import engines
from tests.conftest import NOW, Served
from tests.events import event
from tests.test_commands import Serving, loopdesk
from tui.commands import doctor
from tui.commands.checks import (
    files,
    judging,
    posthog,
    posthog_answers,
    posthog_settings,
    serving,
    settings,
    terminal,
    tonight,
)
from tui.commands.checks.line import NOTE, OK, WRONG, Line
from tui.commands.checks.posthog_answers import Answer
from tui.commands.checks.serving import Listener
from tui.commands.checks.terminal import Terminal
from tui.commands.checks.together import Outcome, together
from tui.commands.checks.tonight import Heard, Spooled
from tui.commands.service_managers import Status
from workspace import databases
from workspace.config import Config
from workspace.paths import Workspace

SECRET = "phx_aVerySecretPersonalKeyThatNobodyMaySee1234"


def states(lines: list[Line]) -> dict[str, str]:
    return {line.name: line.state for line in lines}


def line_of(lines: list[Line], name: str) -> Line:
    (found,) = (line for line in lines if line.name == name)
    return found


class TestSettings:
    def test_every_setting_has_its_source_and_secrets_are_masked(self):
        config = Config(theme="mine", posthog_personal_key=SECRET, sources={"theme": "environment"})
        lines = settings.check(config)
        assert line_of(lines, "theme").said == "mine (environment)"
        assert line_of(lines, "port").said == "8377 (default)"
        assert line_of(lines, "posthog_personal_key").said == "phx_…1234 (default)"
        assert {"workspace_dir", "timezone", "keys", "browser_origins"} <= states(lines).keys()

    @pytest.mark.parametrize(
        ("secret", "shown"),
        [
            ("", "not set"),
            (SECRET, "phx_…1234"),
            ("phx_abc", "phx_… (very short)"),
            ("short", "… (very short)"),
            ("noprefixbutlongenough", "…ough"),
        ],
    )
    def test_a_mask_tells_keys_apart_and_no_more(self, secret: str, shown: str):
        assert settings.masked(secret) == shown

    def test_a_password_in_an_address_is_not_shown(self):
        assert settings.without_password("https://me:secret@host:1/x") == "https://host:1/x"


class TestFiles:
    def config(self, root: Path) -> Config:
        return Config(workspace_dir=str(root), timezone="UTC")

    def test_no_workspace_is_only_a_note(self, tmp_path: Path):
        assert states(files.check(self.config(tmp_path / "none"))) == {"workspace": NOTE}
        assert not (tmp_path / "none").exists()

    def test_a_whole_workspace(self, tmp_path: Path):
        workspace = Workspace(tmp_path / "w").create()
        store = Store.open(workspace.events_db)
        store.ingest([event("round_started")], now=NOW)
        store.close()
        load_keys(workspace.root)
        lines = files.check(self.config(workspace.root))
        assert set(states(lines).values()) == {OK}
        said = line_of(lines, "events.db").said
        assert "1 events, the newest of 2026-11-20 07:12, no damage" in said

    def test_rights_are_looked_at(self, tmp_path: Path):
        workspace = Workspace(tmp_path / "w").create()
        load_keys(workspace.root)
        Store.open(workspace.events_db).close()
        workspace.root.chmod(0o755)
        (workspace.root / "keys.json").chmod(0o644)
        workspace.events_db.chmod(0o666)
        found = states(files.check(self.config(workspace.root)))
        assert (found["workspace"], found["keys.json rights"], found["events.db rights"]) == (NOTE, WRONG, WRONG)
        workspace.root.chmod(0o777)
        line = line_of(files.check(self.config(workspace.root)), "workspace")
        assert line.state == WRONG and line.do.startswith("chmod 700")

    def test_damage_is_found_and_the_file_left_alone(self, tmp_path: Path):
        root = Workspace(tmp_path / "w").create().root
        (root / "events.db").write_bytes(b"not a database" * 500)
        (root / "desk.db").write_bytes(b"")
        line = line_of(files.check(self.config(root)), "events.db")
        assert line.state == WRONG and "cannot be read" in line.said
        assert (root / "events.db").read_bytes() == b"not a database" * 500

    def test_damage_in_the_middle_is_found(self, tmp_path: Path):
        root = Workspace(tmp_path / "w").create().root
        store = Store.open(root / "events.db")
        store.ingest([event("e", key=n, text="x" * 500) for n in range(500)], now=NOW)
        store.close()
        content = bytearray((root / "events.db").read_bytes())
        content[100_000:140_000] = b"\xff" * 40_000
        (root / "events.db").write_bytes(content)
        assert line_of(files.check(self.config(root)), "events.db").state == WRONG

    def test_schemas_older_and_newer(self, tmp_path: Path):
        root = Workspace(tmp_path / "w").create().root
        databases.open_database(root / "events.db", ("CREATE TABLE bodies (x)",)).close()
        for version, state in ((1, WRONG), (99, WRONG)):
            connection = sqlite3.connect(root / "events.db")
            connection.execute(f"PRAGMA user_version = {version}")
            connection.close()
            assert line_of(files.check(self.config(root)), "events.db").state == state
        databases.open_database(root / "desk.db", ()).close()
        assert "brought to 3" in line_of(files.check(self.config(root)), "desk.db").said

    def test_what_lies_beside_is_named(self, tmp_path: Path):
        root = Workspace(tmp_path / "w").create().root
        for name in ("events.db.schema-1", "events.db.damaged-1-2", ".loopdesk-restore.x"):
            (root / name).write_text("x")
        lines = files.check(self.config(root))
        assert line_of(lines, "copies").do == "loopdesk storage prune --copies"
        assert {"aside", "unfinished"} <= states(lines).keys()


class TestServing:
    ROOT = Path("/w")

    @pytest.mark.parametrize(
        ("found", "state", "word"),
        [
            (Listener(False), NOTE, "not running"),
            (Listener(True), WRONG, "another program"),
            (Listener(True, True, 3.0, 7, (Path("/w"),)), OK, "process 7 listens for this workspace"),
            (Listener(True, True, 3.0, 7, (Path("/other"),)), WRONG, "stores into /other"),
            (Listener(True, True, 3.0, 7, ()), WRONG, "it is not `loopdesk serve`"),
            (Listener(True, True, 3.0), OK, "cannot be told"),
        ],
    )
    def test_who_listens(self, found: Listener, state: str, word: str):
        line = serving.said(found, 8377, self.ROOT)
        assert line.state == state and word in line.said

    @pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="only /proc tells who listens")
    def test_a_real_serve_is_known_by_its_store(self, tmp_path: Path):
        with Serving(tmp_path / "w") as server:
            port = int(server.told["url"].rpartition(":")[2])
            found = serving.look(port)
            assert found.is_ready and found.pid == server.process.pid
            assert found.serves(tmp_path / "w") is True
            assert found.serves(tmp_path / "other") is False

    def test_a_program_that_says_nothing_does_not_hang_it(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(serving, "_LIMIT_S", 0.05)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            found = serving.look(listener.getsockname()[1])
        assert found.is_listening and not found.is_ready


class TestTerminal:
    def terminal(
        self, is_terminal: bool = True, size=(160, 48), encoding="utf-8", tmux="on", escape="10", **names: str
    ):
        return terminal.said(Terminal(is_terminal, *size, encoding, names, ("bash", "mosh-server"), tmux, escape))

    def test_a_good_one(self):
        lines = self.terminal(TERM="xterm-256color", COLORTERM="truecolor")
        assert {line.state for line in lines if line.name != "mosh"} == {OK}

    @pytest.mark.parametrize(
        ("changed", "name", "state"),
        [
            ({"TERM": "dumb"}, "terminal", WRONG),
            ({"TERM": "xterm-256color"}, "colours", NOTE),
            ({"NO_COLOR": "1"}, "colours", NOTE),
            ({"size": (79, 24)}, "size", NOTE),
            ({"encoding": "latin-1"}, "letters", NOTE),
            ({"TMUX": "/tmp/x", "tmux": "off"}, "tmux", NOTE),
            ({"TMUX": "/tmp/x", "tmux": ""}, "tmux", NOTE),
            ({"TMUX": "/tmp/x", "tmux": "on"}, "tmux", OK),
            ({"TMUX": "/tmp/x", "escape": "500"}, "tmux escape", NOTE),
            ({"SSH_CONNECTION": "1.2.3.4"}, "SSH", NOTE),
            ({}, "mosh", NOTE),
            ({"is_terminal": False}, "terminal", NOTE),
        ],
    )
    def test_what_is_missing(self, changed: dict, name: str, state: str):
        assert line_of(self.terminal(**changed), name).state == state


class TestTonight:
    HEARD = (Heard("autoagent", NOW - timedelta(days=1)), Heard("old", NOW - timedelta(days=30)))

    def test_somebody_must_receive_what_is_sent(self):
        own, remote = Config(), Config(posthog_host="https://us.posthog.com")
        assert tonight.receiver(own, True, self.HEARD, NOW).state == OK
        assert tonight.receiver(remote, False, self.HEARD, NOW).state == OK
        line = tonight.receiver(own, False, self.HEARD, NOW)
        assert line.state == WRONG and "service install" in line.do
        # Who only imports logs, or has just begun, misses nothing.
        assert tonight.receiver(own, False, self.HEARD[1:], NOW).state == NOTE
        assert tonight.receiver(own, False, (), NOW).state == NOTE

    def test_imported_and_simulated_rounds_were_not_sent(self, tmp_path: Path):
        store = Store.open(tmp_path / "events.db")
        events = [
            event("round_started", at=NOW, project="live"),
            event("round_started", at=NOW, project="log", imported_from="results.tsv"),
            event("round_started", at=NOW, project="demo", simulated=True),
        ]
        store.ingest(events, now=NOW)
        store.close()
        assert tonight.last_heard(Config(workspace_dir=str(tmp_path), timezone="UTC"), NOW) == (Heard("live", NOW),)

    @pytest.mark.parametrize(
        ("status", "state"),
        [
            (Status(), NOTE),
            (Status(installed=True, running=True, is_lingering=True), OK),
            (Status(installed=True, running=True, is_lingering=None), OK),
            (Status(installed=True, running=True, is_lingering=False), NOTE),
            (Status(installed=True, said="failed"), WRONG),
        ],
    )
    def test_the_service(self, status: Status, state: str):
        assert tonight.service(status).state == state

    def test_the_engine(self):
        assert tonight.engine(True, Status()).state == OK
        line = tonight.engine(False, Status())
        assert line.state == NOTE and line.do == "loopdesk service install"
        assert tonight.engine(False, Status(installed=True)).state == WRONG

    def test_a_silent_project_is_named(self):
        assert states(tonight.silence(self.HEARD, NOW, "UTC")) == {"autoagent": OK, "old": NOTE}

    def test_waiting_events_are_counted(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        (tmp_path / "a.1.jsonl").write_text('{"event": 1}\n        \n{"event": 2}\n')
        (tmp_path / "b.1.jsonl").write_text("")
        monkeypatch.setenv("LOOPDESK_SPOOL", str(tmp_path))
        assert [file.events for file in tonight.spooled()] == [2, 0]
        now = time.time()
        (line,) = tonight.waiting((Spooled(Path("/s/a.jsonl"), 2, now - 7200),), now)
        assert line.state == NOTE and "2 events wait in /s/a.jsonl, written 2.0 h ago" in line.said
        assert tonight.waiting((Spooled(Path("/s/a.jsonl"), 2, now),), now)[0].state == OK
        assert tonight.waiting((Spooled(Path("/s/a.jsonl"), 0, 0.0),), now)[0].state == OK


class TestPostHogSettings:
    def found(self, **given: object) -> dict[str, str]:
        config = Config(**given)  # type: ignore[arg-type]
        return states([*posthog_settings.settings(config), *posthog_settings.project_key(config)])

    def test_a_right_one(self):
        given = {"posthog_host": "https://us.posthog.com", "posthog_personal_key": SECRET, "posthog_project_id": "42"}
        assert set(self.found(**given, posthog_project_key="phc_abcdefghijklmnop").values()) == {OK}

    @pytest.mark.parametrize(
        ("given", "name", "state"),
        [
            ({"posthog_personal_key": "phc_abc"}, "personal key", WRONG),
            ({"posthog_personal_key": "phs_abc"}, "personal key", WRONG),
            ({"posthog_personal_key": "abc"}, "personal key", NOTE),
            ({"posthog_host": "https://us.posthog.com"}, "personal key", NOTE),
            ({"posthog_host": "https://us.posthog.com", "backend": "posthog"}, "personal key", WRONG),
            ({"posthog_personal_key": SECRET}, "host", WRONG),
            ({"posthog_host": "http://posthog.example", "posthog_personal_key": SECRET}, "host", NOTE),
            ({"posthog_personal_key": SECRET}, "project", OK),
            ({"posthog_personal_key": SECRET, "posthog_project_id": "mine"}, "project", WRONG),
            ({"posthog_project_key": SECRET}, "project key", WRONG),
            ({"posthog_project_key": "abc"}, "project key", WRONG),
        ],
    )
    def test_what_does_not_fit(self, given: dict, name: str, state: str):
        assert self.found(**given)[name] == state

    @pytest.mark.parametrize(("off_s", "state"), [(0, OK), (20, OK), (-90, NOTE), (3600, WRONG)])
    def test_the_clock(self, off_s: int, state: str):
        answer = Answer(200, date=formatdate(NOW.timestamp(), usegmt=True), asked_at=NOW.timestamp() + off_s)
        (line,) = posthog_answers.clock(answer)
        assert line.state == state
        assert state == OK or f"{abs(off_s):,} s" in line.said

    @pytest.mark.parametrize("date", ["", "yesterday", "\x1b[31m"])
    def test_a_server_without_a_clock(self, date: str):
        assert posthog_answers.clock(Answer(200, date=date))[0].state == NOTE

    def test_us_and_eu_are_told_apart(self):
        (line,) = posthog_answers.who(Answer(401), "us.posthog.com")
        assert "A key made on eu.posthog.com is not known on us.posthog.com" in line.said
        assert "made on" not in posthog_answers.who(Answer(401), "posthog.example")[0].said


LACKING = {"type": "authentication_error", "code": "permission_denied"}
LACKS = "API key missing required scope '{}'"


class Scripted:
    """A PostHog that answers each path as told, and remembers what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, object]] = {}
        self.headers: dict[str, str] = {}
        self.asked: list[tuple[str, str]] = []
        script = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("content-length") or 0))
                path = self.path.partition("?")[0].rstrip("/").rpartition("/")[2]
                script.asked.append((path, self.headers.get("authorization", "")))
                status, body = script.answers.get(path, (200, {"results": []}))
                content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
                self.send_response(status)
                for name, value in script.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = answer

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def config(self, **changed: object) -> Config:
        given = {"posthog_host": self.url, "posthog_personal_key": SECRET, "posthog_project_id": "42"}
        return Config(**(given | changed))  # type: ignore[arg-type]

    def found(self, **changed: object) -> list[Line]:
        return posthog.check(self.config(**changed))


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    script = Scripted()
    yield script
    script.server.shutdown()
    script.server.server_close()


class TestPostHog:
    def test_all_well(self, scripted: Scripted):
        lines = scripted.found()
        assert set(states(lines).values()) == {OK}
        assert {"query:read", "annotation:read", "feature_flag:read", "experiment:read"} <= states(lines).keys()
        assert {path for path, _ in scripted.asked} == {"@me", "query", "annotations", "feature_flags", "experiments"}
        assert all(key == f"Bearer {SECRET}" for _, key in scripted.asked)

    def test_the_key_for_this_machine_is_not_shown_to_a_proxy(
        self, scripted: Scripted, monkeypatch: pytest.MonkeyPatch
    ):
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")
        assert states(scripted.found())["query:read"] == OK

    def test_each_missing_scope_is_named(self, scripted: Scripted):
        for path, scope in (("query", "query:read"), ("annotations", "annotation:read")):
            scripted.answers[path] = (403, {**LACKING, "detail": LACKS.format(scope)})
        lines = scripted.found()
        assert line_of(lines, "query:read").state == WRONG
        assert "lacks query:read" in line_of(lines, "query:read").said
        assert line_of(lines, "annotation:read").state == NOTE
        assert "not needed yet" in line_of(lines, "annotation:read").said

    def test_an_unknown_key_is_not_tried_any_further(self, scripted: Scripted):
        scripted.answers["@me"] = (
            401,
            {"detail": "Personal API key is invalid."},
        )
        assert line_of(scripted.found(), "key").state == WRONG
        assert [path for path, _ in scripted.asked] == ["@me"]

    def test_another_project(self, scripted: Scripted):
        detail = "API key does not have access to the requested project: ID 42."
        scripted.answers["query"] = (403, {**LACKING, "detail": detail})
        line = line_of(scripted.found(), "query:read")
        assert line.state == WRONG and detail in line.said and "POSTHOG_PROJECT_ID" in line.do

    def test_a_redirect_is_not_followed_with_the_key(self, scripted: Scripted):
        other = Scripted()
        scripted.headers["location"] = f"{other.url}/api/users/@me/"
        scripted.answers["@me"] = (302, "")
        assert "sends us on" in line_of(scripted.found(), "HTTP").said
        assert other.asked == []
        other.server.shutdown(), other.server.server_close()

    @pytest.mark.parametrize(
        ("status", "body", "state"),
        [
            (429, {"detail": "Request was throttled."}, NOTE),
            (500, {"detail": "A server error occurred."}, WRONG),
            (502, "<html>Bad gateway</html>", WRONG),
            (404, {"detail": "Not found."}, WRONG),
            (403, "<html>\x1b[31mblocked</html>", WRONG),
            (200, "<html>a captive portal</html>", WRONG),
        ],
    )
    def test_whatever_comes_back_is_a_line(self, scripted: Scripted, status: int, body: object, state: str):
        scripted.answers["query"] = (status, body)
        line = line_of(scripted.found(), "query:read")
        assert line.state == state
        assert "\x1b" not in line.said

    def test_a_page_that_answers_for_posthog_is_not_taken_for_it(self, scripted: Scripted):
        scripted.answers["@me"] = (200, "<html>Welcome to the hotel</html>")
        assert line_of(scripted.found(), "HTTP").state == WRONG

    @pytest.mark.parametrize("key", [SECRET + "\nX: y", SECRET + " x", SECRET + "é"])
    def test_a_key_that_was_pasted_badly_is_neither_sent_nor_shown(self, scripted: Scripted, key: str):
        lines = scripted.found(posthog_personal_key=key)
        assert line_of(lines, "personal key").state == WRONG
        assert scripted.asked == []
        assert not any(SECRET[8:30] in line.said + line.do for line in lines)

    def test_nobody_at_that_address(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        lines = posthog.check(
            Config(posthog_host=f"http://127.0.0.1:{port}", posthog_personal_key=SECRET, posthog_project_id="1")
        )
        assert line_of(lines, "reach").state == WRONG and "does not take a connection" in line_of(lines, "reach").said

    def test_a_name_that_is_not_known(self):
        lines = posthog.check(Config(posthog_host="https://no-such-host.invalid", posthog_personal_key=SECRET))
        assert "DNS does not find" in line_of(lines, "reach").said

    def test_a_server_without_encryption(self, scripted: Scripted):
        lines = scripted.found(posthog_host=scripted.url.replace("http:", "https:"))
        assert line_of(lines, "TLS").state == WRONG

    def test_the_embedded_one_over_http(self, serve: Callable[..., Served]):
        served = serve()
        lines = posthog.check(
            Config(posthog_host=served.url, posthog_personal_key=served.personal_key, posthog_project_id="1")
        )
        assert line_of(lines, "query:read").state == OK
        assert WRONG not in states(lines).values()


class TestTogether:
    def test_what_hangs_is_left_behind(self):
        forever = threading.Event()
        found = together({"quick": lambda: 1, "slow": forever.wait, "broken": lambda: 1 // 0}, 0.05)  # type: ignore[dict-item]
        assert found["quick"] == Outcome(value=1)
        assert found["slow"].is_late
        assert isinstance(found["broken"].error, ZeroDivisionError)
        forever.set()


class TestTheCommand:
    def test_a_fresh_machine_has_nothing_wrong(self, tmp_path: Path):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        folder = tmp_path / "config"
        folder.mkdir(mode=0o700)
        (folder / "config.toml").write_text(f"port = {port}\n")
        (folder / "config.toml").chmod(0o600)
        environment = {**os.environ, "LOOPDESK_CONFIG_DIR": str(folder)}
        done = loopdesk("doctor", "--workspace", tmp_path / "none", env=environment)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.endswith("Nothing is wrong.\n")
        assert not (tmp_path / "none").exists()

    def test_what_is_wrong_is_an_exit_code_and_no_secret_is_shown(self, tmp_path: Path, scripted: Scripted):
        scripted.answers["query"] = (403, {**LACKING, "detail": LACKS.format("query:read")})
        environment = {
            **os.environ,
            "POSTHOG_HOST": scripted.url,
            "POSTHOG_PERSONAL_API_KEY": SECRET,
            "POSTHOG_PROJECT_ID": "42",
        }
        done = loopdesk("doctor", "--json", "--workspace", tmp_path / "w", env=environment)
        assert done.returncode == 1
        told = json.loads(done.stdout)
        assert told["ok"] is False
        assert {"group", "name", "state", "said", "do"} == set(told["checks"][0])
        assert [check["name"] for check in told["checks"] if check["state"] == WRONG] == ["query:read"]
        done = loopdesk("doctor", "--workspace", tmp_path / "w", env=environment)
        assert done.stdout.endswith("Wrong: query:read.\n")
        for said in (done.stdout, done.stderr, json.dumps(told)):
            assert SECRET[8:-4] not in said

    def test_a_check_that_breaks_is_a_line(self, monkeypatch: pytest.MonkeyPatch):
        # Only what and where: a message may hold a key.
        outcome = together({"it": lambda: int(SECRET)}, 5)["it"]
        (line,) = doctor._lines("Terminal", outcome)  # type: ignore[arg-type]
        assert line.state == WRONG and "ValueError in test_doctor.py, line" in line.said
        assert "phx" not in line.said
        assert doctor._lines("PostHog", Outcome())[0].state == WRONG


class TestEngine:
    def lines(self, tmp_path: Path, **settings: object) -> dict[str, Line]:
        config = Config(workspace_dir=str(tmp_path), timezone="UTC", **settings)  # type: ignore[arg-type]
        return {line.name: line for line in judging.check(config)}

    def test_without_anything_rules_judge_and_words_are_compared(self, tmp_path: Path):
        found = self.lines(tmp_path)
        assert [line.state for line in found.values()] == ["note", "ok", "ok"]
        assert found["judgement"].said.startswith("Rules judge")
        assert not (tmp_path / "inbox.db").exists()

    def test_a_key_without_an_answer_says_what_a_model_would_cost(self, tmp_path: Path):
        found = self.lines(tmp_path, anthropic_key="sk-ant-secret")
        assert found["judgement"].state == "note" and "a night" in found["judgement"].said
        assert "secret" not in str(found)

    def test_what_waits_is_said(self, tmp_path: Path):
        workspace = Workspace(tmp_path).create()
        inbox = Inbox(workspace)
        inbox.add_signal(engines.signal("plateau"), NOW)
        inbox.close()
        assert "1 signal wait" in self.lines(tmp_path)["engine"].said

    def test_a_model_that_has_no_price_and_a_folder_that_is_none_are_wrong(self, tmp_path: Path):
        assert self.lines(tmp_path, models={"safety": "gpt-unknown"})["engine"].state == "wrong"
        assert self.lines(tmp_path, embedding_model=str(tmp_path / "none"))["similarity"].state == "wrong"
