"""Research by an agent: it looks into the code in a jail, asks the host for figures, and answers in one form.

Its answer is checked against the report and our mirrors, and mended once; an answer that names what is not there is
none. Nothing that it says of itself counts.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import partial

from engine import findings, metrics, prompts, roles
from engine.agents import tools
from engine.agents.mcp_config import servers
from engine.agents.protocol import Agent, Answer, HostTool, Snapshot, Task
from engine.checkouts import MOST_REPOSITORIES, Checkout, Checkouts, fetched, shown
from engine.data_blocks import Data, user_message
from engine.executor import MOST_RESULT
from engine.findings import CODE, Findings
from engine.in_thread import in_thread
from engine.judge import Case, Evidence, clipped, texts_of
from engine.judge import shown as described
from engine.research import NoAgent, Read
from engine.reviewers import reviewers
from engine.rows import spelled
from engine.sandbox.bundles import Untrusted
from engine.sandbox.protocol import Sandbox
from engine.work import Progress
from workspace.config import Config
from workspace.errors import LoopdeskError
from workspace.text import plain

ROLE = "research"
Snapshots = Callable[[Snapshot], Awaitable[None]]
LIMIT_USD = 1.0
"""Of one research, its repair included."""
TURNS = 40
_SHOWN = 20  # signals in the question; the tool has them all
_MOST_REFUSALS = 20


@dataclass
class _Run:
    """What one research came by on its way."""

    calls: tools.Calls = field(default_factory=tools.Calls)
    answers: list[Answer] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    @property
    def cost_usd(self) -> float:
        return sum(one.cost_usd for one in self.answers)


class ResearchAgent:
    """`engine.research.LooksIntoCode`. `sandbox` raises `NoSandbox`."""

    def __init__(
        self,
        config: Config,
        agent: Agent,
        sandbox: Callable[[], Sandbox],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Raises `LoopdeskError` for MCP servers or models that make no sense."""
        self._config, self._agent, self._sandbox, self._clock = config, agent, sandbox, clock
        self._servers, self._name = servers(config), roles.models(config)[ROLE]

    async def look(self, case: Case, read: Read, progress: Progress) -> Mapping[str, object]:
        sandbox = self._sandbox()
        if len(read.repositories) > MOST_REPOSITORIES:
            raise NoAgent(
                f"Its code may be in any of {len(read.repositories)} repositories",
                f"An agent is shown {MOST_REPOSITORIES} at most",
                "Name its project under projects of the one repository",
            )
        before = await progress.latest() or {}
        named = {f"S{number}": id for number, id in enumerate(read.signals, 1)}
        run = _Run()
        fetched = await self._fetched(read, before.get("commits"))
        names = [one.name for one in read.repositories]
        async with (
            shown(sandbox, self._config.workspace.runs, fetched) as code,
            self._tools(read, named, run) as offered,
        ):
            task = Task(
                ROLE,
                prompts.RESEARCH,
                _question(case, read, named, code),
                findings.schema(names, metrics.choices()),
                report_id=read.report_id,
                clone=code.all[0].clone,
                tools=run.calls.watched(offered),
                session=str(before.get("session") or ""),
                base=code.all[0].sha,
                read_only={one.within: one.clone for one in code.all[1:]},
                limit_usd=LIMIT_USD,
                turns=TURNS,
            )

            async def keep(snapshot: Snapshot) -> None:
                commits = {one.repository.name: one.sha for one in code.all}
                await progress.save({"session": snapshot.session, "commits": commits})

            content = await self._answered(task, keep, run, named, code)
            found = findings.read(content, names, named)
            wrote = await in_thread(lambda: _reviewers(found, code), "reviewers")
        return _result(found, read, case.evidence, code, run, wrote, self._name)

    async def _answered(
        self, task: Task, keep: Snapshots, run: _Run, named: Mapping[str, str], code: Checkouts
    ) -> Mapping[str, object]:
        """An answer that nothing is wrong with: the first, or the one after it was told what is."""
        answer = await self._asked(task, task.prompt, keep, run)
        content = _content(answer)
        complaints = await in_thread(lambda: findings.wrong(content, task.schema, named, code), "findings")
        left_usd = task.limit_usd - run.cost_usd
        if complaints and left_usd > 0:
            mend = _mend(complaints)
            anew = f"{task.prompt}\n{user_message([Data('former_answer', content)], secrets.token_hex(8))}\n{mend}"
            again = replace(task, prompt=mend, session=answer.session, limit_usd=left_usd)
            content = _content(await self._asked(again, anew, keep, run))
            complaints = await in_thread(lambda: findings.wrong(content, task.schema, named, code), "findings")
        if not complaints:
            return content
        raise LoopdeskError(f"Its answer could not be used: {plain(' '.join(complaints), 300)}")

    async def _asked(self, task: Task, anew: str, keep: Snapshots, run: _Run) -> Answer:
        """`anew` is the whole question, for where a session cannot be gone on with."""
        try:
            answer = await self._agent.ask(task if task.session else replace(task, prompt=anew), keep)
        except Untrusted:
            if not task.session:
                raise
            answer = await self._agent.ask(replace(task, session="", prompt=anew), keep)
        run.answers.append(answer)
        return answer

    async def _fetched(self, read: Read, pins: object) -> list[Checkout]:
        """What was looked at before is looked at as it was then."""
        pinned = pins if isinstance(pins, Mapping) else {}
        mirrors, token = self._config.workspace.mirrors, self._config.github_token
        works = [partial(fetched, one, mirrors, token, str(pinned.get(one.name) or "")) for one in read.repositories]
        return list(await asyncio.gather(*(in_thread(work, "mirror") for work in works)))

    @asynccontextmanager
    async def _tools(self, read: Read, named: Mapping[str, str], run: _Run) -> AsyncIterator[list[HostTool]]:
        found = [
            tools.signals({name: read.signals[id] for name, id in named.items()}),
            tools.memory(read.notes),
        ]
        if self._servers:
            # Its library takes longer to load than all else here.
            from engine.agents import mcp

            bridged = await mcp.offered(self._servers)
            found += bridged.tools
            run.said = bridged.said
        backend = await in_thread(lambda: tools.backend_of(self._config), "research-backend")
        if backend is None:
            run.said.append("No events are stored here, so nothing could be asked of them.")
            yield found
            return
        with closing(backend):
            yield [tools.hogql(backend), tools.trace(backend, self._clock), *found]


def _content(answer: Answer) -> Mapping[str, object]:
    if answer.content is None:
        raise LoopdeskError(f"The agent gave no answer: {plain(answer.why, 300) or 'it did not say why'}")
    return answer.content


def _question(case: Case, read: Read, named: Mapping[str, str], code: Checkouts) -> str:
    newest = list(named.items())[-_SHOWN:]
    signals = [
        {"signal": name, "happened": one.occurred_at.isoformat(), **described(texts_of(one))}
        for name, one in ((name, read.signals[id]) for name, id in newest)
    ]
    repositories = [
        {
            "name": one.repository.name,
            "folder": one.within,
            "branch": one.branch,
            "commit": one.sha,
            "projects": one.repository.projects,
        }
        for one in code.all
    ]
    report: dict[str, object] = {"title": clipped(read.title), "signals": len(named)}
    if len(newest) < len(named):
        report["not_shown"] = f"{len(named) - len(newest)} older ones; the tool signals has them"
    blocks = [
        Data("report", report),
        Data("observations", signals),
        Data("evidence", [one.said for one in case.evidence]),
        Data("added_by_people", [clipped(one) for one in read.context]),
        Data("memory", [clipped(one) for one in read.memory]),
        Data("repositories", repositories),
    ]
    return user_message(blocks, secrets.token_hex(8))


def _mend(complaints: Sequence[str]) -> str:
    return "\n".join(["Your answer cannot be used as it is:", *(f"- {one}" for one in complaints[:12]), "Mend it."])


def _reviewers(found: Findings, code: Checkouts) -> list[Mapping[str, object]]:
    if not found.repository:
        return []
    one = code[found.repository]
    places = [(place.where, place.line) for each in found.findings for place in each.places if place.kind == CODE]
    return [asdict(reviewer) for reviewer in reviewers(one.mirror, one.sha, places)]


def _result(
    found: Findings,
    read: Read,
    measured: Sequence[Evidence],
    code: Checkouts,
    run: _Run,
    wrote: Sequence[Mapping[str, object]],
    name: str,
) -> Mapping[str, object]:
    """In the form that `engine.results.research` takes. What does not fit into a result is the calls of tools: the
    transcript has them all."""
    looked = ", ".join(f"{one.repository.name} at {one.sha[:10]}" for one in code.all)
    result: dict[str, object] = {
        **{
            word: getattr(found, word)
            for word in (
                *("title", "summary", "actionability", "reason", "priority", "priority_reason", "question"),
                *("already_addressed", "root_cause", "metric"),
            )
        },
        "judged_by": name,
        "code": f"An agent looked into {looked}.",
        "findings": [
            *(asdict(one) for one in measured),
            *({**asdict(one), "by": name} for one in found.findings),
        ],
        "reviewers": list(wrote),
        "transcripts": [
            {"blob": one.transcript, "round_id": one.trace, "turns": one.turns, "cost_usd": round(one.cost_usd, 6)}
            for one in run.answers
            if one.transcript
        ],
        "missing": [plain(one, 400) for one in run.said],
        "refusals": [
            {"at": one.at.isoformat(), "kind": str(one.kind), "said": plain(one.said, 300)}
            for answer in run.answers
            for one in answer.refusals
        ][:_MOST_REFUSALS],
        "calls": list(run.calls.kept),
        "calls_left_out": run.calls.left_out,
    }
    if found.repository:
        one = code[found.repository]
        result["repository"] = {
            "name": one.repository.name,
            "branch": one.branch,
            "sha": one.sha,
            "is_pinned": read.is_pinned,
            "reason": found.repository_reason or _why_this(read),
        }
    return _fitting(result)


def _why_this(read: Read) -> str:
    return "The configuration names it for the project." if read.is_pinned else "It is the only one that is configured."


def _fitting(result: dict[str, object]) -> Mapping[str, object]:
    calls = result["calls"]
    assert isinstance(calls, list)
    while calls and len(spelled(result)) > MOST_RESULT:
        left = calls[: len(calls) // 2]
        result["calls_left_out"] = int(str(result["calls_left_out"])) + len(calls) - len(left)
        result["calls"] = calls = left
    return result
