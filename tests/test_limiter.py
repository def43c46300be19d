"""Taking turns at PostHog: pure decisions, one file for all processes, and what a killed process leaves behind."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from queries.backend import QueryCancelled
from queries.limiter import Limiter, account
from queries.remote_errors import NoTurn
from queries.turns import Limits, Priority, Usage, Wait, decide

ROOT = Path(__file__).resolve().parents[1]
NOW = 1_800_000_000.0
ACCOUNT = account("https://us.posthog.com", "phx_secret-of-mine")


class Clock:
    """Time that only passes while somebody waits."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.now += max(seconds, 0.01)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limiter(tmp_path: Path, clock: Clock) -> Iterator[Limiter]:
    found = Limiter(tmp_path, clock=clock, monotonic=clock, pause=clock.pause)
    yield found
    found.close()


def test_a_first_question_may_be_asked():
    assert decide(Usage(), Limits(), Priority.SYNC, NOW) is None


@pytest.mark.parametrize(("priority", "places"), [(Priority.DESK, 3), (Priority.RESEARCH, 2), (Priority.SYNC, 1)])
def test_places_are_kept_for_the_more_urgent(priority: Priority, places: int):
    assert decide(Usage(running=places - 1), Limits(), priority, NOW) is None
    assert decide(Usage(running=places), Limits(), priority, NOW) == Wait("PostHog answers 3 questions at once")


@pytest.mark.parametrize(
    ("priority", "allowed"), [(Priority.DESK, 240), (Priority.RESEARCH, 180), (Priority.SYNC, 120)]
)
def test_a_minute_has_room_again_when_the_oldest_that_counts_is_a_minute_old(priority: Priority, allowed: int):
    asked = [NOW - 50 + n * 0.01 for n in range(allowed)]
    wait = decide(Usage(asked), Limits(), priority, NOW)
    assert wait is not None and wait.seconds == pytest.approx(10) and "240 questions a minute" in wait.why
    assert decide(Usage(asked[1:]), Limits(), priority, NOW) is None
    assert decide(Usage(asked), Limits(), priority, NOW + wait.seconds) is None


def test_an_hour_is_counted_too_and_an_older_team_has_a_smaller_one():
    asked = [NOW - 3000 + n for n in range(120)]
    assert decide(Usage(asked), Limits(), Priority.DESK, NOW) is None
    wait = decide(Usage(asked, hour_limit=120), Limits(), Priority.DESK, NOW)
    assert wait is not None and wait.seconds == 600 and "120 questions an hour" in wait.why
    assert wait.sentence == "Waiting 10 min: PostHog takes 120 questions an hour."
    kept = decide(Usage(asked[:60], hour_limit=120), Limits(), Priority.SYNC, NOW)
    assert kept is not None and "60 of them are kept for the desk" in kept.why


def test_a_429_holds_everybody_and_waiting_is_in_order_of_urgency():
    assert decide(Usage(blocked_until=NOW + 7), Limits(), Priority.DESK, NOW).seconds == 7
    assert decide(Usage(ahead=1), Limits(), Priority.SYNC, NOW) == Wait("a more urgent question goes first")


def test_three_at_once_and_a_place_given_back_is_taken(limiter: Limiter):
    with ExitStack() as held:
        for _ in range(3):
            held.enter_context(limiter.slot(ACCOUNT))
        with pytest.raises(NoTurn, match="3 questions at once"), limiter.slot(ACCOUNT, within_s=5):
            pass
        with limiter.slot(account("https://us.posthog.com", "phx_another")):
            pass
    with limiter.slot(ACCOUNT):
        pass


def test_a_lease_that_ran_out_does_not_take_anothers_with_it(limiter: Limiter, clock: Clock):
    with ExitStack() as outlived, limiter.slot(ACCOUNT):
        outlived.enter_context(limiter.slot(ACCOUNT, lease_s=1))
        clock.now += 2
        with limiter.slot(ACCOUNT):
            outlived.close()
            assert _rows(limiter, "SELECT count(*) FROM leases") == [(2,)]


def test_waiting_is_told_with_its_length_once_a_second(limiter: Limiter, clock: Clock):
    limiter.throttled(ACCOUNT, 27)
    told: list[str] = []
    with limiter.slot(ACCOUNT, told=lambda wait: told.append(wait.sentence)):
        pass
    assert told[0] == "Waiting 27 s: PostHog said that its limit of questions is reached."
    assert 14 <= len(told) <= 28 and clock.now >= NOW + 27


def test_a_wait_that_would_be_too_long_is_refused_at_once(limiter: Limiter, clock: Clock):
    limiter.throttled(ACCOUNT, 600)
    with pytest.raises(NoTurn) as caught, limiter.slot(ACCOUNT, within_s=60):
        pass
    assert caught.value.seconds == 600 and "10 min" in str(caught.value) and clock.now == NOW


def test_whoever_leaves_while_waiting_does_not_ask(limiter: Limiter):
    limiter.throttled(ACCOUNT, 5)
    answers = iter([False, False, True])
    with pytest.raises(QueryCancelled), limiter.slot(ACCOUNT, cancelled=lambda: next(answers)):
        pass
    assert _rows(limiter, "SELECT count(*) FROM waiting") == [(0,)]


def test_a_long_wait_after_few_questions_shows_an_older_team(limiter: Limiter, clock: Clock):
    for _ in range(100):
        with limiter.slot(ACCOUNT):
            pass
        clock.now += 1
    limiter.throttled(ACCOUNT, 900)
    clock.now += 901
    for _ in range(20):
        with limiter.slot(ACCOUNT):
            pass
    with pytest.raises(NoTurn, match="120 questions an hour"), limiter.slot(ACCOUNT):
        pass
    clock.now += 25 * 3600
    assert _usage_limit(limiter, clock) is None


def test_a_short_wait_teaches_nothing(limiter: Limiter, clock: Clock):
    limiter.throttled(ACCOUNT, 20)
    clock.now += 21
    assert _usage_limit(limiter, clock) is None


@pytest.mark.parametrize("step", [-86_400, -90, 86_400])
def test_a_clock_that_steps_locks_nobody_out_for_long(step: int, limiter: Limiter, clock: Clock):
    for _ in range(240):
        with limiter.slot(ACCOUNT):
            pass
    limiter.throttled(ACCOUNT, 30)
    clock.now += step
    before = clock.now
    with limiter.slot(ACCOUNT, within_s=4000):
        pass
    assert clock.now - before <= 121


def test_the_key_is_not_in_the_file(limiter: Limiter, tmp_path: Path):
    with limiter.slot(ACCOUNT):
        pass
    limiter.close()
    held = b"".join(path.read_bytes() for path in tmp_path.glob("limits.db*"))
    assert ACCOUNT.encode() in held and b"secret-of-mine" not in held and b"posthog.com" not in held
    assert (tmp_path / "limits.db").stat().st_mode & 0o077 == 0


HOLDER = """
import sys
from pathlib import Path
from queries.limiter import Limiter
from queries.turns import Priority

limiter = Limiter(Path(sys.argv[1]))
with limiter.slot(sys.argv[2], Priority.DESK):
    print("held", flush=True)
    sys.stdin.readline()
"""


def _holder(folder: Path) -> subprocess.Popen:
    started = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder), ACCOUNT],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert started.stdout is not None and started.stdout.readline() == "held\n"
    return started


def test_processes_share_the_places_and_a_killed_one_leaves_its_own(tmp_path: Path):
    holders = [_holder(tmp_path) for _ in range(3)]
    limiter = Limiter(tmp_path)
    try:
        with pytest.raises(NoTurn), limiter.slot(ACCOUNT, within_s=0.1):
            pass
        os.kill(holders[0].pid, signal.SIGKILL)
        holders[0].wait(60)
        with limiter.slot(ACCOUNT, within_s=60):
            pass
    finally:
        limiter.close()
        for holder in holders:
            holder.kill()
            holder.communicate()


def test_a_killed_process_that_waited_lets_the_others_go_on(tmp_path: Path):
    limiter = Limiter(tmp_path)
    with limiter.slot(ACCOUNT):
        pass
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait(60)
    row = (ACCOUNT, 0, dead.pid, "1", 9e12)
    with sqlite3.connect(tmp_path / "limits.db") as db:
        db.execute("INSERT INTO waiting(account, priority, pid, born, expires_at) VALUES (?, ?, ?, ?, ?)", row)
        db.execute("INSERT INTO leases(account, pid, born, expires_at) VALUES (?, ?, ?, ?)", (row[0], *row[2:]))
    db.close()
    with limiter.slot(ACCOUNT, Priority.SYNC, within_s=60):
        pass
    limiter.close()


def test_a_number_used_again_is_not_taken_for_the_process_that_had_it(tmp_path: Path):
    if not Path("/proc/self/stat").exists():
        pytest.skip("no /proc to read a process's start from")
    limiter = Limiter(tmp_path)
    with limiter.slot(ACCOUNT):
        pass
    with sqlite3.connect(tmp_path / "limits.db") as db:
        for _ in range(3):
            row = (ACCOUNT, os.getpid(), "1", 9e12)
            db.execute("INSERT INTO leases(account, pid, born, expires_at) VALUES (?, ?, ?, ?)", row)
    db.close()
    with limiter.slot(ACCOUNT, within_s=60):
        pass
    limiter.close()


COUNTER = """
import sys
from pathlib import Path
from queries.limiter import Limiter
from queries.remote_errors import NoTurn
from queries.turns import Limits

limiter = Limiter(Path(sys.argv[1]), limits=Limits(minute=40))
asked = 0
try:
    while True:
        with limiter.slot(sys.argv[2], within_s=20):
            asked += 1
except NoTurn:
    print(asked)
"""


def test_processes_that_ask_together_stay_within_one_minutes_limit(tmp_path: Path):
    started = [
        subprocess.Popen(
            [sys.executable, "-c", COUNTER, str(tmp_path), ACCOUNT], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    assert sum(int(one.communicate(timeout=60)[0]) for one in started) == 40


def test_a_waiting_desk_goes_before_a_waiting_sync(tmp_path: Path):
    limiter = Limiter(tmp_path, limits=Limits(at_once=1))
    order: list[str] = []
    waiting = {Priority.SYNC: threading.Event(), Priority.DESK: threading.Event()}

    def ask(priority: Priority) -> None:
        with limiter.slot(ACCOUNT, priority, within_s=30, told=lambda _: None, cancelled=looked(priority)):
            order.append(priority.name)

    def looked(priority: Priority):
        looks = iter(range(1_000_000))

        def look() -> bool:
            if next(looks) == 1:  # it has been refused once: it stands among the waiting
                waiting[priority].set()
            return False

        return look

    with limiter.slot(ACCOUNT):
        threads = []
        for priority in (Priority.SYNC, Priority.DESK):
            threads.append(threading.Thread(target=ask, args=(priority,)))
            threads[-1].start()
            assert waiting[priority].wait(60)
    for thread in threads:
        thread.join(60)
    assert order == ["DESK", "SYNC"]
    limiter.close()


def test_a_folder_that_cannot_be_written_warns_once_and_counts_alone(tmp_path: Path):
    (tmp_path / "state").write_text("in the way")
    warnings: list[str] = []
    limiter = Limiter(tmp_path / "state", warn=warnings.append, limits=Limits(minute=2))
    for _ in range(2):
        with limiter.slot(ACCOUNT):
            pass
    with pytest.raises(NoTurn), limiter.slot(ACCOUNT, within_s=1):
        pass
    assert len(warnings) == 1 and "cannot be shared" in warnings[0]
    limiter.close()


def test_a_file_that_others_can_write_is_not_trusted(tmp_path: Path):
    Limiter(tmp_path).throttled(ACCOUNT, 5)
    (tmp_path / "limits.db").chmod(0o666)
    warnings: list[str] = []
    limiter = Limiter(tmp_path, warn=warnings.append)
    with limiter.slot(ACCOUNT, within_s=0):
        pass
    assert len(warnings) == 1 and "Other users" in warnings[0]
    limiter.close()


def test_a_damaged_file_is_moved_aside_and_begun_anew(tmp_path: Path):
    (tmp_path / "limits.db").write_bytes(b"not a database, " * 400)
    warnings: list[str] = []
    limiter = Limiter(tmp_path, warn=warnings.append)
    with limiter.slot(ACCOUNT):
        pass
    limiter.close()
    assert warnings == [] and len(list(tmp_path.glob("limits.db.damaged-*"))) == 1


def test_a_file_that_becomes_unwritable_while_open_does_not_stop_questions(limiter: Limiter):
    with limiter.slot(ACCOUNT):
        limiter._opened.execute("PRAGMA query_only = ON")
    with limiter.slot(ACCOUNT):
        pass


def test_the_state_folder_is_the_users_or_named_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LOOPDESK_STATE_DIR", str(tmp_path / "elsewhere"))
    limiter = Limiter()
    limiter.throttled(ACCOUNT, 1)
    limiter.close()
    assert (tmp_path / "elsewhere" / "limits.db").exists()


def _rows(limiter: Limiter, sql: str) -> list[tuple]:
    return limiter._database().execute(sql).fetchall()


def _usage_limit(limiter: Limiter, clock: Clock) -> int | None:
    return limiter._usage(limiter._database(), ACCOUNT, Priority.DESK, clock()).hour_limit
