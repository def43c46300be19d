"""What the engine alone does at a forge: push, propose, comment, merge, close. Handlers of jobs, each read-then-act.

Any of them may run twice, or not know whether its last request arrived: what is there is looked up first, by its
natural key. Only here is the token that can write.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, TypeVar

from engine import already, changes, commits, pull_text
from engine.blobs import Blobs
from engine.crash_points import crash_point
from engine.executor import Handler
from engine.fix_brief import hidden_names, repository_of, stored_evidence
from engine.forges.errors import Conflict, Limited, Missing, Moved, Refused
from engine.forges.local import LocalForge
from engine.forges.mirror import Mirror
from engine.forges.opening import forge_of
from engine.forges.protocol import Draft, Forge, PullRequest, standing
from engine.forges.trees import read_diff
from engine.guard import Verdict
from engine.guard_rules import BASE_FILE, Rules, configured, with_base
from engine.hearing import heard
from engine.in_thread import in_thread
from engine.inbox import Inbox
from engine.judge import Judge, Unavailable
from engine.leaving import judged, shown_to
from engine.listed import ReportDetail
from engine.model import Job, Note, Proposal
from engine.proposals import CHECKS, CLOSE, DELIVER, MERGE, REVERT, SAY, wanted
from engine.repositories import Repository, repositories
from engine.sandbox.protocol import Sandbox
from engine.sandbox.runner import JailRunner, Prepared
from engine.secrets import Canaries
from engine.work import WillNotDo
from workspace.config import SECRETS, Config
from workspace.errors import LoopdeskError
from workspace.text import plain

T = TypeVar("T")
_SHORTEST_SECRET = 8
_OF_A_SECRET = re.compile(r"key|token|secret|passw|credential|canary|database_url|dsn", re.IGNORECASE)


@dataclass
class Forges:
    """The forges of the configured repositories, opened on first use. Used by one engine, from its threads."""

    config: Config
    sandbox: Callable[[], Sandbox]
    now: Callable[[], datetime]
    _open: dict[tuple[str, asyncio.AbstractEventLoop], Forge] = field(default_factory=dict)

    def of(self, name: str, loop: asyncio.AbstractEventLoop) -> Forge:
        """Raises `LoopdeskError`."""
        # Jails are started in the loop of the engine that asks: one that was started anew has another.
        if (name, loop) not in self._open:
            runner = JailRunner(self.sandbox, loop)
            folder = self.config.workspace.mirrors
            self._open[name, loop] = forge_of(self.repository(name), folder, self.config.github_token, runner, self.now)
        return self._open[name, loop]

    def repository(self, name: str) -> Repository:
        """Raises `LoopdeskError`."""
        found = next((one for one in repositories(self.config) if one.name == name), None)
        if found is None:
            raise LoopdeskError(
                f"[repositories.{plain(name, 40)}] is not in the configuration any more",
                "Its proposals cannot be looked after",
                "Write it back into config.toml, or decline them",
            )
        return found


@dataclass(frozen=True, slots=True)
class _At:
    """A proposal and where it lives."""

    detail: ReportDetail
    proposal: Proposal
    repository: Repository
    forge: Forge
    notes: Sequence[Note]

    @property
    def mirror(self) -> Mirror:
        return self.forge.mirror


class Delivering:
    """`handlers` by kind of job."""

    def __init__(
        self, config: Config, forges: Forges, blobs: Blobs, judge: Judge, clock: Callable[[], datetime]
    ) -> None:
        self._config, self._forges, self._blobs, self._judge, self._clock = config, forges, blobs, judge, clock

    @property
    def handlers(self) -> Mapping[str, Handler]:
        return {
            DELIVER: self._handler(self._deliver),
            MERGE: self._handler(self._merge),
            CLOSE: self._handler(self._close),
            SAY: self._handler(self._say),
            REVERT: self._handler(self._revert),
            CHECKS: self._checks,
        }

    def _handler(self, work: Callable[[_At, Job], Mapping[str, object]]) -> Handler:
        async def handle(job: Job) -> Mapping[str, object]:
            loop = asyncio.get_running_loop()
            return await _waiting(lambda: work(self._at(job, loop), job), job.kind)

        return handle

    def _at(self, job: Job, loop: asyncio.AbstractEventLoop) -> _At:
        with closing(Inbox(self._config.workspace, read_only=True)) as inbox:
            detail = inbox.report(job.report_id)
            proposal, notes = inbox.proposal(job.proposal_id), inbox.notes()
        if detail is None or proposal is None:
            raise WillNotDo("The proposal is not in this workspace any more")
        repository = repository_of(self._config, detail, proposal)
        return _At(detail, proposal, repository, self._forges.of(repository.name, loop), notes)

    def _refuse_unwanted(self, job: Job) -> None:
        """Right before an effect: a thread is not told that its job was cancelled while it was at the forge."""
        with closing(Inbox(self._config.workspace, read_only=True)) as inbox:
            proposal = inbox.proposal(job.proposal_id)
        need = wanted(proposal) if proposal is not None else None
        if need is None or need.key != job.key:
            raise WillNotDo("It was not wanted any more")

    # Push and propose

    def _deliver(self, at: _At, job: Job) -> Mapping[str, object]:
        """In the form that `engine.proposal_results.delivered` takes."""
        proposal, forge, mirror = at.proposal, at.forge, at.mirror
        change: Mapping[str, Any] = proposal.change
        sha, base = str(change["sha"]), proposal.base_sha
        if proposal.number is not None and (pull := forge.read(proposal.number)).state != "open":
            return _ended(pull)
        there = mirror.fetch(proposal.base)
        if proposal.base not in there:
            raise WillNotDo(f"{at.repository.name} has no branch {plain(proposal.base, 80)} any more")
        bundle = self._blobs.get(str(change["bundle"]))
        if commits.taken(mirror, bundle, base, proposal.id) != sha:
            raise WillNotDo("The stored work is not the change that was built")
        text = self._text(at)
        title, body = pull_text.title(text), pull_text.body(text)
        texts = {"title": title, "body": body, "branch": proposal.branch}
        rules, canaries = self._rules(at), self._canaries(change)
        diff, verdict = judged(mirror, base, sha, rules, canaries, text.shown, texts)
        document = {"guard": _document(verdict), "diff": self._blobs.put(changes.written(diff))}
        if not verdict.passed:
            return {**document, "stopped": verdict.sentence}
        if verdict.waits and proposal.push_approved != sha and not at.repository.ci_trusts_branches:
            return {**document, "waits": True}
        if proposal.number is None and (same := already.about_the_same(at.detail, proposal, forge.open_pulls())):
            return {**document, "elsewhere": same}
        self._refuse_unwanted(job)
        try:
            crash_point("before_push")
            forge.push(mirror, sha, proposal.branch, proposal.head_sha or None)
            crash_point("after_push")
            crash_point("before_propose")
            self._refuse_unwanted(job)
            opened = forge.propose(Draft(proposal.branch, proposal.base, title, body))
            crash_point("after_propose")
        except Moved as error:
            return {**document, "elsewhere": str(error)}
        if opened.pull.state != "open":
            return _ended(opened.pull)
        return {
            **document,
            "sha": sha,
            "number": opened.pull.number,
            "url": opened.pull.url,
            "to_run": at.repository.is_local and bool(at.repository.ci),
            "consent": at.repository.consent,
            # Whoever reviews it there reads its first description, and then what became of their words.
            "say": pull_text.again(text) if proposal.number is not None else "",
        }

    def _text(self, at: _At) -> pull_text.PullText:
        change: Mapping[str, Any] = at.proposal.change
        report, evidence = at.detail.listed.report, stored_evidence(at.detail.artefacts)
        return pull_text.PullText(
            report_id=report.id,
            title=str(change.get("title", "")),
            problem=report.summary,
            evidence=evidence,
            why=str(change.get("why", "")),
            change=str(change.get("how", "")),
            tests=at.proposal.tests,
            untested=str(change.get("untested", "")),
            review=at.proposal.review,
            hidden=hidden_names(at.detail),
            shown=shown_to(at.detail, at.notes, self._blobs, evidence),
        )

    def _rules(self, at: _At) -> Rules:
        rules = configured(self._config.guard, at.repository.ci)
        file = at.mirror.file(at.proposal.base_sha, BASE_FILE)
        return with_base(rules, file.decode("utf-8", "replace")) if file is not None else rules

    def _canaries(self, change: Mapping[str, Any]) -> Canaries:
        """What the agent was marked with, and every secret that this process knows."""
        secrets = [str(getattr(self._config, name)) for name in SECRETS]
        about = [value for name, value in os.environ.items() if _OF_A_SECRET.search(name) and value[0:1] != "/"]
        found = [str(change.get("canary", "")), *secrets, *about]
        return Canaries(tuple(one for one in found if sum(map(str.isalnum, one)) >= _SHORTEST_SECRET))

    # After that

    async def _checks(self, job: Job) -> Mapping[str, object]:
        """The configured command, on the files of the head; in a jail. What it says is read by the safety filter before
        an agent does."""
        loop = asyncio.get_running_loop()
        at = await in_thread(lambda: self._at(job, loop), job.kind)
        prepared = Prepared(self._config.workspace.dependencies)
        base = at.proposal.base_sha
        folder = await prepared.dependencies(at.repository, at.mirror, base, self._forges.sandbox)
        forge = at.forge
        runner = JailRunner(self._forges.sandbox, loop, folder)
        if isinstance(forge, LocalForge):
            # With the lock of the one that is watched: both write the same records.
            forge = replace(forge, runner=runner)
        try:
            checks = await in_thread(lambda: forge.run_checks(str(job.brief["sha"])), job.kind)
        except asyncio.CancelledError:
            runner.stop()
            raise
        return {"checks": [asdict(one) for one in await heard(self._judge, checks)]}

    def _merge(self, at: _At, job: Job) -> Mapping[str, object]:
        """Once more everything that was true when it was approved: between the two, others may have been busy."""
        proposal, forge = at.proposal, at.forge
        assert proposal.number is not None
        sha = str(job.brief["sha"])
        pull = forge.read(proposal.number)
        if pull.state == "merged":
            return {"merged": pull.merge_sha}
        if (refused := self._why_not(at, pull, sha)) != "":
            return {"refused": refused}
        # It becomes the first line of a commit there: what has to stay home may have become more since it was proposed.
        title = pull_text.title(self._text(at))
        if found := guard_text(title, self._canaries(proposal.change)):
            return {"refused": f"Its title must not leave: {found}"}
        self._refuse_unwanted(job)
        try:
            crash_point("before_merge")
            merged = forge.merge(proposal.number, sha, f"{title} ({proposal.number})")
            crash_point("after_merge")
        except (Moved, Conflict, Refused) as error:
            return {"refused": str(error)}
        return {"merged": merged.sha}

    def _why_not(self, at: _At, pull: PullRequest, sha: str) -> str:
        proposal = at.proposal
        if pull.state != "open":
            return f"Its pull request is {pull.state}."
        if pull.base != proposal.base:
            return f"It leads into {plain(pull.base, 80)} now, and you saw {plain(proposal.base, 80)}."
        if pull.head_sha != sha:
            return f"It moved since you saw it: its head is {pull.head_sha[:10]} now, and you saw {sha[:10]}."
        if proposal.guard.get("head") != sha or proposal.guard.get("passed") is not True:
            return "The guard has not passed this head."
        if pull.mergeable is False:
            return f"It conflicts with {plain(pull.base, 80)} now."
        if proposal.checks.get("could_not_run") and proposal.waits_for == "second_key":
            return ""
        checks = at.forge.checks(sha)
        stands = standing(checks)
        if stands == "none":
            return "" if proposal.waits_for == "second_key" else "No check of it is there any more."
        if stands != "green":
            names = ", ".join(plain(one.name, 60) for one in checks if one.state in ("failed", "pending"))
            return f"Its checks are {stands} now: {names}."
        return ""

    def _close(self, at: _At, job: Job) -> Mapping[str, object]:
        number = at.proposal.number
        if number is None:
            found = at.forge.pull_request(at.proposal.branch)
            if found is None or found.state != "open":
                return {}
            number = found.number
        crash_point("before_close")
        with suppress(Missing):  # it is gone
            at.forge.close(number)
        crash_point("after_close")
        return {}

    def _say(self, at: _At, job: Job) -> Mapping[str, object]:
        assert at.proposal.number is not None
        text = str(job.brief["text"])
        verdict = guard_text(text, self._canaries(at.proposal.change))
        if verdict:
            raise WillNotDo(f"The comment was not posted: {verdict}")
        self._refuse_unwanted(job)
        crash_point("before_comment")
        comment = at.forge.comment(at.proposal.number, str(job.brief["key"]), text)
        crash_point("after_comment")
        return {"comment": comment.id}

    def _revert(self, at: _At, job: Job) -> Mapping[str, object]:
        """A change that takes a merged one back, on top of what came since; in the form of a fix's result."""
        with closing(Inbox(self._config.workspace, read_only=True)) as inbox:
            merged = inbox.proposal(at.proposal.reverts)
        if merged is None or not merged.merge_sha:
            raise WillNotDo("What is to be taken back is not known any more")
        mirror, proposal = at.mirror, at.proposal
        base = mirror.fetch(merged.base)[merged.base]
        why = f"It takes back “{plain(merged.title, 60)}”, merged as {merged.merge_sha[:10]}."
        message = f"{plain(proposal.title, 70)}\n\n{why}\n\nLoopdesk-Report: {proposal.report_id}\n"
        sha = commits.reverted(mirror, merged.merge_sha, base, message, proposal.created_at)
        diff = read_diff(mirror, base, sha)
        return {
            "change": {
                "sha": sha,
                "base_sha": base,
                "base": merged.base,
                "bundle": self._blobs.put(commits.bundled(mirror, sha, base)),
                "diff": self._blobs.put(changes.written(diff)),
                "files": len(diff.files),
                "added": diff.added,
                "removed": diff.removed,
                "title": plain(proposal.title, 70),
                "why": why,
                "how": "",
                "untested": "",
            },
            "repository": at.repository.name,
            "branch": f"loopdesk/revert-{proposal.id.lower()}",
            "tests": {"state": "not_run", "command": "", "summary": "Its checks will tell."},
        }


def _ended(pull: PullRequest) -> dict[str, object]:
    return {"there": pull.state, "number": pull.number, "merge_sha": pull.merge_sha, "head_sha": pull.head_sha}


def guard_text(text: str, canaries: Canaries) -> str:
    """Why a text of ours must not leave; empty where it may."""
    from engine.guard import text_findings

    found = next(iter(text_findings("The text", text, canaries)), None)
    return str(found) if found else ""


async def _waiting(work: Callable[[], T], name: str) -> T:
    """In a thread; a forge that asks to wait is waited for."""
    try:
        return await in_thread(work, name)
    except Limited as error:
        raise Unavailable(error.what, error.means, error.do, retry_at=error.until) from None


def _document(verdict: Verdict) -> dict[str, object]:
    findings = [
        {"kind": one.kind, "where": plain(one.where, 200), "line": one.line, "reason": one.reason, "stops": stops}
        for group, stops in ((verdict.stops, True), (verdict.waits, False))
        for one in group[:50]
    ]
    return {"head": verdict.head, "passed": verdict.passed, "sentence": verdict.sentence, "findings": findings}
