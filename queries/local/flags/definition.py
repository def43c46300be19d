"""A feature flag as the evaluator reads it. Built from documents that `filters.checked` let through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class PropertyFilter:
    """One condition on a property. For `kind` "flag", `key` is the id of the flag that it depends on."""

    key: str
    operator: str
    value: object
    kind: str = "person"


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition set: every filter must match. `group_type` None matches persons; percentages are 0..100."""

    filters: tuple[PropertyFilter, ...] = ()
    rollout_percentage: float | None = None
    variant: str | None = None
    group_type: int | None = None


@dataclass(frozen=True, slots=True)
class Variant:
    key: str
    rollout_percentage: float


@dataclass(frozen=True, slots=True)
class Holdout:
    id: int
    exclusion_percentage: float


@dataclass(frozen=True, slots=True)
class Flag:
    """`payloads` is keyed by "true" or a variant and holds JSON texts."""

    id: int
    key: str
    name: str = ""
    version: int = 1
    active: bool = True
    conditions: tuple[Condition, ...] = ()
    variants: tuple[Variant, ...] = ()
    payloads: Mapping[str, str] = field(default_factory=dict)
    group_type: int | None = None
    by_device: bool = False
    early_exit: bool = False
    is_enrollment: bool = False
    holdout: Holdout | None = None
    has_experiment: bool = False

    @property
    def depends_on(self) -> tuple[int, ...]:
        """Ids of the flags that its conditions ask about."""
        return tuple(
            int(item.key) for condition in self.conditions for item in condition.filters if item.kind == "flag"
        )


def flag_from(document: Mapping) -> Flag:
    """The flag in a stored REST document."""
    filters = document["filters"]
    group_type = filters.get("aggregation_group_type_index")
    multivariate = filters.get("multivariate") or {}
    holdout = filters.get("holdout")
    return Flag(
        id=document["id"],
        key=document["key"],
        name=document["name"],
        version=document["version"],
        active=document["active"],
        conditions=tuple(_condition(group, group_type) for group in filters["groups"]),
        variants=tuple(Variant(each["key"], each["rollout_percentage"]) for each in multivariate.get("variants") or ()),
        payloads=filters.get("payloads") or {},
        group_type=group_type,
        by_device=document.get("bucketing_identifier") == "device_id",
        early_exit=bool(filters.get("early_exit")),
        is_enrollment=filters.get("feature_enrollment") is True,
        holdout=Holdout(holdout["id"], holdout["exclusion_percentage"]) if holdout else None,
        has_experiment=bool(document.get("experiment_set")),
    )


def _condition(group: Mapping, flag_group_type: int | None) -> Condition:
    own = group.get("aggregation_group_type_index")
    return Condition(
        filters=tuple(
            PropertyFilter(str(each["key"]), each.get("operator") or "exact", each.get("value"), each["type"])
            for each in group.get("properties") or ()
        ),
        rollout_percentage=group.get("rollout_percentage"),
        variant=group.get("variant"),
        group_type=flag_group_type if own is None else own,
    )
