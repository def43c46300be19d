"""The tab of a report's proposal: what it waits for, its checks, what was said of it, what it did. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from engine.model import Artefact, Proposal, Report
from queries.views.trace.detail import Line
from queries.views.words import counted, money
from tui import proposals
from tui.proposals import asked, checks, findings, points
from tui.words import sentence
from workspace.text import plain, plain_lines

Clock = Callable[..., str]
Key = Callable[[str], str]
_MOST = 4_000  # characters of one text
_MOST_LINES = 40  # of one text
_MOST_CHECK_LINES = 8  # of what one check says; the rest is there
_MOST_COMMENTS = 50
_CHECKS = {"passed": ("good", "✓"), "failed": ("bad", "✗"), "pending": ("text", "○"), "skipped": ("dim", "–")}
_STANDINGS = {"red": "bad", "green": "good"}
_TESTS = {"passed": "passed", "failed": "failed", "not_run": "not run"}
_VERDICTS = {"approved": "approved it", "changes_requested": "asked for changes"}


def lines(
    report: Report, proposal: Proposal, told: Sequence[Artefact], cost_usd: float, clock: Clock, key: Key
) -> Iterator[Line]:
    """`told` are the report's artefacts; `key` gives the key of a verb, as people read it."""
    yield from _head(proposal, clock, key)
    yield from _block("Next", next_words(report, proposal, key, clock))
    yield from _outcome(proposal, clock, key)
    yield from _checked(proposal, clock)
    yield from _tests(proposal)
    yield from _guard(proposal)
    yield from _review(proposal)
    yield from _asked(proposal)
    yield from _maker(proposal)
    yield from _conversation(proposal, told, clock)
    yield Line("text", "")
    spent = money(cost_usd) if cost_usd else "nothing"
    built = f"built {counted(proposal.builds, 'time')}" if proposal.change else ""
    yield Line("dim", "; ".join(part for part in (f"Cost so far: {spent}", built, proposals.rounds(proposal)) if part))


def next_words(report: Report, proposal: Proposal, key: Key, clock: Clock) -> str:
    """What happens next, and the key that has it happen or stops it."""
    step = proposals.next_step(report, proposal)
    looks = f"{key('inbox-diff')} shows the change" if proposal.change.get("diff") else ""
    if step is not None:
        twice = " once you have typed its number: nothing has checked it" if step.is_second else ""
        does = {
            "start": "has another round made" if proposal.is_open else "starts another fix",
            "push": "has it pushed, and its checks run",
            "merge": f"merges {proposals.standing(proposal)}{twice}",
        }[step.expect]
        asks = f"{key('inbox-changes')} asks for changes" if proposal.is_built and proposal.is_open else ""
        asks = asks or (f"{key('inbox-context')} adds what would help it first" if proposal.state == "failed" else "")
        parts = (f"{key('inbox-approve')} {does}", looks, asks)
        return f"{'; '.join(part for part in parts if part)}."
    if proposal.countdown_until is not None:
        at = clock(proposal.countdown_until, seconds=True)
        return f"Another round begins at {at}, and {key('inbox-stop')} stops it. {sentence(looks) if looks else ''}"
    if proposal.waits_for == "answer":
        return f"{key('inbox-context')} answers, and the fix goes on with it."
    if proposal.waits_for == "hand":
        return f"{key('inbox-link')} copies where it is: merge or close it there. {key('inbox-decline')} declines it."
    if proposal.state == "merged":
        return _after_merge(proposal, key)
    if proposal.merge_approved and proposal.is_open:
        return "It is being merged."
    return {
        "queued": "An agent takes it up in its jail.",
        "building": "An agent works on it in its jail, and its tests run there.",
        "open": f"Its checks run; nothing is asked of you. {sentence(looks) if looks else ''}",
        "red": f"It is not mended by itself. {key('inbox-changes')} asks for changes; {key('inbox-decline')} declines.",
        "failed": f"{key('inbox-context')} adds what would help; {key('inbox-decline')} declines it.",
    }.get(proposal.state, "")


def _after_merge(proposal: Proposal, key: Key) -> str:
    back = f"{key('inbox-revert')} proposes to take it back." if not proposal.reverts else ""
    if not proposal.verdict:
        return f"What it does to its metric is measured over the next nights. {back}"
    if proposal.verdict_seen_at is None:
        return f"{key('inbox-acknowledge')} says that you have seen it, and it is done with. {back}"
    return back


def _head(proposal: Proposal, clock: Clock, key: Key) -> Iterator[Line]:
    yield Line("heading", proposals.title(proposal))
    state = sentence(proposals.state(proposal))[:-1]
    parts = (state, proposals.standing(proposal))
    yield Line(_line_tone(proposals.tone(proposal)), "  ".join(part for part in parts if part))
    where = (proposals.size(proposal), plain(proposal.repository, 80), plain(proposal.branch, 120))
    if any(where):
        yield Line("dim", "  ".join(part for part in where if part))
    if proposal.url:
        yield Line("dim", plain(proposal.url, 300))
    if proposal.reverts:
        yield Line("text", "It takes back what was merged before.")
    if proposal.said and proposal.said != "Merged.":
        yield from _paragraph(proposal.said)


def _line_tone(tone: str) -> str:
    """A line knows good and bad; what waits is said as loud as what is bad."""
    return "bad" if tone == "warn" else tone


def _outcome(proposal: Proposal, clock: Clock, key: Key) -> Iterator[Line]:
    outcome: Mapping[str, Any] = proposal.outcome
    if not proposal.verdict and not outcome:
        return
    yield from _heading("Outcome", "")
    yield Line(_line_tone(proposals.tone(proposal)), f"{sentence(proposal.verdict or 'too early to say')[:-1]}.")
    yield from _paragraph(str(outcome.get("said", "")))
    metric = outcome.get("metric")
    name = plain(metric.get("name", ""), 60).replace("_", " ") if isinstance(metric, Mapping) else ""
    unit = plain(outcome.get("unit", ""), 20)
    for side in ("before", "after"):
        found, value = outcome.get(side), proposals.measured(proposal, side)
        if isinstance(found, Mapping) and value is not None:
            amount = money(value) if unit.lower() in ("usd", "$") else f"{value:.4g} {unit}".rstrip()
            over = [
                counted(found[each], each[:-1]) for each in ("rounds", "nights") if isinstance(found.get(each), int)
            ]
            share = proposals.change_share(proposal) if side == "after" else ""
            yield Line("text", "  ".join(part for part in (f"  {side:6} {amount}", ", ".join(over), share) if part))
    if name:
        yield Line("dim", f"  metric: {name}")
    if measured := _instant(outcome.get("measured_at")):
        yield Line("dim", f"  measured {clock(measured)}")


def _checked(proposal: Proposal, clock: Clock) -> Iterator[Line]:
    found = checks(proposal)
    if not proposal.checks:
        return
    stands = str(proposal.checks.get("standing", "none"))
    at = _instant(proposal.checks.get("at"))
    words = proposals.state(proposal) if stands == "none" and not found else stands
    seen = f", as of {clock(at)}" if at else ""
    yield from _heading("Checks", f"{words}{seen}" if found else _no_checks(proposal))
    for one in found:
        tone, mark = _CHECKS.get(str(one.get("state")), ("text", "○"))
        yield Line(tone, f"  {mark} {plain(one.get('state', ''), 8):8} {plain(one.get('name', ''), 80)}")
        says = [line for line in plain_lines(str(one.get("summary", ""))[:_MOST]) if line.strip()]
        for line in says[:_MOST_CHECK_LINES]:
            yield Line("dim", f"      {line}")
        if len(says) > _MOST_CHECK_LINES:
            yield Line("dim", f"      and {counted(len(says) - _MOST_CHECK_LINES, 'more line')} there")
        if one.get("url") and one.get("state") == "failed":
            yield Line("dim", f"      {plain(one['url'], 300)}")


def _no_checks(proposal: Proposal) -> str:
    if proposal.checks.get("to_run"):
        return "the configured command runs in the jail"
    return "nothing checks it" if proposal.waits_for == "second_key" else "none was seen yet"


def _tests(proposal: Proposal) -> Iterator[Line]:
    tests: Mapping[str, Any] = proposal.tests
    if tests:
        ended = str(tests.get("state", ""))
        command = f" by {plain(tests['command'], 200)}" if tests.get("command") and ended != "not_run" else ""
        yield from _heading("Tests in the jail", f"{_TESTS.get(ended, ended)}{command}")
        tone = "bad" if ended == "failed" else "text"
        for line in plain_lines(str(tests.get("summary", "")).strip()[:_MOST])[:_MOST_CHECK_LINES]:
            yield Line(tone, f"  {line}")


def _guard(proposal: Proposal) -> Iterator[Line]:
    guard: Mapping[str, Any] = proposal.guard
    if not guard:
        return
    has_passed = guard.get("passed") is True
    yield from _heading("Guard", "passed" if has_passed else "stopped it")
    if not findings(proposal) and not has_passed:
        yield from _paragraph(str(guard.get("sentence", "")))
    for one in findings(proposal):
        place = plain(one.get("where", ""), 120) + (f":{one['line']}" if one.get("line") else "")
        mark, tone = ("✗ stops it", "bad") if one.get("stops") else ("! your push is needed", "bad")
        yield Line(tone, f"  {mark}  {place} {plain(one.get('reason', ''), 300)}")


def _review(proposal: Proposal) -> Iterator[Line]:
    review: Mapping[str, Any] = proposal.review
    if not review:
        return
    found = points(proposal)
    yield from _heading("Review by a second agent", counted(len(found), "point") if found else "no point")
    yield from _paragraph(str(review.get("summary", "")))
    for one in found:
        place = plain(one.get("path", ""), 120) + (f":{one['line']}" if one.get("line") else "")
        must = "must  " if one.get("must") else ""
        yield Line("bad" if must else "text", f"  {must}{place}  {plain(one.get('text', ''), 1_000)}")


def _asked(proposal: Proposal) -> Iterator[Line]:
    waiting = asked(proposal)
    if waiting:
        yield from _heading("Asked for, not answered yet", "")
    for one in waiting:
        place = f" on {plain(one['path'], 120)}:{one.get('line')}" if one.get("path") else ""
        yield Line("name", f"  {plain(one.get('by', ''), 60)}{place}: {plain(one.get('text', ''), 1_000)}")


def _maker(proposal: Proposal) -> Iterator[Line]:
    said = [
        (words, plain(proposal.change.get(name, ""), 1_000))
        for name, words in (("why", "Why"), ("how", "What was changed"), ("untested", "Not tested"))
    ]
    if any(text for _, text in said):
        yield from _heading("In its maker's words", "")
        for words, text in said:
            if text:
                yield Line("text", f"  {words}: {text}")


def comments(proposal: Proposal, told: Sequence[Artefact]) -> list[Artefact]:
    """What was said on the proposal at its forge, in order."""
    found = [one for one in told if one.kind == "comment" and one.content.get("proposal") in (proposal.id, None)]
    return sorted(found, key=lambda one: str(one.content.get("at", "")))


def comment_author(content: Mapping[str, Any]) -> str:
    """`octocat (collaborator)`."""
    association = plain(content.get("association", ""), 30).lower().replace("_", " ")
    who = plain(content.get("author", ""), 60) or "somebody"
    return who if content.get("is_ours") or association in ("", "none") else f"{who} ({association})"


def comment_words(content: Mapping[str, Any], clock: Clock) -> str:
    """`octocat (collaborator) asked for changes, 07:10`."""
    did = f" {_VERDICTS[str(content.get('verdict'))]}" if content.get("verdict") in _VERDICTS else ""
    at = _instant(content.get("at"))
    return f"{comment_author(content)}{did}{f', {clock(at)}' if at else ''}"


def _conversation(proposal: Proposal, told: Sequence[Artefact], clock: Clock) -> Iterator[Line]:
    found = comments(proposal, told)
    if not found:
        return
    yield from _heading("Conversation", counted(len(found), "comment"))
    if len(found) > _MOST_COMMENTS:
        yield Line("dim", f"  the newest {_MOST_COMMENTS} of them")
    for one in found[-_MOST_COMMENTS:]:
        content: Mapping[str, Any] = one.content
        place = f"  {plain(content['path'], 120)}:{content.get('line')}" if content.get("path") else ""
        yield Line("name", f"  {comment_words(content, clock)}{place}")
        for line in plain_lines(str(content.get("body", "")).strip()[:_MOST])[:_MOST_LINES]:
            yield Line("text", f"    {line}")
        if content.get("is_trusted") and content.get("is_safe") is False:
            yield Line("bad", "    Kept from the agent: it seems to manipulate whoever reads it.")
        elif not content.get("is_trusted") and not content.get("is_ours"):
            yield Line("dim", "    From outside: it starts nothing.")


def _heading(words: str, more: str) -> Iterator[Line]:
    yield Line("text", "")
    yield Line("heading", f"{words}: {more}" if more else words)


def _block(words: str, text: str) -> Iterator[Line]:
    if text.strip():
        yield from _heading(words, "")
        yield from _paragraph(text)


def _paragraph(text: str) -> Sequence[Line]:
    return [Line("text", line) for line in plain_lines(text[:_MOST])[:_MOST_LINES]] if text.strip() else []


def _instant(value: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
