"""What deserves it is told, over every way, once: what goes out, what stays home, and what a failing way does."""

from __future__ import annotations

import asyncio
import email
import email.policy
import json
import os
import socket
import sqlite3
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest

from engine import notices, notify
from engine.budget import Books
from engine.judge import Unavailable
from engine.main import Worked
from engine.model import Report, Signal
from engine.notices import Facts, Held, Message, Names, Quiet
from engine.notify import MayHaveArrived, NotSent
from engine.notifying import MOST_TRIES, Notifying
from engine.store import Store
from engine.ways import ByCommand, ByMail, ByWebhook
from tests.conftest import NOW
from tests.engines import READY, Desk, answers, signal
from tests.mail_server import MailServer
from tests.posthog_double import Double, Scripted, page
from tests.test_engine_process import until
from tui.commands import cli
from tui.commands.checks import settings
from tui.commands.checks.line import OK, WRONG
from workspace.config import Config
from workspace.errors import LoopdeskError

MESSAGE = Message("P1 is ready: “; rm -rf ~ $(id)", "3 signals\n<!channel>", ("report:1:ready",), ("report",))
NAMES = Names(clients=("Acme", "Acme Corp"), projects=("autoagent",))


def report(id: str = "R1", *, priority: str = "P1", status: str = "ready", title: str = "Stop it", **more) -> Report:
    return Report(id, NOW, NOW, status=status, title=title, priority=priority, signals=3, **more)


def condition(source: str, at: datetime = NOW, **extra: object) -> Signal:
    where = {"project": "autoagent", "client": "Acme"} | extra
    return Signal("loops", source, f"{source}:autoagent/Acme", "autoagent/Acme did it\nmeasured", 1.0, at, where)


def news(*signals: Signal, reports=(), held=(), now: datetime = NOW) -> dict:
    return notices.news(Facts(signals, reports, held), now, "UTC", 18)


def config(**table: object) -> Config:
    return Config(timezone="UTC", notify=table)


class TestWhatDeservesIt:
    @pytest.mark.parametrize("source", ["bad_stops", "eval_regressions"])
    def test_a_condition_is_one_subject_for_a_night_and_another_the_next(self, source: str):
        first = news(condition(source))
        assert first.keys() == news(condition(source, NOW + timedelta(hours=2)), now=NOW + timedelta(hours=3)).keys()
        next_night = news(condition(source, NOW + timedelta(hours=20)), now=NOW + timedelta(hours=20))
        assert len(first) == len(next_night) == 1 and first.keys() != next_night.keys()

    def test_other_sources_and_what_is_older_than_a_day_are_no_news(self):
        assert not news(condition("plateau"), condition("bad_stops", NOW - timedelta(hours=25)))
        assert not news(reports=[(report(), NOW - timedelta(hours=25))])

    @pytest.mark.parametrize("status", ["ready", "pending_input"])
    def test_an_urgent_report_that_waits_for_a_human_is_told_and_others_are_not(self, status: str):
        assert list(news(reports=[(report(status=status), NOW)])) == [f"report:R1:{status}"]
        assert not news(reports=[(report(status=status, priority="P2"), NOW)])
        assert not news(reports=[(report(status=status, snoozed_until=NOW + timedelta(hours=1)), NOW)])

    def test_a_budget_is_one_subject_a_night_however_often_it_holds(self):
        assert len(news(held=[Held(NOW), Held(NOW + timedelta(minutes=1)), Held(NOW, "R1")])) == 2


class TestWhatStaysHome:
    def test_clients_distinct_ids_and_secrets_are_taken_out_of_a_title(self):
        title = "acme corp via autoagent:Acme:coder sent ghp_abcdefghijklmnop1234 to Acme"
        found = notices.notice("s", report(title=title), NAMES, details=False)
        assert found.title == "P1 is ready to start: [client] via [id] sent [redacted] to [client]"
        assert found.body == "3 signals"

    def test_a_condition_is_told_by_project_and_counts_alone(self):
        found = notices.notice("s", condition("bad_stops", numbers={"stops": 2}), NAMES, details=False)
        assert (found.title, found.body) == ("autoagent: a run ended by a crash or a kill switch", "2 stops")

    def test_findings_come_along_only_where_the_owner_says_so_and_secrets_never(self):
        asked = report(status="pending_input", question="Acme's key ghp_abcdefghijklmnop1234?\x1b[2J")
        assert "Acme" not in notices.notice("s", asked, NAMES, details=False).body
        assert notices.notice("s", asked, NAMES, details=True).body == "3 signals\nAcme's key [redacted]?"

    def test_several_are_one_message_that_lists_them(self):
        many = [notices.notice(str(n), report(title=f"Problem {n}"), NAMES, details=False) for n in range(20)]
        message = notices.message(many)
        assert message.title == "20 things need a look" and len(message.subjects) == 20
        assert "Problem 3" in message.body and message.body.endswith("and 8 more")


class TestQuietHours:
    @pytest.mark.parametrize(
        ("clock", "until"),
        [("2026-11-20T21:59", None), ("2026-11-20T22:00", "2026-11-21T07:30"), ("2026-11-21T03:00", "2026-11-21T07:30"),
         ("2026-11-21T07:30", None)],
    )  # fmt: skip
    def test_they_go_over_midnight_in_local_time(self, clock: str, until: str | None):
        def here(text: str) -> datetime:
            return datetime.fromisoformat(f"{text}+09:00")  # Tokyo, all the year

        found = Quiet(time(22), time(7, 30)).until(here(clock).astimezone(UTC), "Asia/Tokyo")
        assert found == (here(until) if until else None)

    def test_they_can_lie_within_a_day(self):
        quiet = Quiet(time(12), time(14))
        assert quiet.until(NOW.replace(hour=13), "UTC") == NOW.replace(hour=14, minute=0)
        assert quiet.until(NOW.replace(hour=15), "UTC") is None

    def test_they_end_at_the_wall_clocks_hour_where_the_clocks_change(self):
        spring = datetime(2026, 3, 28, 23, tzinfo=UTC)  # midnight in Berlin, before an hour is skipped
        assert Quiet(time(22), time(7)).until(spring, "Europe/Berlin") == datetime(2026, 3, 29, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    "table",
    [
        {"quite": "22:00-07:00"}, {"quiet": "late"}, {"quiet": "22:00-22:00"}, {"details": "yes"},
        {"command": "notify-send hello"}, {"command": []}, {"command": ["notify-send", "{title}"]},
        {"webhook": "hooks.example"}, {"webhook": "http://hooks.example/s3cret"},
        {"webhook": "https://me:s3cret@hooks.example/"}, {"mail": "me@example.org"},
        {"mail": {"host": "smtp.example", "from": "a@b.example", "to": []}},
        {"mail": {"host": "smtp.example", "from": "a@b.example\nBcc: x@y.example", "to": ["c@d.example"]}},
        {"mail": {"host": "smtp.example", "from": "a@b.example", "to": ["c@d.example"], "port": 0}},
        {"mail": {"host": "s", "from": "a@b.c", "to": ["c@d.e"], "security": "none", "user": "me"}},
        {"mail": {"host": "s", "from": "a@b.c", "to": ["c@d.e"], "password": "s3cret"}},
    ],
)  # fmt: skip
def test_a_configuration_that_makes_no_sense_is_one_sentence(table: dict):
    with pytest.raises(LoopdeskError) as error:
        Notifying(config(**table))
    assert str(error.value).endswith(".") and "\n" not in str(error.value) and "s3cret" not in str(error.value)


@pytest.fixture
def script(tmp_path: Path) -> ByCommand:
    """Appends what it is given to `told.jsonl` beside it."""
    path = tmp_path / "tell.py"
    path.write_text(
        "import json, os, sys\n"
        "given = {'stdin': sys.stdin.read(), 'argv': sys.argv[1:], 'environment': dict(os.environ)}\n"
        f"open({str(tmp_path / 'told.jsonl')!r}, 'a').write(json.dumps(given) + '\\n')\n"
    )
    return ByCommand((sys.executable, "-S", str(path), "--urgent"))


def _has_ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def told(folder: Path) -> list[dict]:
    path = folder / "told.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


class TestByCommand:
    def test_the_text_is_input_and_environment_never_an_argument_and_keys_stay_behind(
        self, script: ByCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-s3cret")
        script.send(MESSAGE)
        (given,) = told(tmp_path)
        assert given["argv"] == ["--urgent"]
        assert given["stdin"] == f"{MESSAGE.title}\n{MESSAGE.body}\n"
        assert given["environment"]["LOOPDESK_TITLE"] == MESSAGE.title
        assert "ANTHROPIC_API_KEY" not in given["environment"]

    def test_one_that_fails_or_is_not_there_was_not_sent(self):
        for arguments in (("false",), ("/nowhere/tell",)):
            with pytest.raises(NotSent):
                ByCommand(arguments).send(MESSAGE)

    def test_one_that_does_not_end_is_killed_with_its_children_and_may_have_arrived(self, tmp_path: Path):
        pid = tmp_path / "pid"
        for limit_s in (0.3, 3, 30):  # on a busy machine it may be killed before it has started its child
            with pytest.raises(MayHaveArrived):
                ByCommand(("sh", "-c", f"sleep 600 & echo $! > {pid}; wait"), limit_s=limit_s).send(MESSAGE)
            if pid.exists() and pid.read_text().endswith("\n"):
                break
        # A kill is told at once, and carried out when the machine comes to it.
        until(lambda: _has_ended(int(pid.read_text())))


class TestByWebhook:
    def send(self, *script: Scripted, **more: float) -> Double:
        with Double(list(script)).running() as double:
            ByWebhook(f"{double.url}/services/s3cret", **more).send(MESSAGE)
        return double

    def test_it_is_a_post_of_json_that_calls_nobody(self):
        (received,) = self.send(Scripted(body=b"ok")).received
        assert (received.method, received.path) == ("POST", "/services/s3cret")
        assert received.body is not None and received.body["title"] == MESSAGE.title
        assert "<!channel>" not in received.body["text"] and received.body["kinds"] == ["report"]

    @pytest.mark.parametrize("answer", [page(500), page(404), Scripted(302, headers={"Location": "http://127.0.0.1/"})])
    def test_a_refusal_or_a_redirect_was_not_sent_and_its_address_is_not_told(self, answer: Scripted):
        with pytest.raises(NotSent) as error:
            self.send(answer)
        assert "s3cret" not in str(error.value)

    @pytest.mark.parametrize("answer", [Scripted(vanishes=True), Scripted(hangs=True), page(504)])
    def test_one_that_does_not_answer_may_have_got_it(self, answer: Scripted):
        with pytest.raises(MayHaveArrived) as error:
            self.send(answer, limit_s=0.2)
        assert "s3cret" not in f"{error.value} {error.value.__cause__}"

    def test_one_that_cannot_be_reached_has_not_got_it(self):
        with socket.create_server(("127.0.0.1", 0)) as held:
            port = held.getsockname()[1]
        with pytest.raises(NotSent):
            ByWebhook(f"http://127.0.0.1:{port}/s3cret").send(MESSAGE)

    def test_its_address_is_in_no_repr(self):
        made = config(webhook="https://hooks.example/s3cret")
        assert "s3cret" not in repr(made) + repr(notify.ways(made)) + repr(notify.settings(made))


class TestByMail:
    def way(self, server: MailServer, **more: object) -> ByMail:
        table = {"host": "127.0.0.1", "port": server.port, "security": "none", "from": "loop@a.example"}
        (way,) = notify.ways(config(mail={**table, "to": ["me@b.example", "you@b.example"], **more}))
        assert isinstance(way, ByMail)
        return way

    def test_a_letter_reaches_everybody_as_text(self):
        with MailServer().running() as server:
            self.way(server).send(replace(MESSAGE, title="P1: “überall”"))
        ((sender, recipients, text),) = server.letters
        letter = email.message_from_string(text, policy=email.policy.default)
        assert (sender, recipients) == ("loop@a.example", ["me@b.example", "you@b.example"])
        assert letter["Subject"] == "P1: “überall”" and "3 signals" in letter.get_content()

    def test_the_password_is_in_the_environment_or_in_a_file_of_ones_own(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        kept = tmp_path / "password"
        kept.write_text("s3cret\n")
        kept.chmod(0o600)
        with MailServer(user="me").running() as server:
            with pytest.raises(NotSent):
                self.way(server, user="me").send(MESSAGE)
            monkeypatch.setenv("LOOPDESK_MAIL_PASSWORD", "s3cret")
            self.way(server, user="me").send(MESSAGE)
            self.way(server, user="me", password_file=str(kept)).send(MESSAGE)
            kept.chmod(0o644)
            with pytest.raises(NotSent) as error:
                self.way(server, user="me", password_file=str(kept)).send(MESSAGE)
        assert server.logins == ["me", "me"] and "s3cret" not in str(error.value)

    @pytest.mark.parametrize("answers", [{"RCPT": "550 nobody"}, {"MAIL": "451 later"}, {"DATA": "554 spam"}])
    def test_what_the_server_refuses_was_not_sent(self, answers: dict[str, str]):
        with MailServer(answers).running() as server, pytest.raises(NotSent):
            self.way(server).send(MESSAGE)

    def test_a_server_that_goes_away_with_the_letter_may_have_taken_it(self):
        with MailServer(vanishes=True).running() as server, pytest.raises(MayHaveArrived):
            self.way(server).send(MESSAGE)

    def test_one_without_the_encryption_that_was_asked_for_gets_nothing(self):
        with MailServer().running() as server, pytest.raises(NotSent):
            self.way(server, security="starttls").send(MESSAGE)
        assert server.letters == []


class Recording:
    """A way that does as it is told: raises what is in `fails`, in order, then takes everything."""

    name = "a recording"

    def __init__(self, key: str = "command", *fails: Exception) -> None:
        self.key, self.fails, self.taken, self.tried = key, list(fails), [], 0

    def send(self, message: Message) -> None:
        self.tried += 1
        if self.fails:
            raise self.fails.pop(0)
        self.taken.append(message)


class TestTheStage:
    @pytest.fixture
    def desk(self, tmp_path: Path) -> Iterator[Desk]:
        desk = Desk(tmp_path / "w", answers(READY))
        yield desk
        desk.close()

    def ready(self, desk: Desk, *ways: object, said: list[str] | None = None, **table: object) -> None:
        """A P1 report becomes ready beside a stage that has just been made, as after a restart."""
        tell = said.append if said is not None else lambda _: None
        desk.stages = (Notifying(config(**table), ways or None, tell=tell),)  # type: ignore[arg-type]
        desk.comes(signal("plateau"))
        desk.turn()

    def rows(self, desk: Desk) -> list[tuple]:
        with sqlite3.connect(desk.workspace.inbox_db) as connection:
            return connection.execute("SELECT way, tries, sent_at, error FROM notifications ORDER BY seq").fetchall()

    def test_a_report_is_told_once_by_every_way_and_never_again_after_a_restart(self, desk: Desk, tmp_path: Path):
        mail = Recording("mail")
        self.ready(desk, command := Recording(), mail)
        assert [one.title for one in command.taken] == [one.title for one in mail.taken]
        assert command.taken[0].title.startswith("P1 is ready to start")
        self.ready(desk, again := Recording(), Recording("mail"))
        assert again.taken == [] and [way for way, *_ in self.rows(desk)] == ["command", "mail"]

    def test_a_real_command_is_run_by_the_engine(self, desk: Desk, script: ByCommand, tmp_path: Path):
        self.ready(desk, command=list(script.arguments))
        (given,) = told(tmp_path)
        assert READY["title"] in given["stdin"]  # type: ignore[operator]

    def test_what_comes_in_quiet_hours_is_one_summary_after_them(self, desk: Desk):
        way = Recording()
        self.ready(desk, way, quiet="06:00-08:00")  # it is 07:12
        desk.comes(*(replace(condition(kind), occurred_at=desk.now) for kind in ("bad_stops", "eval_regressions")))
        desk.turn()
        assert way.tried == 0 and len(self.rows(desk)) == 3
        desk.later(minutes=48)
        desk.turn()
        (summary,) = way.taken
        assert summary.title == "3 things need a look"

    def test_a_way_that_fails_is_tried_again_alone_and_given_up_in_the_end(self, desk: Desk):
        said: list[str] = []
        broken, well = Recording("webhook", *[NotSent("it refused it")] * 20), Recording("mail")
        self.ready(desk, broken, well, said=said)
        for _ in range(10):
            desk.later(minutes=30)
            desk.turn()
        assert broken.tried == MOST_TRIES and well.tried == 1
        assert len(said) == 1 and "it refused it" in said[0]
        assert [(way, bool(sent)) for way, _, sent, _ in self.rows(desk)] == [("webhook", False), ("mail", True)]

    def test_it_is_not_tried_again_before_its_time(self, desk: Desk):
        way = Recording("command", NotSent("busy"))
        self.ready(desk, way)
        desk.later(seconds=59)
        desk.turn()
        assert way.tried == 1
        desk.later(seconds=1)
        desk.turn()
        assert len(way.taken) == 1

    @pytest.mark.parametrize("error", [MayHaveArrived("no answer"), RuntimeError("a fault of ours")])
    def test_what_may_have_arrived_is_never_sent_again(self, desk: Desk, error: Exception):
        way = Recording("command", error)
        self.ready(desk, way)
        desk.later(hours=3)
        desk.turn()
        assert way.tried == 1 and self.rows(desk)[0][3] != ""

    def test_what_a_human_put_there_is_no_news(self, desk: Desk):
        self.ready(desk)  # nothing is set up
        resolved = desk.applied("resolve", desk.report())
        desk.later(hours=30)
        desk.inbox.undo(resolved.id, desk.now)  # the opposite is decided: it is ready again
        desk.later(seconds=11)
        desk.stages = (Notifying(config(), [way := Recording()]),)
        desk.turn()
        assert desk.report().status == "ready" and way.tried == 0

    def test_a_budget_that_is_reached_is_told_once_a_night(self, desk: Desk):
        desk.turn()
        store = Store.open(desk.workspace.inbox_db)
        books = Books(Config(timezone="UTC", budgets={"night_usd": 1.0}), store, lambda: desk.now)
        way = Recording()
        desk.stages = (Notifying(config(), [way]),)
        for _ in range(3):
            books.reserve(0.3, role="safety", model="m")
        for hours in (0, 1, 24):
            desk.later(hours=hours)
            if hours == 24:
                for _ in range(3):
                    books.reserve(0.3, role="safety", model="m")
            with pytest.raises(Unavailable):
                books.reserve(0.3, role="safety", model="m")
            desk.turn()
        store.close()
        assert [message.kinds for message in way.taken] == [["budget"], ["budget"]]

    async def test_a_slow_way_holds_nobody_up_and_is_looked_after_later(self, desk: Desk):
        desk.comes(signal("plateau"))
        await asyncio.to_thread(desk.turn)
        released = threading.Event()

        class Slow(Recording):
            def send(self, message: Message) -> None:
                released.wait(60)
                super().send(message)

        stage = Notifying(config(), [way := Slow()], patience_s=0.01)
        store = Store.open(desk.workspace.inbox_db)
        try:
            worked = await stage(store, desk.now)
            assert worked.next_due == desk.now + timedelta(seconds=1)
            assert await stage(store, desk.now) == Worked(0, worked.next_due, True) and way.taken == []
            released.set()
            await asyncio.gather(*(flight.task for flight in stage._flights.values()))
            assert await stage(store, desk.now) == Worked(1) and len(way.taken) == 1
        finally:
            released.set()
            store.close()

    def test_an_engine_that_ends_by_itself_waits_for_what_is_on_its_way(self, desk: Desk):
        looked = threading.Event()

        class Slow(Recording):
            def send(self, message: Message) -> None:
                looked.wait(60)
                super().send(message)

        class Watched(Notifying):
            async def __call__(self, store: Store, now: datetime) -> Worked:
                if self._flights:  # it was left alone once
                    looked.set()
                return await super().__call__(store, now)

        desk.stages = (Watched(config(), [way := Slow()], patience_s=0),)
        desk.comes(signal("plateau"))
        desk.turn()
        assert len(way.taken) == 1 and self.rows(desk)[0][2] is not None

    def test_one_that_is_stopped_waits_for_nobody(self, desk: Desk):
        released, ended = threading.Event(), threading.Event()

        class Hanging(Recording):
            def send(self, message: Message) -> None:
                released.wait(60)
                ended.set()

        desk.comes(signal("plateau"))
        desk.turn()
        store = Store.open(desk.workspace.inbox_db)
        stage = Notifying(config(), [Hanging()], patience_s=0)
        try:
            asyncio.run(stage(store, desk.now))  # the loop ends with it on its way
            assert not ended.is_set() and self.rows(desk)[0][2] is None
        finally:
            released.set()
            store.close()


class TestTheCommand:
    def run(self, capsys: pytest.CaptureFixture, tmp_path: Path, text: str, *arguments: str) -> tuple[int, str, str]:
        folder = Path(os.environ["HOME"]) / ".config" / "loopdesk"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (folder / "config.toml").write_text(text)
        code = cli.run(["--workspace", str(tmp_path / "w"), "notify", *arguments])
        return (code, *capsys.readouterr())

    def test_it_says_for_every_way_whether_it_arrived_and_fails_where_one_did_not(
        self, capsys: pytest.CaptureFixture, tmp_path: Path, script: ByCommand
    ):
        command = f"command = {json.dumps(list(script.arguments))}"
        with Double([Scripted(body=b"ok"), page(500)]).running() as double:
            text = f'[notify]\n{command}\nwebhook = "{double.url}/s3cret"\nquiet = "00:00-23:59"\n'
            assert self.run(capsys, tmp_path, text, "--test")[0] == 0
            code, out, _ = self.run(capsys, tmp_path, text, "--test", "--json")
        assert code == 1 and "s3cret" not in out
        assert [one["arrived"] for one in json.loads(out)["ways"]] == [True, False]
        assert len(told(tmp_path)) == 2

    @pytest.mark.parametrize("text", ["", "[notify]\nquiet = '22:00-07:00'\n", "[notify]\nwebhook = 'no'\n"])
    def test_it_fails_in_a_sentence_where_no_way_is_set_up(self, capsys, tmp_path: Path, text: str):
        with pytest.raises(LoopdeskError):
            self.run(capsys, tmp_path, text, "--test")

    def test_the_doctor_names_the_ways_and_shows_no_address(self):
        (line,) = (
            one for one in settings.check(config(webhook="https://hooks.example/s3cret")) if one.name == "notify"
        )
        assert line.state == OK and "hooks.example" in line.said and "s3cret" not in line.said
        (line,) = (one for one in settings.check(config(webhook="hooks.example/s3cret")) if one.name == "notify")
        assert line.state == WRONG and "s3cret" not in line.said
