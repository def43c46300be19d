"""Asking the embedded PostHog's private API as a script does."""

from __future__ import annotations

from dataclasses import dataclass

import httpx

from tests.conftest import Served

EVERYONE = {"groups": [{"properties": [], "rollout_percentage": 100}]}
HALVES = {
    "variants": [
        {"key": "control", "name": "Control Group", "rollout_percentage": 50},
        {"key": "test", "name": "Test Variant", "rollout_percentage": 50},
    ]
}


@dataclass(frozen=True, slots=True)
class Rest:
    """Requests with the personal key; paths are inside the project unless they begin with a slash."""

    served: Served

    def __call__(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, dict]:
        url = self.served.url + (path if path.startswith("/") else f"/api/projects/@current/{path}")
        headers = {"Authorization": f"Bearer {self.served.personal_key}", **headers}
        raw = body if isinstance(body, bytes) else None
        with httpx.Client(timeout=10, trust_env=False, verify=False) as client:
            answer = client.request(method, url, content=raw, json=None if raw else body, headers=headers)
        return answer.status_code, answer.json() if answer.content else {}

    def flag(self, key: str, filters: dict | None = None, **fields: object) -> dict:
        status, made = self("POST", "feature_flags/", {"key": key, "filters": filters or {"groups": []}, **fields})
        assert status == 201, made
        return made


def ask_flags(served: Served, version: str = "?v=2", **body: object) -> tuple[int, dict]:
    """`POST /flags/` with the project's key."""
    with httpx.Client(timeout=10, trust_env=False, verify=False) as client:
        answer = client.post(f"{served.url}/flags/{version}", json={"api_key": served.project_key, **body})
    return answer.status_code, answer.json()


def refused(answer: tuple[int, dict]) -> tuple[int, str, str, str | None]:
    """Status, type, code and field of an error in PostHog's shape."""
    status, body = answer
    assert body.keys() == {"type", "code", "detail", "attr"}, body
    assert body["detail"]
    return status, body["type"], body["code"], body["attr"]
