"""What a returned result does to its report. Pure; a result is checked here, whoever it came from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from engine import metrics
from engine.effects import AddArtefact, Effect, Log, ReadSignals, SaveReport
from engine.model import ENGINE, Artefact, Job, Report
from workspace.errors import LoopdeskError
from workspace.text import plain

PRIORITIES = ("P0", "P1", "P2", "P3", "P4")
# What research found about whether something can be done -> where the report goes.
LEADS_TO: Mapping[str, str] = {
    "immediately_actionable": "ready",
    "requires_human_input": "pending_input",
    "not_actionable": "potential",
}
MOST_TITLE, MOST_SUMMARY, MOST_QUOTE = 70, 4_000, 300
# What a text that manipulates tries to do, by its threat.
_TRIES: Mapping[str, str] = {
    "instruction_override": "give orders to whoever reads it",
    "hidden_instructions": "hide orders from people",
    "encoded_payload": "smuggle in encoded orders",
    "secret_exfiltration": "get at secrets",
    "remote_code": "have foreign code run",
}


class BadResult(LoopdeskError):
    """A result that cannot be applied; its attempt has failed."""


def research(report: Report, job: Job, now: datetime) -> tuple[Effect, ...]:
    """A completed pass, whatever its answer: what it has read weighs nothing any more.

    `job.result` is `{"title", "summary", "actionability", "reason"?, "priority"?, "priority_reason"?, "question"?,
    "findings"?: [{...}], "already_addressed"?, "judged_by"?, "judged"?, "code"?, "metric"?}`; `judged` is the
    actionability that the judge gave where it leads elsewhere, `code` a sentence about who looked into the code,
    `metric` what a fix is measured by (`engine.metrics.check`). Where an agent looked, also `{"root_cause",
    "repository"?: {"name", "branch", "sha", "is_pinned", "reason"}, "reviewers": [{"name", "email", "lines"}],
    "transcripts": [{"blob", "round_id", "turns", "cost_usd"}], "missing": [what could not be asked], "refusals":
    [{"at", "kind", "said"}], "calls": [{"tool", "arguments", "ok", "answer"}], "calls_left_out"}`, and a finding of its
    own is `{"signals", "said", "places": [{"kind", "where", "said", "line"}], "by"}`. Or `{"blocked": {"threat",
    "quote", "why"}}`: the report's texts together manipulate whoever reads them, and nothing was researched. Raises
    `BadResult`.

    Its artefacts: `finding` for each finding, one `judgement`, and of an agent `repository`, `reviewers`, `transcript`,
    `tool_missing`, `refusal` and `tool_call`, each with the number of its run.
    """
    result = job.result or {}
    if "blocked" in result:
        return _blocked(report, job, result["blocked"], now)
    actionability = result.get("actionability")
    if actionability not in LEADS_TO:
        raise BadResult(f"Research gave no actionability of {', '.join(LEADS_TO)}")
    priority = result.get("priority", "")
    if priority not in ("", *PRIORITIES):
        raise BadResult(f"Research gave a priority that is none of {', '.join(PRIORITIES)}")
    title, summary = _text(result, "title"), _text(result, "summary")
    question = _text(result, "question")
    if actionability == "requires_human_input" and not question:
        raise BadResult("Research asks for input and has no question")
    if actionability != "not_actionable" and not (title and summary):
        raise BadResult("Research gave no title or no summary")
    status = LEADS_TO[str(actionability)]
    reason = _text(result, "reason")
    is_addressed = result.get("already_addressed") is True
    after, line = report.moved(
        status,
        by=ENGINE,
        reason=f"research: {str(actionability).replace('_', ' ')}",
        now=now,
        title=(title or report.title)[:MOST_TITLE],
        summary=(summary or report.summary)[:MOST_SUMMARY],
        question=question[:MOST_SUMMARY],
        note=_note(report, str(actionability), reason, is_addressed),
        priority=priority,
        actionability=str(actionability),
        passes=report.passes if report.is_by_hand else report.passes + 1,
        is_by_hand=False,
        status_before="",
        start_approved_by="",
        metric=_metric(result) or report.metric,
    )
    signals = job.brief.get("signals", {})
    assert isinstance(signals, Mapping)  # the brief is our own
    run = int(str(job.brief.get("run", 0)))
    judged = {
        "actionability": _judged(result, str(actionability)),
        "reason": reason,
        "priority": priority,
        "priority_reason": _text(result, "priority_reason"),
        "already_addressed": is_addressed,
        "by": _text(result, "judged_by"),
        "code": _text(result, "code"),
        "root_cause": _text(result, "root_cause"),
        "repository": str(_mapping(result, "repository").get("name") or ""),
        "run": run,
    }
    kept = [*(("finding", found) for found in _documents(result, "findings")), ("judgement", judged)]
    kept += [(kind, {**content, "run": run}) for kind, content in _by_an_agent(result)]
    artefacts = [AddArtefact(Artefact(report.id, kind, dict(content), ENGINE, now)) for kind, content in kept]
    return (Log(line), SaveReport(after), ReadSignals(report.id, run, signals), *artefacts)


def _by_an_agent(result: Mapping[str, object]) -> Iterator[tuple[str, Mapping[str, object]]]:
    if repository := _mapping(result, "repository"):
        yield "repository", repository
    if reviewers := _documents(result, "reviewers"):
        yield "reviewers", {"reviewers": reviewers}
    for kind, name in (("transcript", "transcripts"), ("refusal", "refusals"), ("tool_call", "calls")):
        for content in _documents(result, name):
            yield kind, content
    for said in _list(result, "missing"):
        yield "tool_missing", {"said": str(said)}
    if left_out := result.get("calls_left_out"):
        yield "tool_call", {"left_out": left_out}


APPLY: Mapping[str, Callable[[Report, Job, datetime], tuple[Effect, ...]]] = {"research": research}


def _blocked(report: Report, job: Job, found: object, now: datetime) -> tuple[Effect, ...]:
    """No pass was completed: what was to be read keeps its weight. Only a human's release leads on."""
    if not isinstance(found, Mapping):
        raise BadResult("Research was blocked and does not say by what")
    threat, quote, why = (plain(_text(found, name), MOST_QUOTE) for name in ("threat", "quote", "why"))
    tries = _TRIES.get(threat, "manipulate whoever reads it")
    shown = f": “{quote}”" if quote else ""
    question = (
        f"Nothing was researched, because the texts of its signals, read together, seem to {tries}{shown}. {why} "
        "If this is harmless, release the report, and it is researched; if not, decline it."
    )
    after, line = report.moved(
        "failed",
        by=ENGINE,
        reason=f"its texts together were blocked: {threat.replace('_', ' ') or 'manipulation'}",
        now=now,
        question=" ".join(question.split()),
        note="",
        is_by_hand=False,
        status_before="",
        start_approved_by="",
    )
    content = {"threat": threat, "quote": quote, "why": why, "run": job.brief.get("run", 0)}
    blocked = Artefact(report.id, "safety_blocked", content, ENGINE, now)
    return (Log(line), SaveReport(after), AddArtefact(blocked))


def _metric(result: Mapping[str, object]) -> Mapping[str, object]:
    if not result.get("metric"):
        return {}
    try:
        return metrics.check(result["metric"]).document
    except LoopdeskError as error:
        raise BadResult(f"Research chose a metric that cannot be measured: {error.what}") from error


def _judged(result: Mapping[str, object], actionability: str) -> str:
    judged = _text(result, "judged") or actionability
    if judged not in LEADS_TO:
        raise BadResult(f"Research was judged as none of {', '.join(LEADS_TO)}")
    return judged


def _note(report: Report, actionability: str, reason: str, is_addressed: bool) -> str:
    if report.start_approved_by:
        return "Its start was approved for what research had found before; approve it again."
    if actionability == "not_actionable":
        return f"Research found nothing to do: {reason or 'no reason given'}"[:300]
    return f"Somebody seems to have it in hand already: {reason}"[:300] if is_addressed else ""


def _text(result: Mapping[str, object], name: str) -> str:
    value = result.get(name, "")
    if not isinstance(value, str):
        raise BadResult(f"Research gave a {name} that is not text")
    return value.strip()


def _documents(result: Mapping[str, object], name: str) -> list[Mapping[str, object]]:
    return [found for found in _list(result, name) if isinstance(found, Mapping)]


def _mapping(result: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = result.get(name) or {}
    if not isinstance(value, Mapping):
        raise BadResult(f"Research gave a {name} that is no object")
    return value


def _list(document: Mapping[str, object], name: str) -> list[object]:
    value = document.get(name, [])
    if not isinstance(value, list | tuple):
        raise BadResult(f"{name} is not a list")
    return list(value)
