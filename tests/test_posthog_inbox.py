"""PostHog's own inbox: listed page by page, states sent back, and a sentence where there is none."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import click
import pytest
from click.testing import CliRunner

from queries.limiter import Limiter, account
from queries.posthog_inbox import OPEN, STATUSES, PostHogInbox, open_inbox
from queries.remote_errors import PostHogFailed, PostHogUnreachable, Throttled
from queries.remote_exchange import Exchanges
from queries.remote_http import Transport
from tests.posthog_double import Double, Received, Scripted, json_answer, page, refusal
from tui.commands.cli import Context
from tui.commands.inbox_posthog import command
from workspace.config import Config
from workspace.errors import LoopdeskError

KEY = "phx_" + "s3cret" * 6
HOSTILE = "\x1b]0;pwned\x07Loops [bold]stall[/] \u202etxt.exe"


def row(number: int, **more: object) -> dict:
    """As PostHog's list has it, with some of the fields that are not read."""
    return {
        "id": f"0193{number:04}-aaaa-7bbb-8ccc-1234567890ab",
        "title": f"Problem {number}",
        "summary": "It fails.\nThis is why.",
        "status": "ready",
        "priority": "P1",
        "actionability": "immediately_actionable",
        "signal_count": 4,
        "total_weight": 2.5,
        "created_at": "2026-11-19T01:02:03.000456Z",
        "updated_at": "2026-11-20T01:02:03Z",
        "charts": [],
    } | more


class Inboxes:
    """A PostHog that keeps reports: it pages, and states change what it lists."""

    def __init__(self, *rows: dict) -> None:
        self.rows = list(rows)

    def __call__(self, received: Received) -> Scripted | None:
        parts = urlsplit(received.path)
        if not parts.path.startswith("/api/projects/7/signals/reports/"):
            return None
        rest = parts.path.removeprefix("/api/projects/7/signals/reports/")
        if not rest:
            return self.listed({name: values[0] for name, values in parse_qs(parts.query).items()})
        found = next((one for one in self.rows if one["id"] == rest.partition("/")[0]), None)
        if found is None:
            return None
        if rest.endswith("/state/"):
            assert received.method == "POST" and received.body is not None
            if received.body["state"] == "resolved" and found["status"] not in ("ready", "pending_input", "suppressed"):
                return refusal(409, "Cannot resolve a report that is potential.", "invalid_request", "conflict")
            found["status"] = received.body["state"]
        return json_answer(found)

    def listed(self, asked: dict[str, str]) -> Scripted:
        offset, limit = int(asked["offset"]), int(asked["limit"])
        found = [one for one in self.rows if one["status"] in asked["status"].split(",")]
        more = "https://elsewhere.example/?offset=1" if offset + limit < len(found) else None
        return json_answer({"count": len(found), "next": more, "results": found[offset : offset + limit]})


@pytest.fixture
def double() -> Iterator[Callable[..., Double]]:
    running = []

    def start(*script: Scripted, rows: tuple[dict, ...] = ()) -> Double:
        context = Double(list(script), Inboxes(*rows)).running()
        running.append(context)
        return context.__enter__()

    yield start
    for context in running:
        context.__exit__(None, None, None)


@pytest.fixture
def asks(tmp_path: Path) -> Iterator[Callable[[Double], PostHogInbox]]:
    opened = []

    def ask(double: Double) -> PostHogInbox:
        limiter = Limiter(tmp_path / "limits")
        opened.append(
            PostHogInbox(
                Exchanges(
                    Transport(double.url, KEY), limiter, account(double.url, KEY), "7", pause=lambda seconds: None
                )
            )
        )
        return opened[-1]

    yield ask
    for inbox in opened:
        inbox.close()


class TestListing:
    def test_a_report_is_what_posthog_says_made_safe_to_show(self, double, asks):
        served = double(rows=(row(1, title=HOSTILE, summary=f"{HOSTILE}\nmore"),))
        (found,) = asks(served).reports().reports
        assert found.title == "Loops [bold]stall[/] txt.exe" and found.summary.splitlines()[1] == "more"
        assert (found.status, found.priority, found.signals) == ("ready", "P1", 4)
        assert found.created_at is not None and found.updated_at is not None and found.created_at < found.updated_at
        assert found.url.startswith(served.url) and found.url.endswith(found.id)
        assert served.received[0].headers["authorization"] == f"Bearer {KEY}"

    def test_only_what_is_open_is_asked_for_by_itself(self, double, asks):
        served = double(rows=(row(1), row(2, status="resolved"), row(3, status="potential")))
        inbox = asks(served)
        assert [one.title for one in inbox.reports().reports] == ["Problem 1"]
        assert len(inbox.reports(STATUSES).reports) == 3

    def test_pages_are_read_to_the_end_and_never_where_the_answer_points(self, double, asks):
        served = double(rows=tuple(row(number) for number in range(230)))
        found = asks(served).reports()
        assert len(found.reports) == 230 and found.is_all
        assert len(served.received) == 3

    def test_what_moves_between_pages_is_listed_once(self, double, asks):
        first = json_answer({"count": 101, "next": "x", "results": [row(number) for number in range(100)]})
        second = json_answer({"count": 101, "next": None, "results": [row(99), row(100)]})
        assert len(asks(double(first, second)).reports().reports) == 101

    def test_the_list_ends_at_its_cap_and_says_so(self, double, asks):
        served = double(rows=tuple(row(number) for number in range(230)))
        found = asks(served).reports(most=150)
        assert len(found.reports) == 150 and not found.is_all

    def test_an_answer_that_never_ends_does(self, double, asks):
        class Endless(Inboxes):
            def listed(self, asked):
                return json_answer({"count": 9, "next": "more", "results": [row(1)]})

        served = double()
        served.otherwise = Endless()
        assert len(asks(served).reports(most=300).reports) == 1

    @pytest.mark.parametrize(
        "odd",
        [
            {"id": "../../users"}, {"id": None}, {"id": ""}, "no report",
        ],
    )  # fmt: skip
    def test_what_cannot_be_named_is_left_out(self, double, asks, odd):
        strange = row(1, **odd) if isinstance(odd, dict) else odd
        served = double(json_answer({"next": None, "results": [strange, row(2)]}))
        assert [one.title for one in asks(served).reports().reports] == ["Problem 2"]

    def test_odd_values_are_no_values(self, double, asks):
        odd = row(1, title=None, status="new", priority="P9", signal_count="4", created_at="soon", summary=None)
        (found,) = asks(double(json_answer({"next": None, "results": [odd]}))).reports().reports
        assert (found.status, found.priority, found.signals, found.created_at) == ("unknown", "", 0, None)
        assert found.title and found.summary == ""


class TestWithoutSuchAnInbox:
    @pytest.mark.parametrize(
        "answer",
        [
            refusal(404, "Not found.", "invalid_request", "not_found"),
            refusal(403, "API key missing required scope 'task:read'", "authentication_error", "permission_denied"),
            refusal(401, "Invalid personal API key.", "authentication_error", "authentication_failed"),
            page(200),
        ],
    )
    def test_it_is_said_once_and_is_no_error(self, double, asks, answer):
        served = double(answer)
        inbox = asks(served)
        found = inbox.reports()
        assert found.reports == () and found.unavailable.endswith(".") and "s3cret" not in found.unavailable
        assert inbox.reports() == found and len(served.received) == 1

    def test_the_scope_that_is_missing_is_named(self, double, asks):
        said = refusal(403, "API key missing required scope 'task:read'", "authentication_error", "permission_denied")
        assert "task:read" in asks(double(said)).reports().unavailable


class TestTrouble:
    @pytest.mark.parametrize("first", [refusal(503, "busy"), refusal(429, "slow down"), Scripted(vanishes=True)])
    def test_what_passes_is_asked_again(self, double, asks, first):
        served = double(first, rows=(row(1),))
        assert len(asks(served).reports().reports) == 1 and len(served.received) == 2

    @pytest.mark.parametrize(
        ("answer", "error"),
        [
            (refusal(500, "oops"), PostHogFailed),
            (json_answer({"detail": "what?"}), PostHogFailed),
            (json_answer([1]), PostHogFailed),
            (Scripted(302, headers={"Location": "https://elsewhere.example/"}), PostHogUnreachable),
            (refusal(429, "Expected available in 900 seconds."), Throttled),
        ],
    )
    def test_the_rest_is_a_sentence(self, double, asks, answer, error):
        with pytest.raises(error) as found:
            asks(double(answer)).reports()
        assert str(found.value).endswith(".") and "s3cret" not in str(found.value)


class TestStates:
    @pytest.mark.parametrize(
        ("send", "sent"),
        [
            (lambda inbox, id: inbox.resolve(id), {"state": "resolved"}),
            (
                lambda inbox, id: inbox.dismiss(id, "wontfix_intentional", "by design"),
                {"state": "suppressed", "dismissal_reason": "wontfix_intentional", "dismissal_note": "by design"},
            ),
            (lambda inbox, id: inbox.snooze(id, 5), {"state": "potential", "snooze_for": 5}),
            (lambda inbox, id: inbox.reopen(id), {"state": "potential"}),
        ],
    )
    def test_a_verdict_is_sent_as_posthog_documents_it(self, double, asks, send, sent):
        served = double(rows=(row(1),))
        inbox = asks(served)
        send(inbox, row(1)["id"])
        (received,) = served.received
        assert (received.method, received.body) == ("POST", sent)
        assert received.path == f"/api/projects/7/signals/reports/{row(1)['id']}/state/"
        assert inbox.report(row(1)["id"]).status == sent["state"]

    def test_a_state_that_is_not_allowed_is_told_in_posthogs_words(self, double, asks):
        with pytest.raises(LoopdeskError, match="Cannot resolve a report that is potential"):
            asks(double(rows=(row(1, status="potential"),))).resolve(row(1)["id"])

    @pytest.mark.parametrize(
        "send",
        [
            lambda inbox: inbox.resolve("../../../users/@me"), lambda inbox: inbox.dismiss(row(1)["id"], "because"),
            lambda inbox: inbox.dismiss(row(1)["id"], "other", "x" * 4001), lambda inbox: inbox.snooze(row(1)["id"], 0),
        ],
    )  # fmt: skip
    def test_what_makes_no_sense_is_not_sent(self, double, asks, send):
        served = double(rows=(row(1),))
        with pytest.raises(LoopdeskError):
            send(asks(served))
        assert served.received == []

    def test_one_that_is_gone_is_an_error(self, double, asks):
        with pytest.raises(LoopdeskError, match="not in PostHog's inbox"):
            asks(double()).resolve(row(1)["id"])


class TestTheCommand:
    def run(self, served: Double, tmp_path: Path, *arguments: str) -> tuple[int, str, object]:
        made = Config(
            workspace_dir=str(tmp_path / "w"), timezone="UTC", posthog_host=served.url, posthog_project_id="7",
            posthog_personal_key=KEY,
        )  # fmt: skip
        done = CliRunner().invoke(command, arguments, obj=Context(made, {}))
        return done.exit_code, done.output, done.exception

    def test_the_list_has_ids_that_tell_apart_and_json_has_all(self, double, tmp_path):
        served = double(rows=(row(1), row(2)))
        code, out, _ = self.run(served, tmp_path, "list")
        assert code == 0 and "01930001" in out and "01930002" in out and "Problem 2" in out
        document = json.loads(self.run(served, tmp_path, "list", "--json")[1])
        assert [one["origin"] for one in document["reports"]] == ["posthog", "posthog"] and document["is_all"]

    def test_a_report_is_named_by_the_beginning_of_its_id(self, double, tmp_path):
        served = double(rows=(row(1), row(2, status="potential")))
        assert self.run(served, tmp_path, "dismiss", "01930002", "--reason", "other")[0] == 0
        assert [one["status"] for one in served.otherwise.rows] == ["ready", "suppressed"]
        assert self.run(served, tmp_path, "snooze", row(1)["id"], "--signals", "3", "--json")[0] == 0
        assert served.received[-1].body == {"state": "potential", "snooze_for": 3}

    @pytest.mark.parametrize("name", ["0193", "abc", ""])
    def test_a_name_that_fits_none_or_several_changes_nothing(self, double, tmp_path, name):
        served = double(rows=(row(1), row(2)))
        _, _, error = self.run(served, tmp_path, "resolve", name)
        assert isinstance(error, LoopdeskError)
        assert [one.method for one in served.received] == ["GET"]

    def test_a_project_without_one_is_listed_as_empty_and_cannot_be_decided_in(self, double, tmp_path):
        code, out, _ = self.run(double(), tmp_path, "list")
        assert code == 0 and out
        document = json.loads(self.run(served := double(refusal(404, "no")), tmp_path, "list", "--json")[1])
        assert document["reports"] == [] and document["unavailable"]
        assert isinstance(self.run(served, tmp_path, "resolve", "0193")[2], LoopdeskError)

    def test_a_reason_is_one_of_posthogs(self, double, tmp_path):
        code, _, _ = self.run(double(rows=(row(1),)), tmp_path, "dismiss", "0193", "--reason", "because")
        assert code == click.UsageError.exit_code


def test_without_a_connection_nothing_is_opened():
    with pytest.raises(LoopdeskError):
        open_inbox(Config())


def test_what_is_open_is_neither_a_hunch_nor_over():
    assert not {"potential", "resolved", "suppressed", "deleted"} & set(OPEN)
