"""Flags as knobs: listed, switched and rolled out on either PostHog, and never over somebody else's change.

A change is made from the flag that was on the screen. It says itself exactly what it does; before it is sent the flag
is read again, and where it moved nothing is sent.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from queries.remote_errors import PostHogConflict, PostHogFailed
from queries.rest import LOST, Rest, listed, unanswered
from workspace.errors import LoopdeskError
from workspace.knobs import MOST_USD
from workspace.text import plain

_MOST_NAME = 200
_MOST_FLAGS = 10_000


class FlagMoved(LoopdeskError):
    """The flag is not any more what was read: nothing was sent."""


@dataclass(frozen=True, slots=True)
class Variant:
    """`share` of those whom the flag is on for, in percent."""

    key: str
    share: float


@dataclass(frozen=True, slots=True)
class Flag:
    """`rollout` is in percent; None where several condition sets have each their own, or there is none. `conditions` is
    how many filters there are in all. `usd` is the budget that its payload holds, None for none. `key` and `name` are
    printable; `filters` is the document as it was read; `updated_at` is PostHog's own word for when it changed, empty
    where it does not say. One that `goes_by_round` draws anew for each round, else each agent keeps what it drew."""

    id: int
    key: str
    name: str
    is_on: bool
    rollout: float | None
    conditions: int
    variants: tuple[Variant, ...]
    version: int | None
    usd: float | None
    filters: Mapping[str, object] = field(repr=False)
    goes_by_round: bool = False
    updated_at: str = ""

    @property
    def shares(self) -> dict[str, float]:
        """Of an experiment's plan: each variant's share by name."""
        return {variant.key: variant.share for variant in self.variants}


@dataclass(frozen=True, slots=True)
class Change:
    """What one confirm sends. None leaves a thing as it is."""

    flag: Flag
    is_on: bool | None = None
    rollout: float | None = None
    usd: float | None = None

    @property
    def said(self) -> str:
        """`scorer_v2: off → on, rollout 20 % → 50 %`."""
        parts = []
        if self.is_on is not None:
            parts.append(f"{_word(self.flag.is_on)} → {_word(self.is_on)}")
        if self.rollout is not None:
            parts.append(f"rollout {_percent(self.flag.rollout)} → {_percent(self.rollout)}")
        if self.usd is not None:
            parts.append(f"budget {amount(self.flag.usd)} → {amount(self.usd)}")
        return f"{self.flag.key}: {', '.join(parts)}"


def flags(rest: Rest) -> tuple[Flag, ...]:
    """By key. What is no flag that we could name is left out. Raises `LoopdeskError`."""
    found = [one for row in listed(rest, "feature_flags/", _MOST_FLAGS).rows if (one := flag_of(row))]
    return tuple(sorted(found, key=lambda one: one.key))


def find_flag(rest: Rest, key: str) -> Flag | None:
    """Raises `LoopdeskError`."""
    rows = listed(rest, "feature_flags/", search=key).rows
    return next((one for row in rows if row.get("key") == key and (one := flag_of(row))), None)


def flag_named(rest: Rest, key: str) -> Flag:
    """Raises `LoopdeskError` where there is none of that key."""
    found = find_flag(rest, key)
    if found is None:
        raise LoopdeskError(f"There is no flag {plain(key, _MOST_NAME)}", do="List them: loopdesk flags")
    return found


def switched(flag: Flag, is_on: bool) -> Change:
    """Raises `LoopdeskError` where it is so already."""
    if flag.is_on == is_on:
        raise LoopdeskError(f"{flag.key} is {_word(is_on)} already")
    return Change(flag, is_on=is_on)


def rolled_out(flag: Flag, percent: float) -> Change:
    """Raises `LoopdeskError` for what is no percentage, for the one it has, and where it is not clear whose it is."""
    if not 0 <= percent <= 100:
        raise LoopdeskError(f"{percent:g} is no percentage", do="Give a number from 0 to 100")
    if flag.rollout is None:
        raise LoopdeskError(
            f"{flag.key} has not one condition set, so it has no single rollout", do="Change it in PostHog's own editor"
        )
    if flag.rollout == percent:
        raise LoopdeskError(f"{flag.key} is rolled out to {_percent(percent)} already")
    return Change(flag, rollout=float(percent))


def budgeted(flag: Flag, usd: float) -> Change:
    """Raises `LoopdeskError` for what is no amount, for the one it has, and for a flag that is no budget."""
    if not 0 <= usd <= MOST_USD:
        raise LoopdeskError(f"{usd:g} is no budget", do=f"Give a number of USD from 0 to {MOST_USD:,}")
    if flag.usd is None:
        raise LoopdeskError(
            f"{flag.key} is no budget: its payload holds no number called usd",
            do="Make one: loopdesk flags create nightly_budget_20usd",
        )
    if flag.usd == usd:
        raise LoopdeskError(f"{flag.key} is {amount(usd)} already")
    return Change(flag, usd=float(usd))


def apply(rest: Rest, change: Change) -> Flag:
    """The flag as it is afterwards. Raises `FlagMoved`, with nothing sent, `Unanswered`, or another
    `LoopdeskError`.

    PostHog refuses a version that is not the newest, so a change between our reading and our writing is seen as well.
    """
    path = _path(change.flag.id)
    refuse_moved(change.flag, read_flag(rest, change.flag.id))
    document: dict[str, object] = {}
    if change.is_on is not None:
        document["active"] = change.is_on
    filters = dict(change.flag.filters)
    if change.rollout is not None:
        filters = _with_rollout(filters, change.rollout)
    if change.usd is not None:
        filters = _with_usd(filters, change.usd)
    if filters != change.flag.filters:
        document["filters"] = filters
    if change.flag.version is not None:
        document["version"] = change.flag.version
    met: LoopdeskError = PostHogFailed(f"PostHog did not change {change.flag.key}", do="Look at it there")
    answer = None
    try:
        answer = rest.ask("PATCH", path, document)
    except (*LOST, PostHogConflict) as error:
        # An answer may be lost after its change, and a conflict be a change of somebody else: what is there says it.
        met = error
    try:
        made = flag_of(answer) or read_flag(rest, change.flag.id)
    except LoopdeskError as error:
        if isinstance(met, LOST):
            raise unanswered(f"{change.flag.key} changed", met) from error
        raise
    if not _is_done(change, made):
        if isinstance(met, PostHogConflict):  # only then is it certain that ours did nothing
            refuse_moved(change.flag, made)
        raise met
    return made


def refuse_moved(seen: Flag, now: Flag) -> None:
    """Raises `FlagMoved` where anything of it is not what was read."""
    differences = [
        f"{name} is {there}"
        for name, here, there in (
            ("its key", seen.key, now.key),
            ("it", _word(seen.is_on), _word(now.is_on)),
            ("its rollout", _percent(seen.rollout), _percent(now.rollout)),
            ("its budget", amount(seen.usd), amount(now.usd)),
        )
        if here != there
    ]
    if differences or seen.filters != now.filters or seen.version != now.version:
        raise FlagMoved(
            f"{seen.key} changed since it was read: {', '.join(differences) or 'other settings of it are new'}",
            "Nothing was sent",
            "Look at it again, then decide again",
        )


def _is_done(change: Change, made: Flag) -> bool:
    is_on = change.flag.is_on if change.is_on is None else change.is_on
    rollout = change.flag.rollout if change.rollout is None else change.rollout
    usd = change.flag.usd if change.usd is None else change.usd
    return (made.is_on, made.rollout, made.usd) == (is_on, rollout, usd)


def _with_rollout(filters: Mapping[str, object], percent: float) -> dict[str, object]:
    """PostHog replaces `filters` whole: all else stays in them."""
    groups = filters["groups"]
    assert isinstance(groups, list) and len(groups) == 1  # only then has the flag a rollout of its own
    group = groups[0]
    return {**filters, "groups": [{**group, "rollout_percentage": _short(percent)}]}


def _with_usd(filters: Mapping[str, object], usd: float) -> dict[str, object]:
    """What else the payload holds stays in it."""
    payloads = filters["payloads"]
    assert isinstance(payloads, Mapping)  # only then has the flag a budget
    payload = _payload(payloads)
    return {**filters, "payloads": {**payloads, "true": json.dumps({**payload, "usd": _short(usd)})}}


def _short(number: float) -> int | float:
    return int(number) if number == int(number) else number


def read_flag(rest: Rest, id: int) -> Flag:
    """Raises `LoopdeskError` where it is gone."""
    found = flag_of(rest.ask("GET", _path(id)))
    if found is None:
        raise LoopdeskError("PostHog has no such flag any more", do="List them: loopdesk flags")
    return found


def _path(id: int) -> str:
    return f"feature_flags/{id}/"


def flag_of(row: object) -> Flag | None:
    """None for what is deleted or has no name."""
    if not isinstance(row, dict) or type(id := row.get("id")) is not int or row.get("deleted"):
        return None
    key, filters, version = row.get("key"), row.get("filters"), row.get("version")
    if not isinstance(key, str) or not isinstance(filters, dict):
        return None
    found = filters.get("groups")
    groups = [group for group in found if isinstance(group, dict)] if isinstance(found, list) else []
    return Flag(
        id=id,
        key=plain(key, _MOST_NAME),
        name=plain(row.get("name") or "", _MOST_NAME),
        is_on=row.get("active") is True,
        rollout=_rollout(groups[0]) if len(groups) == 1 else None,
        conditions=sum(len(group["properties"]) for group in groups if isinstance(group.get("properties"), list)),
        variants=_variants(filters),
        version=version if type(version) is int else None,
        usd=_budget(filters.get("payloads")),
        filters=filters,
        # The loops' client gives a round's id as the device's.
        goes_by_round=row.get("bucketing_identifier") == "device_id",
        updated_at=plain(row.get("updated_at") or "", _MOST_NAME),
    )


def _rollout(group: Mapping[str, object]) -> float | None:
    """Without a number PostHog takes everyone."""
    found = group.get("rollout_percentage")
    return 100.0 if found is None else _number(found, 100)


def _number(found: object, most: float) -> float | None:
    """From 0 to `most`; None for anything else that stands in a document, NaN too."""
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    return float(found) if 0 <= found <= most else None


def _budget(payloads: object) -> float | None:
    """By the loops' rule: a number from 0 on, called `usd`, in the payload of a flag."""
    return _number(_payload(payloads).get("usd"), MOST_USD)


def _payload(payloads: object) -> dict[str, object]:
    """A payload is JSON in a text; what is none, or no object, is empty."""
    found = payloads.get("true") if isinstance(payloads, Mapping) else None
    try:
        found = json.loads(found) if isinstance(found, str) else found
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _variants(filters: Mapping[str, object]) -> tuple[Variant, ...]:
    several = filters.get("multivariate")
    rows = several.get("variants") if isinstance(several, dict) else None
    return tuple(
        Variant(plain(row["key"], _MOST_NAME), _number(row.get("rollout_percentage"), 100) or 0.0)
        for row in (rows if isinstance(rows, list) else [])
        if isinstance(row, dict) and isinstance(row.get("key"), str)
    )


def _word(is_on: bool) -> str:
    return "on" if is_on else "off"


def amount(value: float | None) -> str:
    """Exact, and without an exponent."""
    return "none" if value is None else f"${Decimal(str(_short(value))):,f}"


def _percent(value: float | None) -> str:
    return "by condition set" if value is None else f"{value:g} %"
