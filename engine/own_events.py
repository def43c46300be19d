"""What the engine tells about its own model calls: `$ai_generation` events of `project = loopdesk`.

They go to the PostHog that is configured, through the drop-in file every loop uses, with its spool; else into this
workspace's own store. What was said is only in them where the owner wants it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from importlib import metadata
from typing import TYPE_CHECKING, Any, Protocol

from observability.posthog_client import Client, Redactor, Settings, json_only
from queries.local import prices
from queries.local.retention import keeps_prompts
from queries.local.store import Store
from workspace.config import SECRETS, Config
from workspace.errors import LoopdeskError

if TYPE_CHECKING:
    from posthog import Posthog

PROJECT, CLIENT = "loopdesk", "internal"


class OwnEvents(Protocol):
    """`sdk` is handed to PostHog's model wrapper."""

    @property
    def sdk(self) -> Posthog: ...

    async def flush(self) -> None:
        """What was captured so far is where it is kept. Never raises: no judgement fails for its own bookkeeping."""
        ...

    def close(self) -> None: ...


def distinct_id(agent: str) -> str:
    return f"{PROJECT}:{CLIENT}:{agent}"


def own_events(config: Config, warn: Callable[[str], None]) -> OwnEvents:
    """`warn` is told once where events cannot be kept."""
    return _ToPostHog(config) if config.sends_to_posthog else _ToStore(config, warn)


def _version() -> str:
    return f"loopdesk-{metadata.version('loopdesk')}"


def _secrets(config: Config) -> list[str]:
    """As patterns: they may have any shape."""
    return [re.escape(getattr(config, name)) for name in SECRETS if getattr(config, name)]


class _ToPostHog:
    def __init__(self, config: Config) -> None:
        self._client = Client(
            Settings(config.posthog_project_key, config.posthog_host, "", PROJECT, CLIENT, git_sha=_version())
        )
        for secret in _secrets(config):
            self._client.add_redaction(secret)
        self.sdk: Posthog = self._client.sdk

    async def flush(self) -> None:
        """Nothing to do: an event is in the spool's file once it was captured, and a thread sends it."""

    def close(self) -> None:
        self._client.shutdown()


class _ToStore:
    def __init__(self, config: Config, warn: Callable[[str], None]) -> None:
        from posthog import Posthog

        self._config, self._warn = config, warn
        self._has_warned = False
        self._captured: list[dict[str, Any]] = []
        self._redactor = Redactor()
        for secret in _secrets(config):
            self._redactor.add(secret, "[redacted]")
        self._common = {"project": PROJECT, "client": CLIENT, "git_sha": _version()}
        self.sdk: Posthog = Posthog(
            "phc_embedded",  # without a key the SDK builds no event
            send=False,
            before_send=self._keep,
            disable_geoip=True,
            enable_exception_autocapture=False,
            enable_local_evaluation=False,
        )

    def _keep(self, message: dict[str, Any]) -> dict[str, Any]:
        """The SDK's `before_send`."""
        message = {**message, "properties": {**self._common, **message["properties"]}}
        self._captured.append(json_only(message, self._redactor.text))
        return message

    async def flush(self) -> None:
        captured, self._captured = self._captured, []
        if captured:
            try:
                await asyncio.to_thread(self._store, captured)
            except LoopdeskError as error:
                self._complain(error)

    def _store(self, captured: list[dict[str, Any]]) -> None:
        config = self._config
        store = Store.open(
            config.workspace.create().events_db,
            prices=prices.load(config.prices_file),
            keep_prompts=keeps_prompts(config.prompt_days),
        )
        try:
            store.ingest(captured)
        finally:
            store.close()

    def _complain(self, error: LoopdeskError) -> None:
        if not self._has_warned:
            self._has_warned = True
            self._warn(f"The engine's own model calls are not recorded: {error}")

    def close(self) -> None:
        self.sdk.shutdown()
