"""Who is in a rollout, and who gets which variant: the same hash as PostHog's server and every SDK."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from queries.local.flags.definition import Holdout, Variant

# 15 hex digits of SHA-1, scaled to 0..1 (posthog-python feature_flags.py, `__LONG_SCALE__`).
_SCALE = float(0xFFFFFFFFFFFFFFF)


def share(key: str, bucket: str, salt: str = "", separator: str = ".") -> float:
    """Where `bucket` (a distinct id, device id or group key) falls within `key`, 0..1."""
    text = f"{key}{separator}{bucket}{salt}"
    digest = hashlib.sha1(text.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()
    return int(digest[:15], 16) / _SCALE


def is_rolled_out(key: str, bucket: str, percentage: float | None) -> bool:
    """`percentage` is 0..100; None is everyone."""
    return percentage is None or share(key, bucket) <= percentage / 100


def chosen_variant(key: str, bucket: str, variants: Sequence[Variant]) -> str | None:
    """The variant whose slice holds `bucket`; None where the slices do not add up that far."""
    place = share(key, bucket, salt="variant")
    low = 0.0
    for variant in variants:
        high = low + variant.rollout_percentage / 100
        if low <= place < high:
            return variant.key
        low = high
    return None


def held_out(holdout: Holdout | None, bucket: str) -> str | None:
    """`holdout-<id>` for who is kept out of every experiment; None for the rest."""
    if holdout is None:
        return None
    percentage = min(max(holdout.exclusion_percentage, 0.0), 100.0)
    # The separator is a dash here, so that holdouts and rollouts divide people differently.
    if percentage < 100 and share("holdout", bucket, separator="-") > percentage / 100:
        return None
    return f"holdout-{holdout.id}"
