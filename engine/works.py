"""The works by kind of job, for the engine and for a worker alike, and what they are done with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from engine import proposals
from engine.agents import mcp_config
from engine.agents.protocol import Agent, Task
from engine.blobs import Blobs
from engine.budget import Purser
from engine.fix import Fixing, Hands
from engine.judge import Judge
from engine.reconcile import RESEARCH
from engine.research import LooksIntoCode, Research
from engine.sandbox.meter import Purse, ReportPurse
from engine.sandbox.protocol import Sandbox
from engine.work import Work
from workspace.config import Config


def works(
    config: Config,
    agent: Agent,
    sandbox: Callable[[], Sandbox],
    blobs: Blobs,
    clock: Callable[[], datetime],
    judge: Judge,
) -> Mapping[str, Work]:
    """Raises `LoopdeskError` for repositories or MCP servers that make no sense."""
    mcp_config.servers(config)

    def looks() -> LooksIntoCode:
        # An engine that has no model, or no repository, never loads it.
        from engine.research_agent import ResearchAgent

        return ResearchAgent(config, agent, sandbox, clock)

    hands = Hands(config.workspace, agent, sandbox, blobs, config.github_token)
    return {RESEARCH: Research(config, judge, clock, looks), proposals.FIX: Fixing(config, hands, clock)}


def one_sandbox() -> Callable[[], Sandbox]:
    """The machine's sandbox, looked for once. What it returns raises `NoSandbox`."""
    found: list[Sandbox] = []

    def sandbox() -> Sandbox:
        if not found:
            from engine.sandbox.bubblewrap import find

            found.append(find())
        return found[0]

    return sandbox


def purses(books: Purser) -> Callable[[Task, str], Purse]:
    """Who pays for an agent's task, by its model."""
    return lambda task, model: ReportPurse(books, task.role, model, task.report_id)
