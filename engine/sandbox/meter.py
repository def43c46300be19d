"""What a run's requests cost: at most before they are sent, and as the answer says afterwards.

A run has an allowance of its own, and its requests count to the night's and the report's budget through its purse.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from engine.budget import Purser
from engine.sandbox.protocol import Kind
from engine.sandbox.requests import Refused, tokens_at_most
from queries.local.prices import Price, Prices, cost_properties
from workspace.errors import LoopdeskError

_OVERHEAD_TOKENS = 1_000  # what the API adds for tools
_LONGEST_LINE = 1 << 20
_COUNTS = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")


class Purse(Protocol):
    """Where a request's cost is put aside before it is sent. In the engine's thread."""

    def reserve(self, usd: float) -> int:
        """Raises `LoopdeskError` where a budget is reached."""

    def book(self, ticket: int, usd: float, *, input_tokens: int, output_tokens: int) -> None: ...


@dataclass(frozen=True, slots=True)
class ReportPurse:
    """The engine's own books, or a worker's, for one report."""

    books: Purser
    role: str
    model: str
    report_id: str

    def reserve(self, usd: float) -> int:
        return self.books.reserve(usd, role=self.role, model=self.model, report_id=self.report_id)

    def book(self, ticket: int, usd: float, *, input_tokens: int, output_tokens: int) -> None:
        self.books.book(ticket, usd, input_tokens=input_tokens, output_tokens=output_tokens)


@dataclass(slots=True)
class Allowance:
    """`limit_usd` of one run. `spent_usd` holds what its open requests may cost at most; `held` is the purse's last
    word, where it was a no."""

    purse: Purse
    limit_usd: float
    spent_usd: float = 0.0
    requests: int = 0
    held: LoopdeskError | None = None
    _open: dict[int, float] = field(default_factory=dict)

    def reserve(self, usd: float) -> int:
        """Raises `Refused`."""
        if self.spent_usd + usd > self.limit_usd:
            raise Refused(
                Kind.BUDGET,
                f"A request of at most ${usd:.2f} passes what is left of this run's ${self.limit_usd:.2f} "
                f"(${self.spent_usd:.2f} are spent or reserved)",
            )
        try:
            ticket = self.purse.reserve(usd)
        except LoopdeskError as error:
            self.held = error
            raise Refused(Kind.BUDGET, str(error)) from None
        self.held = None
        self._open[ticket] = usd
        self.spent_usd += usd
        self.requests += 1
        return ticket

    def reserved_usd(self, ticket: int) -> float:
        return self._open[ticket]

    def book(self, ticket: int, usd: float, *, input_tokens: int = 0, output_tokens: int = 0) -> None:
        """What it did cost. What is never booked stays spent: its answer was lost, or the agent was ended in it."""
        self.spent_usd += usd - self._open.pop(ticket)
        self.purse.book(ticket, usd, input_tokens=input_tokens, output_tokens=output_tokens)


def worst_usd(body: Mapping[str, Any], price: Price) -> float:
    """All of it may go into the cache."""
    written = price.prompt_token * 1.25 if price.cache_write_token is None else price.cache_write_token
    tokens = tokens_at_most(dict(body)) + _OVERHEAD_TOKENS
    return (
        tokens * max(price.prompt_token, written) + body["max_tokens"] * price.completion_token + (price.request or 0.0)
    )


@dataclass(slots=True)
class Answer:
    """Reads the usage from an answer while it passes: a message, or the events of one. `id` is the message's."""

    is_stream: bool
    usage: dict[str, int] = field(default_factory=dict)
    is_whole: bool = False
    id: str = ""
    _rest: bytes = b""

    def feed(self, chunk: bytes) -> None:
        self._rest += chunk
        if not self.is_stream:
            return
        *lines, self._rest = self._rest.split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                self._event(line[5:])
        if len(self._rest) > _LONGEST_LINE and not self._rest.startswith(b"data:"):
            self._rest = b""

    def end(self) -> None:
        if not self.is_stream and isinstance(found := _json(self._rest), dict):
            self._begins(found)
            self.is_whole = found.get("type") == "message" and bool(self.usage)

    def _event(self, data: bytes) -> None:
        event = _json(data)
        if not isinstance(event, dict):
            return
        if event.get("type") == "message_start" and isinstance(event.get("message"), dict):
            self._begins(event["message"])
        elif event.get("type") == "message_delta":
            self._count(event.get("usage"))
            # Its counts are those of the whole message, and final.
            self.is_whole = bool(self.usage)

    def _begins(self, message: dict[str, Any]) -> None:
        self.id = message["id"] if isinstance(message.get("id"), str) else ""
        self._count(message.get("usage"))

    def _count(self, usage: Any) -> None:
        for name in _COUNTS if isinstance(usage, dict) else ():
            if isinstance(usage.get(name), int) and not isinstance(usage[name], bool) and usage[name] >= 0:
                self.usage[name] = usage[name]

    def usd(self, model: str, table: Prices) -> float:
        counted = {f"$ai_{name}": count for name, count in self.usage.items()}
        found = cost_properties({"$ai_model": model, "$ai_provider": "anthropic", **counted}, table)
        return float(str(found["$ai_total_cost_usd"]))

    @property
    def input_tokens(self) -> int:
        return sum(count for name, count in self.usage.items() if name != "output_tokens")

    @property
    def output_tokens(self) -> int:
        return self.usage.get("output_tokens", 0)


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None
