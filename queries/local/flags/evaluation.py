"""The value of every flag for one person or group, and why. The order of the steps is that of PostHog's flags service:
off, held out, enrolled, then the condition sets from the first to the last."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from queries.local.flags.bucketing import chosen_variant, held_out, is_rolled_out
from queries.local.flags.definition import Condition, Flag, PropertyFilter
from queries.local.flags.dependencies import in_order
from queries.local.flags.matching import matches

Value = bool | str


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom flags are evaluated for. `groups` maps a group type's name to a group's key, `group_properties` the name to
    that group's properties."""

    distinct_id: str
    device_id: str | None = None
    person: Mapping[str, object] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)
    group_properties: Mapping[str, Mapping[str, object]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reason:
    """PostHog's code with its sentence, and the condition set (from 0) that decided."""

    code: str
    description: str
    condition_index: int | None = None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """`failed`: it asks about a flag that is gone or runs in a circle, so the value is not known."""

    flag: Flag
    value: Value
    reason: Reason
    failed: bool = False

    @property
    def variant(self) -> str | None:
        return self.value if isinstance(self.value, str) else None

    @property
    def payload(self) -> str | None:
        """A JSON text, if the value has one."""
        return self.flag.payloads.get(self.variant or "true") if self.value else None


_DISABLED = Reason("flag_disabled", "Feature flag is disabled")
_UNMATCHED = Reason("no_condition_match", "No matching condition set")
_MISSING_DEPENDENCY = Reason("missing_dependency", "Flag cannot be evaluated due to missing dependency")


def evaluate(
    flags: Iterable[Flag], subject: Subject, group_types: Mapping[int, str], now: datetime
) -> dict[int, Evaluation]:
    """By flag id, in the order of `flags`. `group_types` maps PostHog's index to the group type's name."""
    by_id = {flag.id: flag for flag in flags}
    done: dict[int, Evaluation] = {}
    for id in in_order({id: flag.depends_on for id, flag in by_id.items()}):
        done[id] = _Evaluator(by_id[id], subject, group_types, now, done).evaluation()
    return {id: done[id] for id in by_id}


@dataclass(frozen=True, slots=True)
class _Evaluator:
    flag: Flag
    subject: Subject
    group_types: Mapping[int, str]
    now: datetime
    done: Mapping[int, Evaluation]

    def evaluation(self) -> Evaluation:
        flag = self.flag
        if not flag.active:
            return Evaluation(flag, False, _DISABLED)
        if flag.is_enrollment:
            enrolled = self.subject.person.get(f"$feature_enrollment/{flag.key}")
            return Evaluation(
                flag, enrolled is True or enrolled == "true", Reason("super_condition_value", "Super condition value")
            )
        bucket = self._bucket(flag.group_type)
        variant = held_out(flag.holdout, bucket) if bucket is not None else None
        if variant:
            return Evaluation(flag, variant, Reason("holdout_condition_value", "Holdout condition value"))
        return self._by_conditions()

    def _by_conditions(self) -> Evaluation:
        best, unknown = _UNMATCHED, False
        for index, condition in enumerate(self.flag.conditions):
            bucket = self._bucket(condition.group_type)
            if bucket is None:
                if best is _UNMATCHED:
                    best = Reason("no_group_type", "No group type", index)
                continue
            matched = self._matches(condition)
            if matched is None:
                unknown = True
            elif matched and is_rolled_out(self.flag.key, bucket, condition.rollout_percentage):
                reason = Reason("condition_match", f"Matched condition set {index + 1}", index)
                return Evaluation(self.flag, self._value(condition, bucket), reason)
            elif matched:
                if best.code != "out_of_rollout_bound":
                    best = Reason("out_of_rollout_bound", "Out of rollout bound", index)
                if self.flag.early_exit:
                    break
        if unknown:
            return Evaluation(self.flag, False, _MISSING_DEPENDENCY, failed=True)
        return Evaluation(self.flag, False, best)

    def _value(self, condition: Condition, bucket: str) -> Value:
        if condition.variant in {variant.key for variant in self.flag.variants}:
            return condition.variant or True
        return chosen_variant(self.flag.key, bucket, self.flag.variants) or True

    def _bucket(self, group_type: int | None) -> str | None:
        """What is hashed; None where the request names no group of that type."""
        if group_type is not None:
            return self.subject.groups.get(self.group_types.get(group_type, ""))
        return (self.flag.by_device and self.subject.device_id) or self.subject.distinct_id

    def _matches(self, condition: Condition) -> bool | None:
        """None where it turns on a flag whose value is not known."""
        if condition.group_type is None:
            properties = self.subject.person
        else:
            properties = self.subject.group_properties.get(self.group_types[condition.group_type], {})
        answers = [
            self._depends(each) if each.kind == "flag" else matches(each, properties, self.now)
            for each in condition.filters
        ]
        if False in answers:
            return False
        return None if None in answers else True

    def _depends(self, asked: PropertyFilter) -> bool | None:
        found = self.done.get(int(asked.key))
        if found is None or found.failed:
            return None
        if isinstance(found.value, str) and isinstance(asked.value, bool):
            return asked.value
        return type(found.value) is type(asked.value) and found.value == asked.value
