"""How long prompts and completions are kept. Pure: the clock is an argument.

PostHog keeps them 30 days from the event; this store counts from their arrival, so that a log which is imported late
keeps its prompts as long as any other. The events themselves, with tokens and cost, are kept for good.
"""

from __future__ import annotations

from datetime import datetime, timedelta

EVERY = timedelta(days=1)


def keeps_prompts(prompt_days: int) -> bool:
    """With 0 days they are not even written."""
    return prompt_days > 0


def cutoff(now: datetime, prompt_days: int) -> datetime:
    """What arrived before this is removed. With 0 days that is everything until `now`."""
    try:
        return now - timedelta(days=prompt_days)
    except OverflowError:
        return datetime.min.replace(tzinfo=now.tzinfo)
