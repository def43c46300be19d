"""Pulling a PostHog project into the store: nothing lost, nothing twice, whatever ends the pull."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from queries.cursor import Cursor, Place, read_cursor, source_key, write_cursor
from queries.keyset import pages
from queries.limiter import Limiter, account
from queries.local.backend import LocalBackend
from queries.local.server import answer
from queries.local.store import Store
from queries.remote import RemoteBackend
from queries.remote_errors import PostHogFailed
from queries.remote_http import Transport
from queries.sync import EVENTS, Synced, SyncStopped, Wanted, sync
from tests.catalog_oracle import MORNING, weekend
from tests.conftest import NOW, Served
from tests.events import event
from tests.posthog_double import Double, Received, Scripted, json_answer, page, refusal, rows
from workspace.errors import LoopdeskError

ROOT = Path(__file__).resolve().parents[1]
KEY = "phx_" + "s3cret" * 6
HOUR = timedelta(hours=1)
MONTH = Wanted(since=NOW - timedelta(days=30))
SOURCE = source_key("http://127.0.0.1", "1")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    folder = tmp_path / "here"
    folder.mkdir(mode=0o700)
    found = Store.open(folder / "events.db")
    yield found
    found.close()


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Store]:
    """The store of the PostHog that is pulled from."""
    folder = tmp_path / "there"
    folder.mkdir(mode=0o700)
    found = Store.open(folder / "events.db")
    yield found
    found.close()


@pytest.fixture
def asking(there: Store) -> Iterator[LocalBackend]:
    backend = LocalBackend(there.path)
    yield backend
    backend.close()


@contextmanager
def connected(url: str, tmp_path: Path, key: str = KEY) -> Iterator[RemoteBackend]:
    transport = Transport(url, key)
    backend = RemoteBackend(
        transport, Limiter(tmp_path / "state"), account(transport.host, key), "1", pause=lambda _: None
    )
    yield backend
    backend.close()


def events(count: int, *, at: datetime = NOW - 20 * HOUR, step: timedelta = timedelta(seconds=7)) -> list[dict]:
    return [event("round_scored", at=at + n * step, key=n, round_id=f"R{n}", score=n / 8) for n in range(count)]


def stored(store: Store) -> list[tuple]:
    return store.connection.execute(
        "SELECT b.uuid, e.event, e.timestamp, e.distinct_id, b.properties, b.arrived_at "
        "FROM events e JOIN bodies b ON b.id = e.id ORDER BY b.uuid"
    ).fetchall()


# -- a whole pull -----------------------------------------------------------------------------------------------------


def test_prompts_are_pulled_over_http_as_they_were(
    serve: Callable[..., Served], store: Store, there: Store, tmp_path: Path
):
    said = {"$ai_input": [{"role": "user", "content": "naïve 漢字"}], "$ai_output_choices": [{"content": "ok"}]}
    now = datetime.now(UTC)  # the server's clock is the real one, and it says which prompts are young enough
    there.ingest([event("$ai_generation", at=now - n * HOUR, key=n, **said) for n in range(1, 30)], now=now)
    served = serve(there.path.parent)
    wanted = Wanted(since=now - timedelta(days=7), prompts=True, most_rows=10)
    with connected(served.url, tmp_path, served.personal_key) as remote:
        sync(remote, store, SOURCE, wanted, now=now)
    kept = "SELECT uuid, payload FROM bodies JOIN ai_payloads USING (id) ORDER BY uuid"
    payloads = [[(uuid, json.loads(text)) for uuid, text in s.connection.execute(kept)] for s in (there, store)]
    assert payloads[0] == payloads[1] and len(payloads[0]) == 29


def test_a_weekend_is_pulled_over_http_as_it_was(
    serve: Callable[..., Served], store: Store, there: Store, tmp_path: Path
):
    later = MORNING + timedelta(minutes=3)
    there.ingest(weekend(), now=MORNING)
    there.ingest([event("$pageview", at=MORNING - HOUR)], now=MORNING)
    served = serve(there.path.parent)
    told: list[Synced] = []
    with connected(served.url, tmp_path, served.personal_key) as remote:
        wanted = Wanted(since=MORNING - timedelta(days=7), until=later, most_rows=3000)
        done = sync(remote, store, SOURCE, wanted, now=later, told=told.append)
        again = sync(remote, store, SOURCE, Wanted(until=later), now=later)
    pulled = [row for row in stored(there) if row[1] != "$pageview"]
    assert stored(store) == pulled and done.stored == len(pulled) > 5000
    assert (done.known, done.rejected) == (0, 0) and done.at == later
    assert len(told) == done.pages > 3 and [one.at for one in told] == sorted(one.at for one in told)
    assert again.stored == 0
    dims = "SELECT dim, value, count(*) FROM dims GROUP BY dim, value ORDER BY dim, value"
    assert store.connection.execute(dims).fetchall() == there.connection.execute(dims).fetchall()


def test_every_event_that_loops_send_is_pulled(store: Store, there: Store, asking: LocalBackend):
    there.ingest([event(name, at=NOW - HOUR, key=name) for name in EVENTS], now=NOW)
    assert sync(asking, store, SOURCE, MONTH, now=NOW).stored == len(EVENTS) >= 21


def test_events_at_one_instant_are_paged_by_their_uuid(store: Store, there: Store, asking: LocalBackend):
    there.ingest(events(57, step=timedelta(0)), now=NOW)
    done = sync(asking, store, SOURCE, Wanted(since=MONTH.since, most_rows=10), now=NOW)
    assert done.stored == 57 and done.known == 0


def test_times_are_not_corrected_again(store: Store, there: Store, asking: LocalBackend):
    ahead = event("round_scored", at=NOW + 5 * HOUR, key="a clock that was ahead")
    there.ingest([ahead], now=NOW, arrived={ahead["uuid"]: NOW - 3 * HOUR})
    sync(asking, store, SOURCE, Wanted(since=MONTH.since, until=NOW + 9 * HOUR), now=NOW)
    assert stored(store) == stored(there)
    assert stored(store)[0][5] == int((NOW - 3 * HOUR).timestamp()) * 1_000_000


# -- the next pull ----------------------------------------------------------------------------------------------------


def test_a_second_pull_takes_what_is_new(store: Store, there: Store, asking: LocalBackend):
    there.ingest(events(5), now=NOW)
    sync(asking, store, SOURCE, MONTH, now=NOW)
    there.ingest([event("round_kept", at=NOW + HOUR)], now=NOW + HOUR)
    done = sync(asking, store, SOURCE, Wanted(), now=NOW + 2 * HOUR)
    assert (done.stored, done.since) == (1, NOW - 48 * HOUR)


def test_events_that_reached_posthog_late_are_found(store: Store, there: Store, asking: LocalBackend):
    there.ingest(events(5), now=NOW - 19 * HOUR)
    sync(asking, store, SOURCE, MONTH, now=NOW)
    there.ingest([event("round_kept", at=NOW - 40 * HOUR)], now=NOW + HOUR)
    there.ingest([event("round_kept", at=NOW - 60 * HOUR)], now=NOW + HOUR)
    done = sync(asking, store, SOURCE, Wanted(), now=NOW + 2 * HOUR)
    # What was there before is not even transferred again; what is older than the overlap is left.
    assert (done.stored, done.known) == (1, 0)
    done = sync(asking, store, SOURCE, Wanted(overlap=72 * HOUR), now=NOW + 3 * HOUR)
    assert (done.stored, done.known) == (1, 1)


def test_a_late_event_is_found_though_the_pull_before_ended_earlier(store: Store, there: Store, asking: LocalBackend):
    there.ingest(events(5), now=NOW - 19 * HOUR)
    sync(asking, store, SOURCE, MONTH, now=NOW)
    there.ingest([event("round_kept", at=NOW - 2 * HOUR, key="late")], now=NOW + HOUR)
    sync(asking, store, SOURCE, Wanted(until=NOW - 10 * HOUR), now=NOW + 20 * HOUR)
    sync(asking, store, SOURCE, Wanted(), now=NOW + 21 * HOUR)
    assert stored(store) == stored(there)


def test_a_late_event_is_found_though_the_pull_before_was_cut_short(store: Store, there: Store, asking: LocalBackend):
    there.ingest(events(30, step=HOUR / 2), now=NOW)
    stopped(asking, store, 10, after=2)
    late = event("round_kept", at=NOW - 20 * HOUR, key="late")
    there.ingest([late], now=NOW + HOUR)
    sync(asking, store, SOURCE, Wanted(most_rows=10), now=NOW + 2 * HOUR)
    assert stored(store) == stored(there)


def test_an_earlier_since_reads_the_older_events_too(store: Store, there: Store, asking: LocalBackend):
    there.ingest([event("round_kept", at=NOW - timedelta(days=day), key=day) for day in range(1, 9)], now=NOW)
    assert sync(asking, store, SOURCE, Wanted(since=NOW - timedelta(days=4, hours=1)), now=NOW).stored == 4
    assert sync(asking, store, SOURCE, Wanted(since=NOW - timedelta(days=3)), now=NOW).stored == 0
    done = sync(asking, store, SOURCE, Wanted(since=NOW - timedelta(days=9)), now=NOW)
    assert (done.stored, done.known) == (4, 4)


def test_again_reads_everything_and_stores_nothing_twice(store: Store, there: Store, asking: LocalBackend):
    there.ingest(events(9), now=NOW)
    sync(asking, store, SOURCE, MONTH, now=NOW)
    done = sync(asking, store, SOURCE, Wanted(since=MONTH.since, again=True), now=NOW)
    assert (done.stored, done.known) == (0, 9)


def test_an_until_before_the_last_pull_asks_nothing(store: Store, there: Store, asking: LocalBackend):
    there.ingest(events(3), now=NOW)
    sync(asking, store, SOURCE, MONTH, now=NOW)
    before = read_cursor(store.connection, SOURCE)
    done = sync(asking, store, SOURCE, Wanted(until=NOW - timedelta(days=5)), now=NOW)
    assert done.pages == 0 and read_cursor(store.connection, SOURCE) == before


def test_a_range_without_time_in_it_is_refused(store: Store, asking: LocalBackend):
    with pytest.raises(LoopdeskError, match="--since"):
        sync(asking, store, SOURCE, Wanted(since=NOW, until=NOW - HOUR), now=NOW)


# -- the cursor -------------------------------------------------------------------------------------------------------


def test_the_cursor_is_kept_per_host_and_project(store: Store):
    cursor = Cursor(NOW - HOUR, Place(NOW, "u"), NOW)
    write_cursor(store.connection, source_key("https://us.posthog.com", "1"), cursor)
    assert read_cursor(store.connection, source_key("https://us.posthog.com", "1")) == cursor
    assert read_cursor(store.connection, source_key("https://us.posthog.com", "2")) is None
    assert read_cursor(store.connection, source_key("https://eu.posthog.com", "1")) is None


@pytest.mark.parametrize("document", ["", "[]", "{}", '{"version": 9}', '{"version": 1, "since": 3}'])
def test_a_cursor_of_another_version_begins_anew(document: str, store: Store):
    store.connection.execute("INSERT INTO cursors VALUES (?, ?)", (SOURCE, document))
    assert read_cursor(store.connection, SOURCE) is None


def test_a_page_and_its_cursor_are_stored_together_or_not_at_all(
    store: Store, there: Store, asking: LocalBackend, monkeypatch: pytest.MonkeyPatch
):
    there.ingest(events(5), now=NOW)

    def fail(*_: object) -> None:
        raise LoopdeskError("The disk is full", do="Free some space")

    monkeypatch.setattr("queries.sync.write_cursor", fail)
    with pytest.raises(SyncStopped, match="The disk is full"):
        sync(asking, store, SOURCE, MONTH, now=NOW)
    assert stored(store) == []


# -- a pull that is ended ---------------------------------------------------------------------------------------------


def stopped(asking: LocalBackend, store: Store, most_rows: int, after: int) -> Synced:
    """A pull whose PostHog goes away after some pages."""

    class Dying:
        name, timezone = asking.name, asking.timezone
        left = after

        def query(self, text, values=None, types=None):
            self.left -= 1
            if self.left < 0:
                raise LoopdeskError("It went away", do="Wait")
            return asking.query(text, values, types)

        def close(self) -> None: ...

    with pytest.raises(SyncStopped) as caught:
        sync(Dying(), store, SOURCE, Wanted(since=NOW - 24 * HOUR, most_rows=most_rows), now=NOW)
    return caught.value.done


def test_a_dead_host_half_way_is_told_with_what_is_stored(store: Store, there: Store, asking: LocalBackend, tmp_path):
    there.ingest(events(25), now=NOW)
    dying = Double([], otherwise=answering(asking, after=2))
    with dying.running(), connected(dying.url, tmp_path) as at, pytest.raises(SyncStopped) as caught:
        sync(at, store, SOURCE, Wanted(since=NOW - 24 * HOUR, most_rows=10), now=NOW)
    assert "20 events of this pull are stored" in str(caught.value) and "`loopdesk sync` goes on at" in str(
        caught.value
    )
    done = sync(asking, store, SOURCE, Wanted(overlap=timedelta(0)), now=NOW)
    assert done.stored == 5 and stored(store) == stored(there)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (refusal(403, "API key missing required scope 'query:read'"), "query:read"),
        (refusal(429, "Request was throttled. Expected available in 3000 seconds."), "50 min"),
        (refusal(500, "Broken"), "Broken"),
        (page(502), "gateway"),
        (Scripted(200, b'{"results": [['), "not JSON"),
        (rows(["x", "y"], columns=["uuid", "timestamp"]), "no times and ids"),
        (rows(["x", "2026-11-19T11:12:00Z"], columns=["uuid", "timestamp"]), "lacks columns"),
        (rows(["x", "2020-01-01T00:00:00Z"], columns=["uuid", "timestamp"]), "not in the order"),
        (rows(["x", "2030-01-01T00:00:00Z"], columns=["uuid", "timestamp"]), "not in the order"),
        (refusal(504, "Too slow"), "Too slow"),
    ],
)
def test_a_misbehaving_posthog_ends_the_pull_in_a_sentence(bad: Scripted, says: str, store: Store, tmp_path: Path):
    posthog = Double([], otherwise=lambda _: bad)
    with posthog.running(), connected(posthog.url, tmp_path) as remote, pytest.raises(SyncStopped) as caught:
        sync(remote, store, SOURCE, Wanted(since=NOW - 24 * HOUR), now=NOW)
    assert says in str(caught.value) and stored(store) == [] and "0 events" in str(caught.value)


def test_events_out_of_order_would_be_lost_and_are_refused(store: Store, tmp_path: Path):
    columns = ["uuid", "event", "timestamp", "distinct_id", "properties", "created_at"]
    one, two = "2026-11-20T01:00:00Z", "2026-11-20T02:00:00Z"
    wrong = rows(["b", "round_kept", two, "d", "{}", two], ["a", "round_kept", one, "d", "{}", one], columns=columns)
    posthog, why = Double([wrong]), "not in the order"
    with posthog.running(), connected(posthog.url, tmp_path) as at, pytest.raises(SyncStopped, match=why):
        sync(at, store, SOURCE, Wanted(since=NOW - 24 * HOUR), now=NOW)


def test_an_event_that_cannot_be_stored_is_left_out_alone(store: Store, tmp_path: Path):
    columns = ["uuid", "event", "timestamp", "distinct_id", "properties", "created_at"]
    good = event("round_kept")["uuid"]
    found = [
        ["a", "round_kept", "2026-11-20T01:00:00Z", "d", "{}", None],
        ["b", "round_kept", "2026-11-20T01:00:01Z", "d", "not json", None],
        ["c", "round_kept", "2026-11-20T01:00:02Z", "d", "[1]", None],
        [good, "round_kept", "2026-11-20T01:00:03Z", "d", {"score": 1}, "2026-11-20T01:00:09Z"],
    ]
    with (
        Double([rows(*found, columns=columns), rows()]).running() as posthog,
        connected(posthog.url, tmp_path) as remote,
    ):
        done = sync(remote, store, SOURCE, Wanted(since=NOW - 24 * HOUR), now=NOW)
    assert (done.stored, done.rejected) == (1, 3) and "JSON" in done.first_rejected
    assert [row[0] for row in stored(store)] == [good]


def test_pages_that_are_too_heavy_are_made_smaller_and_grow_again(
    store: Store, there: Store, asking: LocalBackend, tmp_path
):
    there.ingest(events(60, step=timedelta(minutes=20)), now=NOW)
    sizes: list[int] = []

    def heavy(asked: Received) -> Scripted:
        size = int(asked.body["query"]["query"].rpartition("LIMIT ")[2])
        sizes.append(size)
        return refusal(504, "Too slow") if size > 20 and len(sizes) < 9 else answering(asking)(asked)

    with Double([], otherwise=heavy).running() as posthog, connected(posthog.url, tmp_path) as remote:
        done = sync(remote, store, SOURCE, Wanted(since=NOW - 24 * HOUR, most_rows=80), now=NOW)
    assert done.stored == 60
    assert sizes[:3] == [80, 40, 20] and sizes[-1] > 20


def test_a_server_that_never_moves_on_is_not_asked_for_ever(asking: LocalBackend, tmp_path: Path):
    same = ["a", "round_kept", "2026-11-20T01:00:00Z", "d", "{}", "2026-11-20T01:00:00Z"]
    columns = ["uuid", "event", "timestamp", "distinct_id", "properties", "created_at"]
    stuck = Double([], otherwise=lambda _: rows(same, columns=columns))
    with stuck.running(), connected(stuck.url, tmp_path) as remote, pytest.raises(PostHogFailed):
        list(pages(remote, "SELECT 1", {}, Place(NOW - 24 * HOUR), NOW, most_rows=1))
    assert len(stuck.received) == 2


# -- prompts ----------------------------------------------------------------------------------------------------------


def test_prompts_are_pulled_only_when_asked_for(store: Store, tmp_path: Path):
    call = event("$ai_generation", at=NOW - HOUR, **{"$ai_model": "m"})
    texts: list[str] = []

    def posthog_with_prompts(asked: Received) -> Scripted:
        texts.append(asked.body["query"]["query"])
        columns = ["uuid", "timestamp", "input", "output_choices", "input_state", "output_state", "tools"]
        if "posthog.ai_events" in texts[-1]:
            prompt = '[{"role":"user","content":"hi"}]'
            found = [[call["uuid"], call["timestamp"], prompt, "plain", "", None, "[]"]]
            return (
                rows(*found, columns=columns) if asked.body["query"]["values"]["last"] == "" else rows(columns=columns)
            )
        columns = ["uuid", "event", "timestamp", "distinct_id", "properties", "created_at"]
        row = [call["uuid"], call["event"], call["timestamp"], "d", json.dumps(call["properties"]), call["timestamp"]]
        return rows(row, columns=columns)

    wanted = Wanted(since=NOW - 24 * HOUR)
    with Double([], otherwise=posthog_with_prompts).running() as posthog, connected(posthog.url, tmp_path) as remote:
        sync(remote, store, SOURCE, wanted, now=NOW)
        assert not any("ai_events" in text for text in texts)
        done = sync(remote, store, SOURCE, Wanted(prompts=True), now=NOW)
        assert done.prompts == 1
        assert sync(remote, store, SOURCE, Wanted(prompts=True), now=NOW).prompts == 0
    ((payload,),) = store.connection.execute("SELECT payload FROM ai_payloads").fetchall()
    assert json.loads(payload) == {"$ai_input": [{"role": "user", "content": "hi"}], "$ai_output_choices": "plain"}


def test_prompts_of_pulls_without_them_are_not_passed_over(store: Store, tmp_path: Path):
    asked_from: list[str] = []

    def posthog(asked: Received) -> Scripted:
        query = asked.body["query"]
        if "posthog.ai_events" in query["query"]:
            asked_from.append(query["values"]["after"][:10])
            return rows(
                columns=["uuid", "timestamp", "input", "output_choices", "input_state", "output_state", "tools"]
            )
        return rows(columns=["uuid", "event", "timestamp", "distinct_id", "properties", "created_at"])

    with Double([], otherwise=posthog).running() as double, connected(double.url, tmp_path) as remote:
        for day, prompts in ((0, False), (1, True), (9, False), (10, True)):
            if prompts:
                asked_from.clear()
            wanted = Wanted(since=MONTH.since if day == 0 else None, prompts=prompts)
            sync(remote, store, SOURCE, wanted, now=NOW + timedelta(days=day))
            if day == 1:  # the first time: as far back as PostHog keeps them
                assert asked_from[0] == f"{NOW - timedelta(days=29):%Y-%m-%d}"
    assert asked_from[0] == f"{NOW - timedelta(days=1):%Y-%m-%d}"  # the overlap before the last time


# -- the command ------------------------------------------------------------------------------------------------------


def answering(asking: LocalBackend, after: int | None = None, hang: bool = False) -> Callable[[Received], Scripted]:
    """A PostHog that answers from a store, and from the nth question on vanishes or says nothing any more."""
    asked_already = iter(range(1_000_000))

    def otherwise(asked: Received) -> Scripted:
        if asked.method != "POST":
            return json_answer({"id": 1})
        if after is not None and next(asked_already) >= after:
            return Scripted(hangs=True) if hang else Scripted(vanishes=True)
        query = asked.body["query"]
        return json_answer(answer(asking.query(query["query"], query["values"]), query["query"]))

    return otherwise


def command(url: str, tmp_path: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "tui.main", "sync", "--workspace", str(tmp_path / "pulled"), *more]


def environment(url: str, tmp_path: Path) -> dict[str, str]:
    named = {"POSTHOG_HOST": url, "POSTHOG_PERSONAL_API_KEY": KEY, "LOOPDESK_STATE_DIR": str(tmp_path / "state")}
    return {**os.environ, **named, "LOOPDESK_TIMEZONE": "UTC"}


def run(url: str, tmp_path: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(url, tmp_path, *more),
        cwd=ROOT,
        env=environment(url, tmp_path),
        capture_output=True,
        text=True,
        timeout=120,
    )


def pulled(tmp_path: Path) -> list[tuple]:
    store = Store.open(tmp_path / "pulled" / "events.db")
    try:
        return stored(store)
    finally:
        store.close()


@pytest.fixture
def recent(there: Store) -> Store:
    """Events of the last hours of this machine's own clock, which the command goes by."""
    there.ingest(events(95, at=datetime.now(UTC) - 20 * HOUR, step=timedelta(minutes=5)))
    return there


def test_the_command_says_what_it_stored(recent: Store, asking: LocalBackend, tmp_path: Path):
    with Double([], otherwise=answering(asking)).running() as posthog:
        done = run(posthog.url, tmp_path, "--since", "2d")
        assert done.returncode == 0, done.stderr
        assert "Stored 95 new events. From project 1 of http://127.0.0.1" in done.stdout and done.stderr == ""
        done = run(posthog.url, tmp_path, "--json", "--project-id", "1")
        document = json.loads(done.stdout)
        assert (document["stored"], document["project_id"], document["host"]) == (0, "1", posthog.url)
        assert "s3cret" not in done.stdout + done.stderr
        assert "s3cret" not in "".join(asked.path + json.dumps(asked.body) for asked in posthog.received)
    assert pulled(tmp_path) == stored(recent)


def test_prompts_are_not_pulled_where_none_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "config.toml").write_text("prompt_days = 0\n")
    monkeypatch.setenv("LOOPDESK_CONFIG_DIR", str(tmp_path))
    done = run("http://127.0.0.1:9", tmp_path, "--prompts")
    assert done.returncode == 1 and "prompt_days is 0" in done.stderr


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_sync_goes_on_where_it_was(how: signal.Signals, recent: Store, asking: LocalBackend, tmp_path: Path):
    with Double([], otherwise=answering(asking, after=3, hang=True)).running() as posthog:
        started = subprocess.Popen(
            command(posthog.url, tmp_path, "--since", "2d", "--page", "20"),
            cwd=ROOT,
            env=environment(posthog.url, tmp_path),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(5):  # the project's number, three pages, and the one that is never answered
            assert posthog.arrived.acquire(timeout=60)
        os.kill(started.pid, how)
        _, said = started.communicate(timeout=60)
    assert started.returncode == (-how if how == signal.SIGKILL else 130)
    assert "Traceback" not in said and (how == signal.SIGKILL or "`loopdesk sync` goes on at" in said)
    half = pulled(tmp_path)
    assert 0 < len(half) < 95
    with Double([], otherwise=answering(asking)).running() as posthog:
        # Another port is another source for the cursor: the row is renamed as if the host had come back.
        _rename_source(tmp_path / "pulled" / "events.db", posthog.url)
        done = run(posthog.url, tmp_path, "--json", "--overlap", "0", "--page", "20")
        assert done.returncode == 0, done.stderr
        assert (json.loads(done.stdout)["stored"], json.loads(done.stdout)["known"]) == (95 - len(half), 0)
    assert pulled(tmp_path) == stored(recent)


def test_two_syncs_of_one_source_do_not_run_at_once(recent: Store, asking: LocalBackend, tmp_path: Path):
    with Double([], otherwise=answering(asking, after=0, hang=True)).running() as posthog:
        first = subprocess.Popen(
            command(posthog.url, tmp_path), cwd=ROOT, env=environment(posthog.url, tmp_path), stderr=subprocess.DEVNULL
        )
        try:
            for _ in range(2):
                assert posthog.arrived.acquire(timeout=60)
            done = run(posthog.url, tmp_path)
            assert done.returncode == 1 and "Another process pulls" in done.stderr
        finally:
            first.kill()
            first.wait(60)


def test_a_host_that_dies_half_way_ends_the_command_in_one_sentence(
    recent: Store, asking: LocalBackend, tmp_path: Path
):
    with Double([], otherwise=answering(asking, after=2)).running() as posthog:
        done = run(posthog.url, tmp_path, "--since", "2d", "--page", "20")
    (line,) = done.stderr.strip().splitlines()
    assert done.returncode == 1 and done.stdout == "" and "goes on at" in line and "Traceback" not in line


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--since", "the dawn"], "--since 'the dawn' is not a time"),
        (["--until", "99999-01-01"], "--until"),
        (["--since", "1d", "--until", "2d"], "no time between"),
        (["--page", "0"], "--page"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: list[str], says: str, tmp_path: Path):
    with Double([], otherwise=lambda _: json_answer({"id": 1})).running() as posthog:
        done = run(posthog.url, tmp_path, *arguments)
    assert done.returncode == 1 and says in done.stderr and "Traceback" not in done.stderr


def test_a_project_that_cannot_be_looked_up_must_be_named(tmp_path: Path):
    with Double([], otherwise=lambda _: refusal(403, "scope 'project:read'")).running() as posthog:
        done = run(posthog.url, tmp_path)
    assert done.returncode == 1 and "--project-id" in done.stderr


def test_real_events_are_not_pulled_into_a_simulated_weekend(tmp_path: Path):
    (tmp_path / "pulled").mkdir(mode=0o700)
    (tmp_path / "pulled" / "demo.json").write_text("{}")
    done = run("http://127.0.0.1:9", tmp_path)
    assert done.returncode == 1 and "simulated" in done.stderr


def test_a_workspaces_own_server_is_not_pulled_from(serve: Callable[..., Served], tmp_path: Path):
    served = serve(tmp_path / "pulled")
    done = subprocess.run(
        command(served.url, tmp_path),
        cwd=ROOT,
        env={**environment(served.url, tmp_path), "POSTHOG_PERSONAL_API_KEY": served.personal_key},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and "own `loopdesk serve`" in done.stderr


def _rename_source(events_db: Path, url: str) -> None:
    store = Store.open(events_db)
    store.connection.execute("UPDATE cursors SET source = ?", (source_key(url, "1"),))
    store.close()
