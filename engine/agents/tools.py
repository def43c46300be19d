"""What a researching agent can ask of the host: HogQL, the report's signals, memory and traces. Nothing is written.

Every answer is data between marks, whoever wrote it, also what a question was refused with.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice

from engine.agents.protocol import HostTool
from engine.data_blocks import Data, tool_answer, untagged
from engine.in_thread import in_thread
from engine.judge import clipped, shown, texts_of
from engine.model import Signal
from queries import traces
from queries.backend import Backend
from queries.morning import open_local
from queries.remote import Manner, open_remote
from queries.turns import Priority
from queries.views.trace import export
from workspace.config import Config
from workspace.errors import LoopdeskError
from workspace.text import plain

MOST_ROWS = 200
MOST_CELL, MOST_ANSWER = 500, 30_000  # characters
MOST_TRACE_EVENTS = 20_000
MOST_CALLS = 60
"""That are kept with the report; the transcript has them all."""
_MOST_KEPT = 400  # characters of a kept call's arguments, and of its answer
_MANNER = Manner(Priority.RESEARCH, deadline_s=60, patience_s=10, name="loopdesk research")
_TABLES = (
    "Tables: events (event, timestamp, distinct_id, properties.NAME) and posthog.ai_events (prompts and completions). "
    "Loops send round_started, proposal_generated, proposal_applied, round_scored, round_kept, round_reverted, "
    "model_escalated, stop_triggered, step.*, eval.*, token_machine.* and $ai_generation, with the properties project, "
    "client, run_id, round_id, agent and git_sha."
)


def backend_of(config: Config) -> Backend | None:
    """Who answers an agent's questions: the configured PostHog, in turn behind the desk, else the workspace's own
    store; None while there is none. Raises `LoopdeskError`."""
    return open_remote(config, manner=_MANNER) if config.asks_posthog else open_local(config)


@dataclass
class Calls:
    """What an agent asked of the host, in order, as it is kept with the report."""

    kept: list[Mapping[str, object]] = field(default_factory=list)
    left_out: int = 0

    def watched(self, tools: Sequence[HostTool]) -> list[HostTool]:
        return [replace(tool, call=self._watched(tool)) for tool in tools]

    def _watched(self, tool: HostTool) -> Callable:
        async def call(arguments: Mapping[str, object]) -> str:
            try:
                answer = await tool.call(arguments)
            except LoopdeskError as error:
                self._keep(tool.name, arguments, str(error), is_ok=False)
                raise
            self._keep(tool.name, arguments, answer, is_ok=True)
            return answer

        return call

    def _keep(self, tool: str, arguments: Mapping[str, object], answer: str, *, is_ok: bool) -> None:
        if len(self.kept) == MOST_CALLS:
            self.left_out += 1
            return
        shown = {plain(name, 60): plain(value, _MOST_KEPT) for name, value in islice(arguments.items(), 12)}
        self.kept.append({"tool": tool, "arguments": shown, "ok": is_ok, "answer": plain(untagged(answer), _MOST_KEPT)})


def answered(kind: str, content: object) -> str:
    return tool_answer(Data(kind, content), secrets.token_hex(8))


def refused(what: str, why: object) -> LoopdeskError:
    """`why` may quote anybody: it is data, too."""
    return LoopdeskError(f"{what}. {answered('refusal', plain(why, 1_000))}")


def hogql(backend: Backend) -> HostTool:
    async def call(arguments: Mapping[str, object]) -> str:
        text = str(arguments["query"])
        try:
            result = await in_thread(lambda: backend.query(text), "research-hogql")
        except LoopdeskError as error:
            raise refused("The question was not answered", error) from None
        rows, room = [], MOST_ANSWER
        for row in result.rows[:MOST_ROWS]:
            cells = [_clipped(cell) for cell in row]
            room -= sum(len(str(cell)) + 4 for cell in cells)
            if room < 0:
                break
            rows.append(cells)
        told: dict[str, object] = {"columns": result.columns, "rows": rows}
        if len(rows) < len(result.rows):
            told["left_out"] = f"{len(result.rows) - len(rows):,} rows: ask for fewer, or for sums of them"
        elif result.has_more:
            told["left_out"] = f"There are more than {result.limit}; say a LIMIT, or ask for sums of them"
        return answered("rows", told)

    return HostTool(
        "hogql",
        f"Answers one HogQL SELECT about what the loops sent. At most {MOST_ROWS} rows are shown. {_TABLES}",
        {
            "type": "object",
            "properties": {"query": {"type": "string", "minLength": 1, "maxLength": 8_000}},
            "required": ["query"],
            "additionalProperties": False,
        },
        call,
    )


def signals(named: Mapping[str, Signal]) -> HostTool:
    """`named` are those that the safety filter let pass, by what the agent calls them."""

    async def call(arguments: Mapping[str, object]) -> str:
        name = arguments.get("signal")
        if name is None:
            return answered("signals", [_about(name, one) for name, one in islice(named.items(), 200)])
        one = named.get(str(name))
        if one is None:
            raise LoopdeskError(f"There is no such signal; there are {', '.join(named) or 'none'}")
        return answered("signal", {**_about(str(name), one), **shown(texts_of(one))})

    return HostTool(
        "signals",
        "The report's signals: a list of them, or one in full by its name.",
        {
            "type": "object",
            "properties": {"signal": {"type": "string", "description": "As S1"}},
            "additionalProperties": False,
        },
        call,
    )


def memory(notes: Sequence[str]) -> HostTool:
    """`notes` are those in force, the newest first."""

    async def call(arguments: Mapping[str, object]) -> str:
        word = str(arguments.get("about") or "").casefold()
        return answered("memory", [note for note in notes if word in note.casefold()])

    return HostTool(
        "memory",
        "What was learned from decisions and outcomes before: all notes, or those that hold a word.",
        {"type": "object", "properties": {"about": {"type": "string"}}, "additionalProperties": False},
        call,
    )


def trace(backend: Backend, clock: Callable[[], datetime]) -> HostTool:
    async def call(arguments: Mapping[str, object]) -> str:
        depth = arguments.get("depth")
        assert depth is None or isinstance(depth, int)  # by the schema
        try:
            lines = await in_thread(lambda: _lines(backend, str(arguments["round"]), depth, clock()), "research-trace")
        except LoopdeskError as error:
            raise refused("The trace cannot be shown", error) from None
        shown, room = [], MOST_ANSWER
        for line in lines:
            room -= len(line) + 4
            if room < 0:
                shown.append("... cut here: ask with a smaller depth, or for single events with hogql")
                break
            shown.append(line)
        return answered("trace", shown)

    return HostTool(
        "trace",
        "A round step by step, one line a step: offset, kind, what, duration, tokens, cost. The depth leaves out what "
        "stands deeper; 1 is the round's own steps.",
        {
            "type": "object",
            "properties": {
                "round": {"type": "string", "minLength": 1, "maxLength": 200, "description": "A round_id"},
                "depth": {"type": "integer", "minimum": 0, "maximum": 20},
            },
            "required": ["round"],
            "additionalProperties": False,
        },
        call,
    )


def _lines(backend: Backend, round_id: str, depth: int | None, now: datetime) -> list[str]:
    extent = traces.find(backend, round_id, now)
    if extent.events > MOST_TRACE_EVENTS:
        raise LoopdeskError(
            f"This round has {extent.events:,} events; at most {MOST_TRACE_EVENTS:,} are shown as a trace",
            do="Ask for what matters of it with hogql",
        )
    found = traces.load(backend, extent, now)
    return list(export.text(found.tree, found.account, depth, width=200))


def _about(name: str, one: Signal) -> dict[str, str]:
    return {"signal": name, "happened": one.occurred_at.isoformat(), "title": clipped(one.title, MOST_CELL)}


def _clipped(cell: object) -> object:
    if isinstance(cell, str) and len(cell) > MOST_CELL:
        return f"{cell[:MOST_CELL]}… ({len(cell):,} characters)"
    if isinstance(cell, list | tuple | Mapping) and len(str(cell)) > MOST_CELL:
        return f"{str(cell)[:MOST_CELL]}…"
    return cell
