"""The same questions, asked of the store directly and over HTTP as of a PostHog, have the same rows and views."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from queries import boards
from queries.backend import QueryRefused
from queries.limiter import Limiter, account
from queries.local.backend import LocalBackend
from queries.local.store import Store
from queries.remote import RemoteBackend
from queries.remote_errors import KeyRefused
from queries.remote_http import Transport
from queries.views import window as windows
from queries.views.filters import Filters
from tests.catalog_oracle import MORNING, asked, weekend
from tests.conftest import Served

ASKED = asked()
Asks = Callable[..., RemoteBackend]


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weekend")
    folder.chmod(0o700)
    store = Store.open(folder / "events.db")
    assert store.ingest(weekend(), now=MORNING).rejected == ()
    store.close()
    return folder


@pytest.fixture
def both(serve: Callable[..., Served], stored: Path, tmp_path: Path) -> Iterator[tuple[LocalBackend, Asks]]:
    served = serve(stored)
    local = LocalBackend(served.events_db)
    opened: list[RemoteBackend] = []

    def connect(key: str = served.personal_key) -> RemoteBackend:
        transport = Transport(served.url, key)
        opened.append(RemoteBackend(transport, Limiter(tmp_path / "state"), account(transport.host, key)))
        return opened[-1]

    yield local, connect
    for backend in (local, *opened):
        backend.close()


def test_every_question_gives_the_same_rows(both: tuple[LocalBackend, Asks]):
    local, connect = both
    remote = connect()
    rows = 0
    for name, (question, values) in ASKED.items():
        here = local.query(question.text, values, question.types)
        there = remote.query(question.text, values, question.types)
        rows += len(here.rows)
        for field in ("columns", "types", "rows", "timezone", "has_more", "limit"):
            assert getattr(there, field) == getattr(here, field), f"{name}: {field}"
        assert there.backend == "posthog"
    assert rows > 100


@pytest.mark.parametrize("board", boards.NAMES)
def test_every_board_is_the_same_picture(board: str, both: tuple[LocalBackend, Asks]):
    local, connect = both
    window = windows.night(MORNING, "UTC")
    for filters in (Filters(), Filters("gtm-autoresearch", "moss-cosmetics")):
        here = boards.ask(board, local, window, filters)
        there = boards.ask(board, connect(), window, filters)
        assert there.view == here.view
        assert replace(there, view=None, results=(), asked_at=here.asked_at, backend="") == replace(
            here, view=None, results=(), backend=""
        )


def test_a_text_without_limit_says_that_there_is_more(both: tuple[LocalBackend, Asks]):
    found = both[1]().query("SELECT uuid, timestamp FROM events WHERE timestamp > toDateTime('2026-01-01')")
    assert (len(found.rows), found.has_more, found.limit) == (100, True, 100)


def test_refusals_of_the_real_server_are_understood(both: tuple[LocalBackend, Asks]):
    with pytest.raises(QueryRefused) as caught:
        both[1]().query("SELECT nothing_like_it FROM events LIMIT 1")
    assert "nothing_like_it" in str(caught.value)
    with pytest.raises(KeyRefused, match="runs there"):
        both[1]("phx_another-key-of-mine").query("SELECT 1")
    with pytest.raises(KeyRefused, match="can only send events"):
        both[1]("phc_another-key-of-mine").query("SELECT 1")
