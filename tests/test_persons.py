"""The persons that events make."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from queries.local.persons import change_of, changed, person_id
from queries.local.store import Store
from tests.events import event


@pytest.fixture
def store(tmp_path: Path):
    store = Store.open(tmp_path / "events.db")
    yield store
    store.close()


def sent(name: str = "x", who: str = "a", **properties: object) -> dict:
    return {**event(name, key=(who, name), **properties), "distinct_id": who}


def persons(store: Store) -> dict[str, tuple[str, dict]]:
    rows = store.connection.execute("SELECT distinct_id, id, properties FROM persons ORDER BY distinct_id")
    return {distinct_id: (id, json.loads(properties)) for distinct_id, id, properties in rows}


def test_a_sender_becomes_a_person_of_the_same_id_everywhere(store: Store):
    store.ingest([sent(), sent("y"), sent(who="b")])
    assert persons(store) == {"a": (person_id("a"), {}), "b": (person_id("b"), {})}


def test_an_event_without_a_profile_makes_no_person(store: Store):
    store.ingest([sent(**{"$process_person_profile": False, "$set": {"plan": "pro"}})])
    assert persons(store) == {}


def test_properties_are_set_set_once_and_unset_in_order(store: Store):
    store.ingest([sent("1", **{"$set": {"plan": "free", "old": 1}, "$set_once": {"first": "1"}})])
    store.ingest([sent("2", **{"$set": {"plan": "pro"}, "$set_once": {"first": "2"}, "$unset": ["old"]})])
    assert persons(store)["a"][1] == {"plan": "pro", "first": "1"}


def test_setting_comes_before_setting_once():
    change = change_of("x", {"$set": {"a": 1}, "$set_once": {"a": 2, "b": 3}})
    assert change and changed({}, change) == {"a": 1, "b": 3}


def test_a_resent_event_changes_nobody_again(store: Store):
    old, new = sent("1", **{"$set": {"plan": "free"}}), sent("2", **{"$set": {"plan": "pro"}})
    store.ingest([old, new])
    store.ingest([old])
    assert persons(store)["a"][1] == {"plan": "pro"}


def test_an_exception_changes_no_properties(store: Store):
    store.ingest([sent("$exception", **{"$set": {"plan": "pro"}})])
    assert persons(store) == {"a": (person_id("a"), {})}


def test_who_identifies_was_the_same_person_before(store: Store):
    store.ingest([sent(who="anon", **{"$set": {"seen": 1, "plan": "none"}})])
    store.ingest([sent("$identify", "ada", **{"$anon_distinct_id": "anon", "$set": {"plan": "pro"}})])
    store.ingest([sent("later", "anon", **{"$set": {"last": 2}})])
    ada = (person_id("ada"), {"seen": 1, "plan": "pro", "last": 2})
    assert persons(store) == {"ada": ada, "anon": ada}


def test_someone_who_was_identified_is_not_taken_over(store: Store):
    store.ingest([sent("$identify", "ada", **{"$anon_distinct_id": "anon"})])
    store.ingest([sent("$identify", "bob", **{"$anon_distinct_id": "anon"})])
    found = persons(store)
    assert (found["anon"][0], found["bob"][0]) == (person_id("ada"), person_id("bob"))


@pytest.mark.parametrize("nobody", ["anonymous", "null", "Undefined", "0", "", 7, None, ["a"]])
def test_nobody_is_not_merged(nobody: object, store: Store):
    store.ingest([sent("$identify", "ada", **{"$anon_distinct_id": nobody})])
    assert persons(store) == {"ada": (person_id("ada"), {})}


@pytest.mark.parametrize("odd", ["x", 7, [1], None, {"a": "\ud800"}])
def test_person_properties_of_another_shape_break_nothing(odd: object, store: Store):
    found = store.ingest([sent(**{"$set": odd, "$set_once": odd, "$unset": odd})])
    assert found.stored == 1
    assert persons(store).keys() == {"a"}


def test_a_person_that_was_rolled_back_is_made_again(store: Store):
    def fail() -> None:
        with store.transaction():
            store.ingest([sent()])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert persons(store) == {}
    store.ingest([sent()])
    assert persons(store).keys() == {"a"}


def test_a_person_removed_by_another_process_breaks_nothing(store: Store):
    store.ingest([sent()])
    store.connection.execute("DELETE FROM persons")
    assert store.ingest([sent("y", **{"$set": {"plan": "pro"}})]).stored == 1
