"""Put many cases before a judge, a few at a time; a case without an answer is said to have none."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from engine.judge import Unavailable

AT_ONCE = 8  # a model answers in seconds, and limits how many it answers at a time
Case = TypeVar("Case")
Answer = TypeVar("Answer")


async def asked(
    cases: Sequence[Case], ask: Callable[[Case], Awaitable[Answer]], tell: Callable[[], None]
) -> list[tuple[Case, Answer | str]]:
    """Each case with its answer, or with the sentence that says why there is none. Raises the last `Unavailable` where
    no case has an answer: that is no score but a judge that is not there. `tell` is called after each."""
    free = asyncio.Semaphore(AT_ONCE)
    missing: list[Unavailable] = []

    async def answer(one: Case) -> Answer | str:
        async with free:
            try:
                return await ask(one)
            except Unavailable as error:
                missing.append(error)
                return str(error)
            finally:
                tell()

    answers = await asyncio.gather(*map(answer, cases))
    if cases and len(missing) == len(cases):
        raise missing[-1]
    return list(zip(cases, answers, strict=True))
