"""What a researching agent has to answer, and what is wrong with an answer. Its form is a schema; whether what it names
exists is checked against the report and our own mirrors of the code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import jsonschema

from engine import metrics
from engine.judge import Actionability
from engine.results import LEADS_TO, MOST_TITLE, PRIORITIES
from engine.rows import spelled
from workspace.errors import LoopdeskError
from workspace.text import plain

MOST_WORDS = 200
MOST_BYTES = 100 * 1024
"""Of an answer as JSON; the result has room for it and for what is kept beside it."""
NONE = "none"
"""For a repository: the cause is in none of them."""
CODE, COMMIT, DATA = "code", "commit", "data"
_SHA = re.compile(r"[0-9a-f]{7,40}")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a finding shows. `where` is a path of the repository, a commit, or what was asked; `line` is 0 where none
    is named."""

    kind: str
    where: str
    said: str
    line: int = 0


@dataclass(frozen=True, slots=True)
class Finding:
    """`signals` are ids."""

    signals: tuple[str, ...]
    said: str
    places: tuple[Place, ...] = ()


@dataclass(frozen=True, slots=True)
class Findings:
    """`repository` is empty where the cause is in none; `metric` where no metric fits."""

    findings: tuple[Finding, ...]
    root_cause: str
    actionability: Actionability
    reason: str
    question: str
    already_addressed: bool
    priority: str
    priority_reason: str
    title: str
    summary: str
    repository: str
    repository_reason: str
    metric: Mapping[str, object]


class Code(Protocol):
    """The repositories as they were shown. Blocks."""

    def lines(self, repository: str, path: str) -> int | None:
        """How many lines a file has, None where there is no such file."""

    def has_commit(self, repository: str, sha: str) -> bool: ...


def schema(repositories: Sequence[str], metric: Mapping[str, object]) -> Mapping[str, object]:
    """`metric` is the schema of a target metric. Reasons come before what they are the reasons of."""
    properties: dict[str, object] = {
        "findings": {"type": "array", "maxItems": 20, "items": _FINDING},
        "root_cause": _text(1_500),
        "reason": _text(600),
        "actionability": {"enum": list(LEADS_TO)},
        "question": {"type": "string", "maxLength": 600, "description": "Empty unless input is required"},
        "already_addressed": {"type": "boolean"},
        "priority_reason": _text(600),
        "priority": {"enum": list(PRIORITIES)},
        "title": _text(200),
        "summary": _text(3_000),
    }
    required = list(properties)
    if len(repositories) > 1:
        properties["repository_reason"] = _text(600)
        properties["repository"] = {"enum": [*repositories, NONE], "description": "Where the cause is"}
        required += ["repository_reason", "repository"]
    properties["metric"] = metric
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def wrong(content: Mapping[str, object], form: Mapping[str, object], named: Mapping[str, str], code: Code) -> list[str]:
    """Sentences of ours that quote nothing of the answer, because they go back to the agent. `named` are the signals'
    ids by what the agent calls them. Blocks."""
    fault = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(form).iter_errors(content))
    if fault is not None:
        return [f"{plain(fault.json_path, 80)} does not fit the form."]
    if len(spelled(content)) > MOST_BYTES:
        return ["It is too long: say less, and what matters."]
    answer: Any = content
    return [*_wrong_words(answer), *_wrong_metric(answer), *_wrong_findings(answer, form, named, code)]


def read(content: Mapping[str, object], repositories: Sequence[str], named: Mapping[str, str]) -> Findings:
    """Of an answer that nothing is wrong with."""
    answer: Any = content
    chosen = answer.get("repository", repositories[0])
    return Findings(
        findings=tuple(
            Finding(
                tuple(dict.fromkeys(named[name] for name in one["signals"])),
                one["said"].strip(),
                tuple(
                    Place(place["kind"], _place(place), place["said"].strip(), place.get("line", 0))
                    for place in one["evidence"]
                ),
            )
            for one in answer["findings"]
        ),
        repository="" if chosen == NONE else chosen,
        repository_reason=answer.get("repository_reason", "").strip(),
        already_addressed=answer["already_addressed"],
        metric=metrics.check(answer["metric"]).document if answer.get("metric") else {},
        actionability=answer["actionability"],
        priority=answer["priority"],
        **{
            name: answer[name].strip()
            for name in ("root_cause", "reason", "question", "priority_reason", "title", "summary")
        },
    )


def _wrong_words(answer: Any) -> list[str]:
    found = []
    title, words = answer["title"].strip(), len(answer["summary"].split())
    if len(title) > MOST_TITLE or not title or not title.isprintable():
        found.append(f"title has {len(title)} characters, and has to be one line of at most {MOST_TITLE}.")
    if not 0 < words <= MOST_WORDS:
        found.append(f"summary has {words} words, and at most {MOST_WORDS} are read.")
    if (answer["actionability"] == "requires_human_input") != bool(answer["question"].strip()):
        found.append("question has to be asked where input is required, and only there.")
    return found


def _wrong_metric(answer: Any) -> list[str]:
    if not answer.get("metric"):
        return []
    try:
        metrics.check(answer["metric"])
    except LoopdeskError as error:
        return [f"metric: {error}"]
    return []


def _wrong_findings(answer: Any, form: Mapping[str, object], named: Mapping[str, str], code: Code) -> list[str]:
    found = []
    properties: Any = form["properties"]
    offered = properties.get("repository", {}).get("enum")
    chosen = answer.get("repository", "")  # "" is the only one there is
    if not answer["findings"] and answer["actionability"] != "not_actionable":
        found.append("findings are empty: what is to be acted on has to rest on something.")
    for number, one in enumerate(answer["findings"]):
        where = f"findings[{number}]"
        if not set(one["signals"]) <= set(named):
            found.append(f"{where}.signals names one that is not in the report; there are {', '.join(named)}.")
        for at, place in enumerate(one["evidence"]):
            if complaint := _wrong_place(place, chosen, bool(offered), code):
                found.append(f"{where}.evidence[{at}] {complaint}")
    return found


def _wrong_place(place: Any, chosen: str, is_choice: bool, code: Code) -> str:
    if place["kind"] == DATA:
        return ""
    if is_choice and chosen == NONE:
        return "names code, and no repository is chosen."
    if place["kind"] == COMMIT:
        sha = _place(place)
        is_known = _SHA.fullmatch(sha) is not None and code.has_commit(chosen, sha)
        return "" if is_known else "names a commit that is not in the history of the repository."
    lines = code.lines(chosen, _place(place))
    if lines is None:
        return "names a file that is not in the repository."
    return f"names a line of a file that has {lines:,}." if place.get("line", 0) > lines else ""


def _place(place: Any) -> str:
    where = place["where"].strip()
    return where.removeprefix("./") if place["kind"] == CODE else where.lower() if place["kind"] == COMMIT else where


def _text(most: int) -> dict[str, object]:
    return {"type": "string", "minLength": 1, "maxLength": most}


_EVIDENCE: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "kind": {"enum": [CODE, COMMIT, DATA]},
        "where": {**_text(300), "description": "A path, a commit, or the question that was asked"},
        "line": {"type": "integer", "minimum": 0},
        "said": _text(300),
    },
    "required": ["kind", "where", "said"],
    "additionalProperties": False,
}
_FINDING: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "signals": {"type": "array", "minItems": 1, "maxItems": 100, "items": {"type": "string"}},
        "said": _text(600),
        "evidence": {"type": "array", "minItems": 1, "maxItems": 6, "items": _EVIDENCE},
    },
    "required": ["signals", "said", "evidence"],
    "additionalProperties": False,
}
