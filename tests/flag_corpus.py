"""Flags of every kind, and people for them: what the SDK's local evaluation and the server must agree on."""

from __future__ import annotations

import random


def group(rollout: float | None = None, variant: str | None = None, *filters: dict) -> dict:
    return {"properties": list(filters), "rollout_percentage": rollout, "variant": variant}


def asks(key: str, operator: str, value: object = None) -> dict:
    return {"key": key, "operator": operator, "value": value, "type": "person"}


FILTERS = (
    asks("plan", "exact", "pro"),
    asks("plan", "exact", ["PRO", "team", 3]),
    asks("plan", "is_not", "free"),
    asks("plan", "is_not", ["free", None]),
    asks("beta", "exact", "true"),
    asks("beta", "exact", ["true", False]),
    asks("beta", "exact", []),
    asks("plan", "is_set"),
    asks("email", "icontains", "@Example.com"),
    asks("email", "not_icontains", "ÄÖ"),
    asks("email", "starts_with", "USER1"),
    asks("email", "not_starts_with", "user"),
    asks("email", "ends_with", ".ORG"),
    asks("email", "not_ends_with", ".com"),
    asks("email", "regex", r"^user\d+@example\.(com|org)$"),
    asks("email", "not_regex", r"[13579]@"),
    asks("email", "regex", r"\w+@\S+"),
    asks("age", "gt", 30),
    asks("age", "gte", "30"),
    asks("age", "lt", 41.5),
    asks("age", "lte", "1e1"),
    asks("joined", "is_date_before", "2026-03-01"),
    asks("joined", "is_date_after", "2026-03-01T12:00:00+02:00"),
    asks("joined", "is_date_after", "-200d"),
    asks("joined", "is_date_before", "3m"),
    asks("version", "semver_eq", "1.2.3"),
    asks("version", "semver_neq", "v1.2.3"),
    asks("version", "semver_gt", "1.2"),
    asks("version", "semver_gte", "1.10.0"),
    asks("version", "semver_lt", "2"),
    asks("version", "semver_lte", "0.9.9-rc1"),
    asks("version", "semver_tilde", "1.2.3"),
    asks("version", "semver_caret", "0.2.3"),
    asks("version", "semver_wildcard", "1.*"),
)

_VARIANTS = {"variants": [{"key": "a", "rollout_percentage": 20}, {"key": "b", "rollout_percentage": 80}]}
_THIRDS = {
    "variants": [
        {"key": "control", "rollout_percentage": 33.3},
        {"key": "test-1", "rollout_percentage": 33.3},
        {"key": "test-2", "rollout_percentage": 33.4},
    ]
}


def flags() -> dict[str, dict]:
    """Flags by key, as they are posted."""
    made: dict[str, dict] = {}
    for percentage in (0, 1, 12.5, 25, 50, 75, 99.9, 100):
        made[f"rollout-{str(percentage).replace('.', '_')}"] = {"filters": {"groups": [group(percentage)]}}
    for number, asked in enumerate(FILTERS):
        made[f"filter-{number}-{asked['operator']}"] = {"filters": {"groups": [group(None, None, asked)]}}
        made[f"half-{number}"] = {"filters": {"groups": [group(50, None, asked)], "multivariate": _VARIANTS}}
    made["thirds"] = {"filters": {"groups": [group(90)], "multivariate": _THIRDS, "payloads": {"test-1": '{"n":1}'}}}
    made["forced"] = {
        "filters": {"groups": [group(100, "b", asks("plan", "exact", "pro")), group(60)], "multivariate": _VARIANTS}
    }
    made["no-such-variant"] = {"filters": {"groups": [group(100, "zzz")], "multivariate": _VARIANTS}}
    made["payload"] = {"filters": {"groups": [group(50)], "payloads": {"true": '"on"'}}}
    made["off"] = {"active": False, "filters": {"groups": [group(100)]}}
    made["nobody"] = {"filters": {"groups": []}}
    made["early"] = {"filters": {"groups": [group(30, None, asks("plan", "is_set")), group(100)], "early_exit": True}}
    made["both"] = {
        "filters": {"groups": [group(80, None, FILTERS[0], FILTERS[17]), group(10, None, FILTERS[2]), group(5)]}
    }
    made["held-out"] = {
        "filters": {"groups": [group(100)], "multivariate": _VARIANTS, "holdout": {"id": 7, "exclusion_percentage": 30}}
    }
    made["enrolled"] = {"filters": {"groups": [], "feature_enrollment": True}}
    made["by-device"] = {"bucketing_identifier": "device_id", "filters": {"groups": [group(50)]}}
    return made


def people(count: int) -> list[tuple[str, dict]]:
    """Distinct ids with properties, some missing, some of a surprising type."""
    chance = random.Random(7)
    found = []
    for number in range(count):
        properties: dict[str, object] = {
            "plan": chance.choice(["pro", "Pro", "free", "team", 3, None, True]),
            "beta": chance.choice([True, False, "true", "False", "yes", 1, ["true"], []]),
            "email": f"user{number}@example.{chance.choice(['com', 'org', 'net'])}",
            "age": chance.choice([10, 29, 30, 30.5, "31", 42, "old", True, "1e1"]),
            "joined": chance.choice(["2026-01-05", "2026-03-01T09:00:00Z", "2026-11-01 10:00:00 UTC", "2026-06-01"]),
            "version": chance.choice(["1.2.3", "v1.2.4", "1.10.0", "0.2.9", "0.9.9", "2.0.0-beta", "1.2"]),
        }
        properties["$feature_enrollment/enrolled"] = chance.choice([True, False, "true"])
        if chance.random() < 0.3:
            del properties[chance.choice(sorted(properties))]
        found.append((f"person-{number}-é", properties))
    return found
