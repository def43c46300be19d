"""The boards about models: latency and errors, tokens per round. Each from either of two events, never from both."""

from __future__ import annotations

from collections.abc import Mapping

from queries.boards import BEFORE, NOW, Board
from queries.gallery import latency, tokens

BOARDS: Mapping[str, Board] = {
    "latency": Board(
        "Latency and errors by model",
        (("model_latency", NOW), ("model_latency", BEFORE), ("model_latency_course", NOW)),
        lambda window, found: latency.latency(window, latency.GENERATIONS, *found),
    ),
    "latency_router": Board(
        "Latency of the router's requests",
        (("router_latency", NOW), ("router_latency", BEFORE), ("router_latency_course", NOW)),
        lambda window, found: latency.latency(window, latency.ROUTER, *found),
    ),
    "tokens": Board(
        "Tokens per round",
        (("round_tokens", NOW), ("round_tokens", BEFORE)),
        lambda window, found: tokens.tokens(window, tokens.PROPOSALS, *found),
    ),
    "tokens_generations": Board(
        "Tokens per round, all model calls",
        (("generation_tokens", NOW), ("generation_tokens", BEFORE)),
        lambda window, found: tokens.tokens(window, tokens.GENERATIONS, *found),
    ),
}
SIBLINGS: Mapping[str, str] = {
    "latency": "latency_router",
    "latency_router": "latency",
    "tokens": "tokens_generations",
    "tokens_generations": "tokens",
}
