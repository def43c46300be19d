"""Asking a PostHog over HTTP: what is sent, what comes back, and a sentence for each way in which it can go wrong."""

from __future__ import annotations

import gzip
import json
import socket
import sqlite3
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path

import httpx
import pytest

from queries.backend import QueryCancelled, QueryRefused, QueryTimedOut
from queries.limiter import Limiter, account
from queries.remote import Manner, RemoteBackend, open_remote, pause_before_retry
from queries.remote_errors import (
    AnswerTooLarge,
    KeyRefused,
    PostHogBusy,
    PostHogFailed,
    PostHogUnreachable,
    Refusal,
    Throttled,
    duration,
    error_for,
    seconds_in,
)
from queries.remote_host import private_host
from queries.remote_http import CutOff, Transport, unreachable
from tests.conftest import NOW
from tests.posthog_double import Double, Scripted, json_answer, page, refusal, rows
from workspace import config
from workspace.errors import LoopdeskError

KEY = "phx_" + "s3cret" * 6
ASKED = "SELECT 1"
Asks = Callable[..., RemoteBackend]
Runs = Callable[..., Double]


@pytest.fixture
def double() -> Iterator[Runs]:
    running = []

    def start(*script: Scripted, **more) -> Double:
        context = Double(list(script), **more).running()
        running.append(context)
        return context.__enter__()

    yield start
    for context in running:
        context.__exit__(None, None, None)


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[Asks]:
    opened: list[RemoteBackend] = []

    def connect(host: str, *, key: str = KEY, project: str = "42", transport: dict | None = None, **more):
        made = Transport(host, key, **(transport or {}))
        more.setdefault("now", lambda: NOW)
        more.setdefault("pause", lambda _seconds: None)
        limiter = Limiter(tmp_path / "state", pause=lambda _seconds: None)
        opened.append(RemoteBackend(made, limiter, account(made.host, key), project, **more))
        return opened[-1]

    yield connect
    for backend in opened:
        backend.close()


def refused(backend: RemoteBackend, kind: type[LoopdeskError], text: str = ASKED) -> LoopdeskError:
    """The error that asking ends with: a sentence, and never with the key in it."""
    with pytest.raises(kind) as caught:
        backend.query(text)
    error = caught.value
    assert error.what and (error.do or isinstance(error, QueryRefused))
    assert "s3cret" not in str(error) and "<" not in str(error) and "\n" not in str(error)
    return error


# -- where ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ("https://us.i.posthog.com", "https://us.posthog.com"),
        ("https://eu.i.posthog.com/", "https://eu.posthog.com"),
        ("https://app.posthog.com/project/12", "https://us.posthog.com"),
        ("us.posthog.com", "https://us.posthog.com"),
        ("http://eu.posthog.com", "https://eu.posthog.com"),
        ("HTTPS://US.I.POSTHOG.COM//", "https://us.posthog.com"),
        ("https://posthog.example.org/", "https://posthog.example.org"),
        ("https://example.org/posthog/batch/", "https://example.org/posthog"),
        ("http://localhost:8377/", "http://localhost:8377"),
        ("http://[::1]:8000/i/v0/e/", "http://[::1]:8000"),
        ("https://usXiYposthog.com.example", "https://usxiyposthog.com.example"),
    ],
)
def test_the_private_host_is_derived(given: str, asked: str):
    assert private_host(given) == asked


@pytest.mark.parametrize("given", ["", "  ", "ftp://us.posthog.com", "https://", "http://a:port", "https://u:p@host"])
def test_what_is_no_address_is_refused_in_a_sentence(given: str):
    with pytest.raises(LoopdeskError) as caught:
        private_host(given)
    assert "p@" not in str(caught.value)


@pytest.mark.parametrize("key", ["", "  ", "short", "phx_with space inside", "phx_line\nend12345", "phx_ümlaut12345"])
def test_a_malformed_key_is_never_sent_nor_shown(key: str):
    with pytest.raises(LoopdeskError) as caught:
        Transport("https://us.posthog.com", key)
    assert len(key.strip()) < 6 or key.strip() not in str(caught.value)


def test_the_configured_posthog_is_opened_without_asking_it():
    settings = config.load({"posthog_host": "https://eu.i.posthog.com", "posthog_personal_key": KEY}, {})
    backend = open_remote(settings)
    assert (backend.host, backend.project_id, backend.name) == ("https://eu.posthog.com", "@current", "posthog")
    with pytest.raises(LoopdeskError, match="POSTHOG_PERSONAL_API_KEY"):
        open_remote(config.load({"posthog_host": "https://eu.posthog.com"}, {}))
    with pytest.raises(LoopdeskError, match="POSTHOG_HOST"):
        open_remote(config.load({"posthog_personal_key": KEY}, {}))


# -- what is sent -----------------------------------------------------------------------------------------------------


def test_a_query_travels_as_posthog_wants_it(double: Runs, remote: Asks):
    posthog = double(rows([1]))
    berlin = timezone(timedelta(hours=1))
    values = {
        "since": datetime(2026, 11, 20, 1, 2, 3, 45, berlin),
        "naive": datetime(2026, 11, 20),
        "typed": "2026-11-20 04:05",
        "n": 3,
        "share": 0.5,
        "on": True,
        "names": ("a", "b"),
        "project": "it's; DROP",
    }
    types = {"since": "DateTime", "typed": "DateTime", "project": "String"}
    remote(posthog.url).query("SELECT {n}", values, types)
    asked = posthog.received[0]
    assert (asked.method, asked.path) == ("POST", "/api/projects/42/query/")
    assert asked.headers["authorization"] == f"Bearer {KEY}" and asked.headers["user-agent"].startswith("loopdesk")
    assert KEY not in json.dumps(asked.body) and KEY not in asked.path
    assert asked.body["refresh"] == "blocking" and asked.body["name"] and len(asked.body["client_query_id"]) == 36
    assert asked.body["query"] == {
        "kind": "HogQLQuery",
        "query": "SELECT {n}",
        "values": {
            "since": "2026-11-20T00:02:03.000045Z",
            "naive": "2026-11-20T00:00:00.000000Z",
            "typed": "2026-11-20T04:05:00.000000Z",
            "n": 3,
            "share": 0.5,
            "on": True,
            "names": ["a", "b"],
            "project": "it's; DROP",
        },
    }


def test_a_value_that_is_not_of_its_type_is_refused_before_anything_is_sent(double: Runs, remote: Asks):
    posthog = double()
    for value, type in [("yesterday-ish", "DateTime"), ("many", "Int64"), (float("nan"), "Float64")]:
        with pytest.raises(QueryRefused):
            remote(posthog.url).query("SELECT {x}", {"x": value}, {"x": type})
    assert posthog.received == []


def test_a_refresh_by_hand_passes_over_the_cache(double: Runs, remote: Asks):
    posthog = double(rows([1]), rows([1]))
    backend = remote(posthog.url)
    backend.with_manner(fresh=True).query(ASKED)
    backend.with_manner(in_background=True).query(ASKED)
    assert [one.body["refresh"] for one in posthog.received] == ["force_blocking", "async"]


def test_without_a_project_the_keys_current_one_is_asked(double: Runs, remote: Asks):
    posthog = double(rows([1]))
    remote(posthog.url, project="").query(ASKED)
    assert posthog.received[0].path == "/api/projects/@current/query/"


def test_a_strange_project_id_stays_in_its_place_of_the_path(double: Runs, remote: Asks):
    posthog = double(rows([1]))
    remote(posthog.url, project="../x?y").query(ASKED)
    assert posthog.received[0].path == "/api/projects/..%2Fx%3Fy/query/"


def test_questions_one_after_the_other_share_a_connection(double: Runs, remote: Asks):
    posthog = double(rows([1]), rows([2]), rows([3]))
    backend = remote(posthog.url)
    for _ in range(3):
        backend.query(ASKED)
    assert len({asked.connection for asked in posthog.received}) == 1


def test_loopback_is_never_asked_through_a_proxy(double: Runs, remote: Asks, monkeypatch: pytest.MonkeyPatch):
    proxy, posthog = double(), double(rows([1]))
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    monkeypatch.setenv("ALL_PROXY", proxy.url)
    remote(posthog.url).query(ASKED)
    assert proxy.received == []


# -- what comes back --------------------------------------------------------------------------------------------------


def test_cells_are_what_the_embedded_store_gives(double: Runs, remote: Asks):
    cells = {
        "DateTime64(6, 'Europe/Berlin')": ("2026-11-20T06:12:00Z", "2026-11-20T07:12:00+01:00"),
        "Nullable(DateTime('UTC'))": ("2026-11-20T07:12:00", "2026-11-20T07:12:00+00:00"),
        "DateTime": ("2026-11-20T06:12:00.500000Z", "2026-11-20T07:12:00.500000+01:00"),
        "Nullable(DateTime64(6, 'UTC'))": (None, None),
        "Date": ("2026-11-20", "2026-11-20"),
        "Nullable(Float64)": (3, 3.0),
        "Decimal(18, 4)": ("1.25", 1.25),
        "Float64": (float("nan"), None),
        "Bool": (1, True),
        "UInt8": (1, 1),
        "Array(DateTime('UTC'))": (["2026-11-20T06:12:00Z"], ["2026-11-20T06:12:00+00:00"]),
        "Tuple(Nullable(String), Float64)": (["a", 1], ["a", 1.0]),
        "Map(String, Float64)": ({"a": 1}, {"a": 1}),
        "UInt64": (18446744073709551615, 18446744073709551615),
    }
    columns = [f"c{place}" for place in range(len(cells))]
    answer = rows([sent for sent, _ in cells.values()], columns=columns, types=list(cells), timezone="Europe/Berlin")
    backend = remote(double(answer).url)
    found = backend.query(ASKED)
    assert dict(zip(cells, found.rows[0], strict=True)) == {type: read for type, (_, read) in cells.items()}
    assert found.types == tuple(cells) and found.backend == "posthog"
    assert found.timezone == backend.timezone == "Europe/Berlin"
    assert found.asked_at == NOW


def test_rows_from_posthogs_cache_carry_their_age(double: Runs, remote: Asks):
    then = NOW - timedelta(minutes=7)
    answers = [
        rows([1], is_cached=True, last_refresh=then.isoformat(), hasMore=True, limit=100),
        rows([1], is_cached=True, last_refresh="rubbish"),
        rows([1], is_cached=False, last_refresh=then.isoformat()),
    ]
    backend = remote(double(*answers).url)
    found = [backend.query(ASKED) for _ in answers]
    assert [one.asked_at for one in found] == [then, NOW, NOW]
    assert (found[0].has_more, found[0].limit) == (True, 100)


@pytest.mark.parametrize(
    ("text", "limit", "is_cut"),
    [
        ("SELECT a FROM events LIMIT 2", 2, True),
        ("SELECT a FROM events\nlimit 3\n", 3, False),
        ("SELECT a FROM (SELECT a FROM events LIMIT 2)", None, False),
        ("SELECT a FROM events LIMIT 60000", 50_000, False),
    ],
)
def test_an_answer_knows_the_limit_of_its_text_which_posthog_does_not_name(
    double: Runs, remote: Asks, text: str, limit: int | None, is_cut: bool
):
    found = remote(double(rows([1], [2])).url).query(text)
    assert (found.limit, found.is_cut) == (limit, is_cut)


def test_a_compressed_answer_is_read(double: Runs, remote: Asks):
    plain = rows([7])
    packed = Scripted(200, gzip.compress(plain.body), {"Content-Type": "application/json", "Content-Encoding": "gzip"})
    assert remote(double(packed).url).query(ASKED).rows == ((7,),)


# -- asynchronous -----------------------------------------------------------------------------------------------------


def status(complete: bool, **more) -> dict:
    return {"query_status": {"id": "q/1", "complete": complete, "error": False, "results": None, **more}}


def test_a_background_query_is_looked_after_until_it_is_there(double: Runs, remote: Asks):
    done = json.loads(rows([5]).body)
    posthog = double(
        json_answer(status(False), 202), json_answer(status(False), 202), json_answer(status(True, results=done))
    )
    pauses: list[float] = []
    backend = remote(posthog.url, pause=pauses.append, manner=Manner(in_background=True))
    assert backend.query(ASKED).rows == ((5,),)
    assert [(one.method, one.path) for one in posthog.received[1:]] == [("GET", "/api/projects/42/query/q%2F1/")] * 2
    assert pauses == sorted(pauses) and len(pauses) == 2


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (json_answer(status(True, error=True, error_message="Unknown table x"), 400), QueryRefused, "Unknown table x"),
        (json_answer(status(True, error=True), 500), PostHogFailed, "error of its own"),
        (json_answer(status(False, error=True, error_message="No."), 200), QueryRefused, "No."),
    ],
)
def test_a_background_query_that_fails_says_why(answer, kind, said, double: Runs, remote: Asks):
    assert said in str(refused(remote(double(json_answer(status(False), 202), answer).url), kind))


def test_a_question_that_is_left_just_before_its_turn_is_not_sent(double: Runs, remote: Asks):
    posthog = double(rows([1]))
    backend = remote(posthog.url)

    class LeftInTheDoor(Limiter):
        @contextmanager
        def slot(self, *_: object, **__: object) -> Iterator[None]:
            backend.cancel()
            try:
                yield
            finally:
                given_back.set()

    given_back = threading.Event()
    backend._limiter = LeftInTheDoor()
    with pytest.raises(QueryCancelled):
        backend.query(ASKED)
    assert given_back.wait(60) and not posthog.received


def test_a_background_query_that_never_ends_is_cancelled_at_the_deadline(double: Runs, remote: Asks):
    ticks = iter(range(10_000))

    def clock() -> float:
        return float(next(ticks))

    posthog = double(otherwise=lambda asked: json_answer(status(False), 202))
    backend = remote(
        posthog.url, transport={"monotonic": clock}, monotonic=clock, manner=Manner(deadline_s=30, in_background=True)
    )
    refused(backend, QueryTimedOut)
    assert posthog.received[-1].method == "DELETE"


def test_whoever_asked_can_leave_at_once_and_posthog_is_told(double: Runs, remote: Asks):
    posthog = double(Scripted(hangs=True), otherwise=lambda asked: json_answer({"message": "cancelled"}))
    backend = remote(posthog.url)
    outcome: list[BaseException] = []

    def ask() -> None:
        try:
            backend.query(ASKED)
        except LoopdeskError as error:
            outcome.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    assert posthog.arrived.acquire(timeout=60)
    backend.cancel()
    asking.join(60)
    assert not asking.is_alive() and isinstance(outcome[0], QueryCancelled)
    assert posthog.arrived.acquire(timeout=60)
    told = posthog.received[1]
    assert (told.method, told.path.split("/")[-2]) == ("DELETE", posthog.received[0].body["client_query_id"])


def test_leaving_the_backend_gives_up_what_is_on_its_way_and_its_place(double: Runs, remote: Asks, tmp_path: Path):
    posthog = double(Scripted(hangs=True), otherwise=lambda asked: json_answer({}))
    backend = remote(posthog.url)
    outcome: list[BaseException] = []

    def ask() -> None:
        try:
            backend.query(ASKED)
        except LoopdeskError as error:
            outcome.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    assert posthog.arrived.acquire(timeout=60)
    backend.close()
    asking.join(60)
    assert isinstance(outcome[0], QueryCancelled) and posthog.received[-1].method == "DELETE"
    with pytest.raises(QueryCancelled):
        backend.query(ASKED)
    posthog.release.set()
    worker = next((thread for thread in threading.enumerate() if thread.name == "posthog-query"), None)
    if worker:
        worker.join(60)
    with sqlite3.connect(tmp_path / "state" / "limits.db") as limits:
        assert limits.execute("SELECT count(*) FROM leases").fetchone() == (0,)
    limits.close()


# -- refusals ---------------------------------------------------------------------------------------------------------

INVALID = "Personal API key found in request Authorization header is invalid."


@pytest.mark.parametrize(
    ("key", "host", "says"),
    [
        ("phc_project1", "https://us.posthog.com", "a project key (phc_...), which can only send events"),
        ("phs_secret12", "https://us.posthog.com", "cannot ask questions"),
        ("sk-whatever1", "https://us.posthog.com", "begin with phx_"),
        ("phx_whatever", "https://us.posthog.com", "a key of the EU cloud and this is US"),
        ("phx_whatever", "https://eu.posthog.com", "a key of the US cloud and this is EU"),
        ("phx_whatever", "https://ph.example.org", "revoked or is not complete"),
        ("phx_whatever", "http://localhost:8000", "not the personal key of the PostHog that runs there"),
    ],
)
def test_401_says_which_key_is_wrong(key: str, host: str, says: str):
    error = error_for(Refusal(401, {"detail": INVALID}, host, "42", key[:4]))
    assert isinstance(error, KeyRefused) and says in str(error) and "POSTHOG_PERSONAL_API_KEY" in str(error)


@pytest.mark.parametrize(
    ("answer", "kind", "says"),
    [
        (refusal(401, INVALID, "authentication_error"), KeyRefused, "does not know the personal key"),
        (refusal(403, "API key missing required scope 'query:read'"), KeyRefused, "lacks the scope `query:read`"),
        (refusal(403, "API key does not have access to the requested project: ID 42."), KeyRefused, "no access to"),
        (refusal(403, "This action does not support personal API key access"), KeyRefused, "personal key"),
        (page(403), PostHogUnreachable, "bot protection"),
        (refusal(404, "Not found."), LoopdeskError, "no project '42'"),
        (page(404), PostHogFailed, "POSTHOG_HOST"),
        (refusal(400, "Unknown field: foo"), QueryRefused, "Unknown field: foo"),
        (refusal(402, "Query quota exceeded", "server_error", "quota_limit_exceeded"), LoopdeskError, "Query quota"),
        (refusal(409, "Conflict"), PostHogBusy, "already running"),
        (refusal(413, "Body too large"), QueryRefused, "too long"),
        (refusal(418, "Teapot"), PostHogFailed, "HTTP 418"),
        (refusal(500, "ClickHouse error while executing query."), PostHogFailed, "ClickHouse error"),
        (page(500), PostHogFailed, "HTTP 500"),
        (refusal(504, "Query has hit the max execution time"), QueryTimedOut, "max execution time"),
        (refusal(512, "Estimated query execution time is too long"), QueryTimedOut, "too long"),
        (page(504), QueryTimedOut, "took too long"),
        (page(413), PostHogFailed, "a page"),
        (Scripted(302, b"", {"Location": "https://u:p@evil.example/x?key=1"}), PostHogUnreachable, "evil.example/x"),
        (Scripted(200, b"<html>hello</html>"), PostHogFailed, "not JSON"),
        (Scripted(200, b""), PostHogFailed, "not JSON"),
        (Scripted(200, b'{"results": [[1]'), PostHogFailed, "not JSON"),
        (Scripted(200, b"[" * 100_000), PostHogFailed, "not JSON"),
        (Scripted(200, b"\xff\xfe\x00"), PostHogFailed, "not JSON"),
        (json_answer([]), PostHogFailed, "not to the query"),
        (json_answer({"results": {}, "columns": []}), PostHogFailed, "not to the query"),
        (json_answer({"results": [1], "columns": ["a"]}), PostHogFailed, "not to the query"),
        (json_answer({"results": [[1, 2]], "columns": ["a"]}), PostHogFailed, "do not fit"),
        (json_answer({"results": None, "columns": None, "error": "Broken text"}), QueryRefused, "Broken text"),
        (Scripted(200, b"no gzip", {"Content-Encoding": "gzip"}), PostHogFailed, "unpacked"),
    ],
)
def test_each_refusal_is_a_sentence(answer: Scripted, kind, says: str, double: Runs, remote: Asks):
    error = refused(remote(double(*[answer] * 6).url), kind)
    assert says in str(error)


def test_a_refused_query_keeps_its_place(double: Runs, remote: Asks):
    answer = refusal(400, "Unknown field", extra={"start": 7, "end": 10})
    error = refused(remote(double(answer).url), QueryRefused)
    assert (error.start, error.end) == (7, 10)
    assert refused(remote(double(refusal(400, "x", extra={"start": "7"})).url), QueryRefused).start is None


def test_the_servers_words_are_made_safe_and_never_repeat_a_key(double: Runs, remote: Asks):
    nasty = f"bad \x1b[31mkey {KEY} \u202e\n" + "x" * 5000
    error = refused(remote(double(refusal(400, nasty)).url), QueryRefused)
    assert "\x1b" not in str(error) and "\u202e" not in str(error) and len(str(error)) < 400


def test_the_key_is_in_no_repr(remote: Asks):
    backend = remote("http://127.0.0.1:9")
    seen = [repr(backend), repr(backend._transport), repr(vars(backend)), repr(Refusal(401, {}, "h", "1"))]
    assert not any("s3cret" in text for text in seen)


# -- not now ----------------------------------------------------------------------------------------------------------


def test_a_429_with_few_seconds_is_waited_for_and_told_to_all_processes(double: Runs, remote: Asks, tmp_path: Path):
    posthog = double(refusal(429, "Request was throttled. Expected available in 2 seconds."), rows([1]))
    clock = [1000.0]

    def sleep(seconds: float) -> None:
        clock[0] += seconds

    pauses: list[float] = []
    made = Transport(posthog.url, KEY)
    limiter = Limiter(tmp_path / "state2", clock=lambda: clock[0], pause=sleep)
    told: list[str] = []
    backend = RemoteBackend(
        made,
        limiter,
        account(made.host, KEY),
        manner=Manner(told=lambda wait: told.append(wait.sentence)),
        pause=lambda seconds: (pauses.append(seconds), sleep(seconds)),
    )
    assert backend.query(ASKED).rows == ((1,),)
    assert told == ["Waiting 3 s: PostHog asked to come back later."]
    assert len(pauses) == 1 and 2 <= pauses[0] < 2.5
    backend.close()


def test_a_429_with_many_seconds_is_told_at_once(double: Runs, remote: Asks):
    posthog = double(refusal(429, "Request was throttled. Expected available in 1843 seconds."))
    backend = remote(posthog.url)
    error = refused(backend, Throttled)
    assert error.seconds == 1843 and "31 min" in str(error)
    again = refused(backend.with_manner(deadline_s=5), Throttled)
    assert "31 min" in str(again) and len(posthog.received) == 1


def test_a_429_without_seconds_backs_off_on_its_own(double: Runs, remote: Asks):
    full = refusal(429, "Exceeded maximum concurrency limit: 3 for key: api:query:per-org:x and task: y")
    pauses: list[float] = []
    posthog = double(full, full, rows([1]))
    assert remote(posthog.url, pause=pauses.append).query(ASKED).rows == ((1,),)
    assert len(pauses) == 2 and pauses[1] > pauses[0] > 0.3
    error = refused(remote(double(*[full] * 9).url), Throttled)
    assert "as many queries of this organisation" in str(error) and error.seconds is None
    assert "slow down" in str(refused(remote(double(*[page(429)] * 9).url), Throttled))


@pytest.mark.parametrize("busy", [refusal(503, "Capacity"), page(503), page(502)])
def test_a_busy_posthog_is_asked_three_times(busy: Scripted, double: Runs, remote: Asks):
    posthog = double(busy, busy, rows([1]))
    assert remote(posthog.url).query(ASKED).rows == ((1,),)
    posthog = double(*[busy] * 9)
    refused(remote(posthog.url), PostHogBusy)
    assert len(posthog.received) == 3


def test_what_cannot_get_better_is_asked_once(double: Runs, remote: Asks):
    for answer in (refusal(400, "no"), refusal(401, INVALID), refusal(500, "x"), refusal(504, "x")):
        posthog = double(*[answer] * 3)
        refused(remote(posthog.url), LoopdeskError)
        assert len(posthog.received) == 1


def test_the_deadline_ends_the_retries():
    assert pause_before_retry(Throttled("x", seconds=4), 0, 5, 0) == 4
    assert pause_before_retry(Throttled("x", seconds=6), 0, 5, 0) is None
    assert pause_before_retry(Throttled("x", seconds=4), 9, 5, 0) is None
    assert pause_before_retry(PostHogBusy("x"), 2, 5, 0) is None
    assert pause_before_retry(CutOff("x"), 1, 5, 0) is None


@pytest.mark.parametrize(
    ("detail", "seconds"),
    [
        ("Request was throttled. Expected available in 27 seconds.", 27),
        ("Expected available in 1 second.", 1),
        ("Exceeded maximum concurrency limit: 3 for key", None),
        ("", None),
    ],
)
def test_the_seconds_stand_in_the_text(detail: str, seconds: float | None):
    assert seconds_in(detail) == seconds


def test_durations_round_up():
    assert [duration(s) for s in (0.1, 27, 119.2, 121, 3600, 7300)] == [
        "1 s",
        "27 s",
        "2 min",
        "3 min",
        "60 min",
        "2 h 2 min",
    ]


# -- no answer at all -------------------------------------------------------------------------------------------------


def test_a_cut_off_answer_is_asked_for_once_more(double: Runs, remote: Asks):
    cut = Scripted(200, rows([1]).body, cut=9)
    assert remote(double(cut, rows([2])).url).query(ASKED).rows == ((2,),)
    assert "in the middle of its answer" in str(refused(remote(double(cut, cut, cut).url), CutOff))
    gone = Scripted(vanishes=True)
    assert remote(double(gone, rows([2])).url).query(ASKED).rows == ((2,),)
    refused(remote(double(gone, gone).url), CutOff)


def test_a_silent_posthog_times_out(double: Runs, remote: Asks):
    backend = remote(double(Scripted(hangs=True)).url, transport={"read_s": 0.05})
    assert "in time" in str(refused(backend, QueryTimedOut))


def test_an_answer_that_drips_does_not_outlast_the_deadline(double: Runs, remote: Asks):
    body = rows(*[[n] for n in range(10_000)]).body
    backend = remote(double(Scripted(200, body, drips=True)).url, manner=Manner(deadline_s=0.3))
    refused(backend, QueryTimedOut)


def test_an_answer_without_end_is_left_at_the_cap(double: Runs, remote: Asks):
    backend = remote(double(Scripted(endless=True)).url, transport={"max_bytes": 2**20})
    assert "larger than 1 MB" in str(refused(backend, AnswerTooLarge))


def test_a_small_answer_that_unpacks_to_much_is_left_at_the_cap(double: Runs, remote: Asks):
    bomb = Scripted(200, gzip.compress(b" " * 2**24), {"Content-Encoding": "gzip"})
    refused(remote(double(bomb).url, transport={"max_bytes": 2**20}), AnswerTooLarge)


def test_a_refused_connection_names_the_host(remote: Asks):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert f"127.0.0.1:{port} refuses connections" in str(
        refused(remote(f"http://127.0.0.1:{port}"), PostHogUnreachable)
    )


def test_a_name_without_an_address_is_told(remote: Asks):
    error = refused(remote("https://posthog.invalid", manner=Manner(deadline_s=20)), LoopdeskError)
    assert "posthog.invalid" in str(error) and "POSTHOG_HOST" in str(error)


def test_a_port_without_tls_is_told(double: Runs, remote: Asks):
    error = refused(remote(double().url.replace("http:", "https:")), PostHogUnreachable)
    assert "No safe connection" in str(error) and "TLS" in str(error)


def test_a_proxy_that_is_not_there_is_told(remote: Asks, monkeypatch: pytest.MonkeyPatch):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:hidden@127.0.0.1:{port}")
    error = refused(remote("https://us.posthog.com"), PostHogUnreachable)
    assert "HTTPS_PROXY" in str(error) and "hidden" not in str(error)


def test_a_proxy_that_refuses_is_told(double: Runs, remote: Asks, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HTTPS_PROXY", double().url)
    error = refused(remote("https://us.posthog.com"), PostHogUnreachable)
    assert "proxy" in str(error) and "NO_PROXY" in str(error)


def _caused(error: Exception, *causes: Exception) -> Exception:
    below = error
    for cause in causes:
        below.__cause__ = cause
        below = cause
    return error


UNTRUSTED = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] self-signed certificate")


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (httpx.ConnectTimeout("x"), PostHogUnreachable, "did not accept a connection"),
        (httpx.PoolTimeout("x"), QueryTimedOut, "in time"),
        (httpx.WriteTimeout("x"), QueryTimedOut, "in time"),
        (
            _caused(httpx.ConnectError("x"), OSError(101, "Network is unreachable")),
            PostHogUnreachable,
            "network is down",
        ),
        (_caused(httpx.ConnectError("x"), UNTRUSTED), PostHogUnreachable, "SSL_CERT_FILE"),
        (_caused(httpx.ReadError("x"), ConnectionResetError()), CutOff, "in the middle"),
        (httpx.UnsupportedProtocol("x"), PostHogUnreachable, "UnsupportedProtocol"),
    ],
)
def test_what_cannot_be_staged_on_loopback_has_its_sentence_too(error: Exception, kind, says: str):
    found = unreachable(error, "https://us.posthog.com")
    assert isinstance(found, kind) and says in str(found) and found.do


def test_name_resolution_that_hangs_does_not_hold_whoever_asked(remote: Asks, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("queries.remote._GRACE_S", 0.05)
    hanging = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: hanging.wait(20) and [])
    refused(remote("https://posthog.example.org", manner=Manner(deadline_s=0.1)), QueryTimedOut)
    hanging.set()


def test_a_key_that_others_can_read_on_its_way_is_warned_about():
    def warnings(host: str) -> list[str]:
        told: list[str] = []
        open_remote(config.load({"posthog_host": host, "posthog_personal_key": KEY}, {}), warn=told.append).close()
        return told

    assert "without TLS" in warnings("http://posthog.example.org")[0]
    assert warnings("https://posthog.example.org") == warnings("http://127.0.0.1:8000") == []


def test_many_threads_share_one_client(double: Runs, remote: Asks, tmp_path: Path):
    posthog = double(otherwise=lambda asked: rows([int(asked.body["query"]["values"]["n"])]))
    made = Transport(posthog.url, KEY)
    backend = RemoteBackend(made, Limiter(tmp_path / "state3"), account(made.host, KEY))
    found: dict[int, object] = {}
    threads = [
        threading.Thread(target=lambda n=n: found.update({n: backend.query("SELECT {n}", {"n": n}).rows[0][0]}))
        for n in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == {n: n for n in range(12)}
    backend.close()
