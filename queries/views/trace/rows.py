"""A row of a trace in words: what it is, how long it took, what it cost, and what is odd about it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from queries.views.trace.events import Events
from queries.views.trace.tree import KINDS, NOBODY, Mark, Tree
from queries.views.words import score, signed
from workspace.text import plain

LONGEST_LABEL = 240

_ODD = {
    Mark.RUNNING: "running",
    Mark.NO_RETURN: "no return",
    Mark.NO_CALL: "no call",
    Mark.NO_START: "no start",
    Mark.NO_PARENT: "parent missing",
    Mark.PARENT_LOOP: "parents in a loop",
    Mark.CLOCK: "clocks differ",
    Mark.OUTSIDE: "outside the round",
    Mark.LATE: "late",
}


@dataclass(frozen=True, slots=True)
class Row:
    """`number` is its place in the tree. `offset_s` is since the round began; `duration_s` is None for a moment.

    `marks` are words, the gravest first. `key` stays the same when more events arrive.
    """

    number: int
    depth: int
    kind: str
    label: str
    offset_s: float
    duration_s: float | None
    tokens: float | None
    cost_usd: float | None
    marks: tuple[str, ...]
    is_error: bool
    has_passed: bool
    children: int
    key: bytes


def row(tree: Tree, number: int) -> Row:
    """Made when it is looked at: nobody looks at 100,000."""
    events, place, marks = tree.events, tree.first[number], tree.marks[number]
    duration = tree.end_us[number] - tree.start_us[number]
    is_open = bool(marks & (Mark.NO_RETURN | Mark.NO_CALL)) and not duration
    return Row(
        number=number,
        depth=tree.depth[number],
        kind=KINDS[tree.kind[number]],
        label=label(tree, number),
        offset_s=(tree.start_us[number] - tree.began_us) / 1e6,
        duration_s=None if is_open or duration <= 0 else duration / 1e6,
        tokens=tokens(events, place),
        cost_usd=events.measured("cost_usd", place) if place != NOBODY and number else None,
        marks=_words(tree, number),
        is_error=bool(marks & Mark.FAILED),
        has_passed=bool(marks & Mark.PASSED),
        children=tree.size[number] - 1,
        key=key(tree, number),
    )


def key(tree: Tree, number: int) -> bytes:
    place = tree.first[number]
    if place != NOBODY:
        return tree.events.key(place)
    # A row without an event: the round itself, or a suite that is known by its cases.
    return b"round" if number == 0 else tree.events.key(tree.first[number + 1]) + b"suite"


def tokens(events: Events, place: int) -> float | None:
    """In and out together; None where neither was sent."""
    if place == NOBODY:
        return None
    known = [value for name in ("tokens_in", "tokens_out") if (value := events.measured(name, place)) is not None]
    return sum(known) if known else None


def _words(tree: Tree, number: int) -> tuple[str, ...]:
    marks = tree.marks[number]
    found = ["failed"] if marks & Mark.FAILED else []
    found += [word for mark, word in _ODD.items() if marks & mark]
    if marks & Mark.TWICE:
        found.append(f"×{1 + len(tree.extra.get(number, ()))}")
    if marks & Mark.PASSED and not found:
        found.append("passed" if KINDS[tree.kind[number]] == "case" else "ok")
    return tuple(found)


def label(tree: Tree, number: int) -> str:
    """One printable line."""
    events, place = tree.events, tree.first[number]
    if number == 0:
        return _round_label(tree)
    if place == NOBODY:
        return f"suite{_cases(tree, number)}"
    name = events.said("event", place)
    say = _LABELS.get(name)
    if say is not None:
        text = say(tree, number, place)
    elif name.startswith("$ai_"):
        text = _called(tree, number, place)
    else:
        text = _sayings(name, said_text(events, place))
    return plain(text, LONGEST_LABEL)


def said_text(events: Events, place: int) -> str:
    """The event's own words. PostHog shows a property as its JSON without the outer quotes: escapes are still in it."""
    text = events.said("text", place)
    if "\\" in text:
        try:
            text = json.loads(f'"{text}"', strict=False)
        except ValueError:  # cut in the middle, or not JSON at all
            text = text.replace('\\"', '"').replace("\\n", " ")
    return text.rstrip(" :") if text not in (" = ", " → ") else ""


def _sayings(*parts: str) -> str:
    return "  ".join(part for part in parts if part)


def _round_label(tree: Tree) -> str:
    events, place = tree.events, tree.first[0]
    if place == NOBODY:
        return f"round {tree.trace_id}"
    baseline = events.measured("score", place)
    parts = [f"round {tree.trace_id}", events.said("model", place)]
    return _sayings(*parts, f"baseline {score(baseline)}" if baseline is not None else "")


def _tool(tree: Tree, number: int, place: int) -> str:
    events, other = tree.events, tree.second[number]
    is_return = events.said("event", place) == "step.tool_returned"
    error = said_text(events, other) if other != NOBODY else said_text(events, place) if is_return else ""
    arguments = "" if is_return else said_text(events, place)
    name = events.said("tool", place) or "tool"
    return _sayings(name, f"→ {error}" if error else "", "" if arguments in ("", "{}") else arguments)


def _called(tree: Tree, number: int, place: int) -> str:
    events = tree.events
    name = events.said("event", place).removeprefix("$ai_")
    text = said_text(events, place)
    return _sayings(events.said("model", place) or name, text)


def _eval(tree: Tree, number: int, place: int) -> str:
    return (said_text(tree.events, place) or "suite") + _cases(tree, number)


def _cases(tree: Tree, number: int) -> str:
    end = number + tree.size[number]
    cases = [row for row in range(number + 1, end) if KINDS[tree.kind[row]] == "case"]
    passed = sum(bool(tree.marks[row] & Mark.PASSED) for row in cases)
    return f"  {passed} of {len(cases)} passed" if cases else ""


def _case(tree: Tree, number: int, place: int) -> str:
    events = tree.events
    found = events.measured("score", place)
    parts = (events.said("case_id", place), score(found) if found is not None else "", said_text(events, place))
    return _sayings(*parts)


def _worded(word: str) -> Callable[[Tree, int, int], str]:
    return lambda tree, number, place: _sayings(word, said_text(tree.events, place))


def _scored(tree: Tree, number: int, place: int) -> str:
    return f"scored {score(tree.events.measured('score', place))}"


def _decided(word: str) -> Callable[[Tree, int, int], str]:
    def say(tree: Tree, number: int, place: int) -> str:
        delta = tree.events.measured("delta", place)
        return _sayings(word, signed(delta) if delta is not None else "", said_text(tree.events, place))

    return say


def _routed(tree: Tree, number: int, place: int) -> str:
    return _sayings("router", tree.events.said("model", place), said_text(tree.events, place))


def _own(tree: Tree, number: int, place: int) -> str:
    return said_text(tree.events, place) or tree.events.said("event", place)


_LABELS: dict[str, Callable[[Tree, int, int], str]] = {
    "round_started": _worded("started again"),
    "proposal_generated": _worded("proposed"),
    "proposal_applied": _worded("applied to"),
    "round_scored": _scored,
    "round_kept": _decided("kept"),
    "round_reverted": _decided("reverted"),
    "stop_triggered": _worded("stopped:"),
    "finetune_batch_published": _worded("fine-tuning batch published"),
    "model_escalated": _own,
    "step.plan": _own,
    "step.tool_called": _tool,
    "step.tool_returned": _tool,
    "step.observation": _own,
    "step.reflection": _own,
    "step.retry": _own,
    "eval.run": _eval,
    "eval.case": _case,
    "eval.regression": _own,
    "token_machine.request": _routed,
    "token_machine.anomaly": _worded("anomaly"),
    "$exception": _own,
}


def searchable(tree: Tree, numbers: Sequence[int]) -> list[str]:
    """What `/` finds in each of the rows."""
    return [f"{KINDS[tree.kind[number]]} {label(tree, number)} {' '.join(_words(tree, number))}" for number in numbers]
