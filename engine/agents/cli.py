"""The agent CLI as it is started in a jail: which tools it has, and nothing of anybody's settings.

It comes with claude-agent-sdk, as one program of some 400 MB. Every option here is the CLI's own; the SDK writes none
of them where a transport is given to it.
"""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.sandbox.protocol import Limits, Run, Sandbox
from workspace.errors import LoopdeskError
from workspace.text import plain

WITHIN = "/opt/claude"
SYSTEM = "/opt/system.txt"
"""The system prompt is a file, because an argument may have only 128 KB, and anybody on the machine can read it."""
SERVER = "host"
"""The name that the host's tools have in front: `mcp__host__<tool>`."""
SESSION_ID = "10000000-0000-4000-8000-000000000000"
"""Of every session: each has a folder of its own, so that none is found by its id alone."""
READING = ("Read", "Grep", "Glob", "Bash")
WRITING = ("Read", "Edit", "Write", "Bash", "Grep", "Glob")
# Nothing of the CLI's own is put into a commit.
_SETTINGS = {"attribution": {"commit": "", "pr": ""}, "includeCoAuthoredBy": False}
_QUIET = {"DISABLE_AUTOUPDATER": "1"}
ANSWER = "StructuredOutput"
"""The tool that the CLI adds for an answer by a schema."""


@dataclass(frozen=True, slots=True)
class Start:
    """How one session is started, or gone on with. `tools` are the CLI's own."""

    model: str
    tools: tuple[str, ...]
    schema: Mapping[str, object]
    turns: int
    most_tokens: int
    has_host_tools: bool = False
    resumes: bool = False
    retries: int = 3


def find() -> Path:
    """Raises `LoopdeskError`."""
    found = importlib.util.find_spec("claude_agent_sdk")
    program = Path(found.origin).with_name("_bundled") / "claude" if found and found.origin else None
    if program is None or not program.is_file():
        raise LoopdeskError(
            "The agent CLI is not installed",
            "claude-agent-sdk has it for Linux with glibc and for macOS",
            "Install it again: pip install --force-reinstall claude-agent-sdk",
        )
    return program


async def version(sandbox: Sandbox, program: Path) -> str:
    """As it says in a jail. Raises `NoSandbox`, and `LoopdeskError` where it does not run there."""
    run = Run([WITHIN, "--version"], read_only={WITHIN: program}, environment=_QUIET, limits=Limits(wall_s=20.0))
    jail = await sandbox.start(run)
    jail.stdin.close()
    said = plain((await jail.stdout.read(1 << 16)).decode("utf-8", "replace"), 80)
    ended = await jail.wait()
    found = re.match(r"\d+(\.\d+)+", said)
    if ended.exit_code or found is None:
        why = plain(ended.errors, 160) or said or ended.said
        raise LoopdeskError("The agent CLI does not run in the jail", why, "Install claude-agent-sdk again")
    return found[0]


def tools(has_clone: bool, may_write: bool) -> tuple[str, ...]:
    """Bash for reading too: what keeps a clone as it is are the jail's read-only mounts, not the choice of tools, and
    without it there is no `git log`."""
    if not has_clone:
        return ()
    return WRITING if may_write else READING


def command(start: Start) -> list[str]:
    line = [
        *(WITHIN, "--print", "--verbose", "--input-format", "stream-json", "--output-format", "stream-json"),
        *("--model", start.model, "--system-prompt-file", SYSTEM, "--tools", ",".join(start.tools)),
        # The jail is the boundary, and nobody is there to be asked.
        *("--permission-mode", "bypassPermissions"),
        *("--setting-sources=", "--strict-mcp-config", "--max-turns", str(start.turns)),
        *("--settings", json.dumps(_SETTINGS)),
        *("--json-schema", json.dumps(dict(start.schema))),
        f"--resume={SESSION_ID}" if start.resumes else f"--session-id={SESSION_ID}",
    ]
    if start.has_host_tools:
        # Of the type `sdk`: calls come over the CLI's own output, and are answered over its input.
        line += ["--mcp-config", json.dumps({"mcpServers": {SERVER: {"type": "sdk", "name": SERVER}}})]
    return line


def environment(start: Start) -> dict[str, str]:
    return {
        # Every request is for the run's model: the gateway takes no other.
        **{f"ANTHROPIC_DEFAULT_{family}_MODEL": start.model for family in ("HAIKU", "SONNET", "OPUS")},
        "CLAUDE_CODE_MAX_OUTPUT_TOKENS": str(start.most_tokens),
        "CLAUDE_CODE_MAX_RETRIES": str(start.retries),
        "CLAUDE_CODE_ENTRYPOINT": "sdk-py",
        "PYTHONDONTWRITEBYTECODE": "1",
        # Its word for "nothing more is coming" is what the SDK waits for before it closes the input.
        "CLAUDE_CODE_SDK_READS_SESSION_STATE": "1",
        **_QUIET,
    }
