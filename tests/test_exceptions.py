"""Which exceptions are one issue."""

from __future__ import annotations

from uuid import UUID

import pytest

from queries.local.exceptions import issue_properties, normalised


def raised(type: str = "ValueError", value: str = "bad", frames: list[dict] | None = None, **more: object) -> dict:
    stack = {"type": "raw", "frames": frames} if frames is not None else None
    return {"$exception_list": [{"type": type, "value": value, "stacktrace": stack}], **more}


def frame(function: str, *, line: int = 1, own: bool = True, file: str = "loop.py") -> dict:
    return {"filename": file, "function": function, "lineno": line, "in_app": own}


def issue(properties: dict) -> object:
    return issue_properties(properties)["$exception_issue_id"]


def test_the_same_place_is_one_issue_whatever_the_message_and_line():
    one = raised(value="no row 1", frames=[frame("main"), frame("score", line=10)])
    other = raised(value="something else", frames=[frame("main"), frame("score", line=12)])
    assert issue(one) == issue(other)
    assert UUID(str(issue(one))).version == 5


def test_frames_of_libraries_do_not_count_beside_our_own():
    one = raised(frames=[frame("score"), frame("loads", own=False, file="json/decoder.py")])
    other = raised(frames=[frame("score"), frame("raw_decode", own=False, file="json/scanner.py")])
    assert issue(one) == issue(other)


@pytest.mark.parametrize(
    "other",
    [
        raised(type="KeyError", frames=[frame("score")]),
        raised(frames=[frame("judge")]),
        raised(frames=[frame("score", file="other.py")]),
    ],
)
def test_another_type_or_place_is_another_issue(other: dict):
    assert issue(raised(frames=[frame("score")])) != issue(other)


def test_without_a_stack_the_message_decides():
    assert issue(raised(value="no row 17 in 'a'")) == issue(raised(value="no row 3 in 'b'"))
    assert issue(raised(value="no row")) != issue(raised(value="no column"))


def test_a_fingerprint_that_came_with_the_event_is_kept():
    first = issue_properties(raised(value="a", **{"$exception_fingerprint": "mine"}))
    assert first["$exception_fingerprint"] == "mine"
    assert issue(raised(value="b", **{"$exception_fingerprint": "mine"})) == first["$exception_issue_id"]
    assert len(str(issue_properties({"$exception_fingerprint": "x" * 70_000})["$exception_fingerprint"])) == 128


@pytest.mark.parametrize(
    "properties",
    [
        {},
        {"$exception_list": "x"},
        {"$exception_list": [None, 7]},
        {"$exception_list": [{"type": 7, "value": None, "stacktrace": {"frames": "abc"}}]},
        {"$exception_list": [{"stacktrace": {"frames": [None, {"function": 3}]}}]},
        {"$exception_type": "TypeError", "$exception_message": "old"},
    ],
)
def test_an_exception_of_another_shape_still_gets_an_issue(properties: dict):
    assert UUID(str(issue(properties)))


def test_what_differs_between_occurrences_is_left_out():
    message = 'Row 01234567-89ab-cdef-0123-456789abcdef of "x" failed at 0x7f3a after 12.5 s in commit deadbeef1\nmore'
    assert normalised(message) == "Row # of * failed at # after #.# s in commit #"
