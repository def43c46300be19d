"""`loopdesk worker` as it is run, what the doctor says of workers, and an engine that has a Postgres configured."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import psycopg
import pytest

from engine import runtime
from engine.at_home import AtHome
from engine.main import Parts
from engine.store import Store
from engine.workers import check_installed
from engine.workers.away import Away, Recalling
from engine.workers.postgres import Times
from engine.workers.queue import Queue
from tests.jails import jails
from tests.postgres import Cluster
from tests.test_commands import ROOT, refused
from tests.test_workers_parts import job
from tui.commands.checks.line import NOTE, OK, WRONG
from tui.commands.checks.workers import check
from tui.commands.worker import log, refuse
from workspace.config import Config, load
from workspace.errors import LoopdeskError

COMMAND = [sys.executable, "-m", "tui.main", "worker"]


class TestTheCommand:
    @pytest.fixture(scope="class", autouse=True)
    def _sandbox(self) -> None:
        jails()

    def test_it_says_what_happens_in_json_and_ends_when_it_is_told_to(self, postgres: Cluster, tmp_path: Path):
        environment = {
            **os.environ,
            "LOOPDESK_WORKSPACE": str(tmp_path / "w"),
            "LOOPDESK_DATABASE_URL": postgres.database(is_prepared=False),
            "ANTHROPIC_API_KEY": "the-real-key",
        }
        running = subprocess.Popen(
            COMMAND, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert running.stdout is not None
        ready = json.loads(running.stdout.readline())
        assert (ready["event"], ready["jobs_at_once"]) == ("ready", 1)
        second = subprocess.run(COMMAND, cwd=ROOT, env=environment, capture_output=True, text=True)
        assert "Another worker uses" in refused(second)
        running.send_signal(signal.SIGTERM)
        output, errors = running.communicate(timeout=60)
        assert running.returncode == 0 and errors == ""
        assert [json.loads(line)["event"] for line in output.splitlines()] == ["stopping", "stopped"]


def test_what_it_lacks_it_says_in_a_sentence():
    config = Config()
    for changes, said in (
        ({}, "No Postgres is configured"),
        ({"database_url": "postgresql://me:s3cret%@host/x"}, "cannot be read as the address of a Postgres"),
        ({"database_url": "postgresql://host/x"}, "No model is configured"),
    ):
        config = replace(config, **changes)
        with pytest.raises(LoopdeskError, match=said):
            refuse(config)


def test_without_the_extra_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(LoopdeskError, match=r"pipx install 'loopdesk\[workers\]'"):
        check_installed()


def test_a_database_of_another_kind_is_refused_and_not_shown():
    with pytest.raises(LoopdeskError, match="does not name a Postgres") as refused:
        load({}, {"LOOPDESK_DATABASE_URL": "mysql://me:s3cret@host/x"})
    assert "s3cret" not in str(refused.value)


def test_a_line_of_its_log_is_json_and_plain(capsys: pytest.CaptureFixture[str]):
    log("ended", why="lost\x1b[2J it", attempt=2)
    line = json.loads(capsys.readouterr().out)
    assert (line["event"], line["why"], line["attempt"]) == ("ended", "lost it", 2)
    assert datetime.fromisoformat(line["at"]).tzinfo is not None and line["worker"]


class TestTheDoctor:
    def test_it_looks_at_the_postgres_and_makes_nothing(self, postgres: Cluster, tmp_path: Path):
        url = postgres.database(is_prepared=False)
        for _ in range(2):
            (line,) = check(Config(database_url=url))
            assert (line.state, "still empty" in line.said) == (NOTE, True)
        (line,) = check(Config())
        assert line.state == OK and line.said.startswith("none")
        (line,) = check(Config(database_url=f"postgresql://me:s3cret@/x?host={tmp_path}"))
        assert line.state == WRONG and "s3cret" not in line.said

    async def test_it_says_who_works_and_what_waits(self, postgres: Cluster):
        url = postgres.database()
        lines = check(Config(database_url=url))
        assert [line.state for line in lines] == [OK, NOTE]
        await Queue(url, "W", Times()).put(job(), {}, None, 1.0)
        lines = check(Config(database_url=url))
        assert [line.state for line in lines] == [OK, WRONG] and "1 job waiting, 0 being done" in lines[0].said
        with psycopg.connect(url) as connection:
            connection.execute("INSERT INTO procrastinate_workers DEFAULT VALUES")
        assert [line.state for line in check(Config(database_url=url))] == [OK, OK]


class TestTheEngine:
    @staticmethod
    @contextlib.contextmanager
    def parts(folder: Path, **changes: str) -> Iterator[Parts]:
        config = Config(workspace_dir=str(folder), timezone="UTC", **changes)  # type: ignore[arg-type]
        with contextlib.closing(Store.open(config.workspace.create().inbox_db)) as store:
            parts: Parts = runtime.parts(config)(store)
            try:
                yield parts
            finally:
                assert parts.close is not None
                asyncio.run(parts.close())

    def test_fixes_go_to_workers_and_research_where_they_can_ask(self, postgres: Cluster, tmp_path: Path):
        url = postgres.database(is_prepared=False)
        with self.parts(tmp_path / "w") as parts:
            assert {type(parts.handlers[kind]) for kind in ("fix", "research")} == {AtHome}
        with self.parts(tmp_path / "w", database_url=url) as parts:
            assert (type(parts.handlers["fix"]), type(parts.handlers["research"])) == (Away, AtHome)
            assert any(isinstance(stage, Recalling) for stage in parts.stages)
            with pytest.raises(LoopdeskError, match="Another engine"), self.parts(tmp_path / "w", database_url=url):
                pass
        posthog = {"posthog_host": "https://eu.posthog.com", "posthog_personal_key": "phx_x", "posthog_project_id": "1"}
        with self.parts(tmp_path / "w", database_url=url, **posthog) as parts:
            assert type(parts.handlers["research"]) is Away

    def test_without_its_postgres_it_starts_all_the_same(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
        url = f"postgresql://me:s3cret@/x?host={tmp_path}"
        with self.parts(tmp_path / "w", database_url=url) as parts:
            assert type(parts.handlers["fix"]) is Away
        said = capsys.readouterr().err
        assert "Postgres does not answer" in said and "s3cret" not in said
