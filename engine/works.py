"""The works by kind of job, for the engine and for a worker alike, and what they are done with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from engine import proposals
from engine.agents.protocol import Agent
from engine.blobs import Blobs
from engine.fix import Fixing, Hands
from engine.judge import Judge
from engine.reconcile import RESEARCH
from engine.research import Research
from engine.research_agent import ResearchAgent
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
    looks = ResearchAgent(config, agent, sandbox, clock)
    hands = Hands(config.workspace, agent, sandbox, blobs, config.github_token)
    return {RESEARCH: Research(config, judge, clock, looks), proposals.FIX: Fixing(config, hands, clock)}
