"""The one project and the one user of the embedded PostHog, in the shapes of `/api/projects/` and `/api/users/@me/`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from queries.local.rest.asked import Answer, Asked, page
from queries.local.rest.problems import not_found

PROJECT_ID = 1
_UUID = "00000000-0000-4000-8000-00000000000"
_ORGANIZATION = {"id": f"{_UUID}0", "name": "loopdesk", "slug": "loopdesk", "membership_level": 15}

# Who made a flag or an annotation: whoever holds the personal key.
USER: Mapping[str, object] = {
    "id": 1,
    "uuid": f"{_UUID}2",
    "distinct_id": "loopdesk",
    "first_name": "loopdesk",
    "last_name": "",
    "email": "loopdesk@localhost",
    "is_email_verified": None,
}


@dataclass(frozen=True, slots=True)
class Project:
    """`token` is the project's key, which PostHog shows here as well: it is no secret."""

    token: str
    timezone: str

    def document(self) -> dict:
        return {
            "id": PROJECT_ID,
            "uuid": f"{_UUID}1",
            "project_id": PROJECT_ID,
            "organization": _ORGANIZATION["id"],
            "api_token": self.token,
            "name": "loopdesk",
            "timezone": self.timezone,
            "completed_snippet_onboarding": True,
            "ingested_event": True,
            "is_demo": False,
        }

    def listing(self, asked: Asked) -> Answer:
        return page(asked, [self.document()])

    def retrieve(self, _asked: Asked) -> Answer:
        return 200, self.document()

    def me(self, _asked: Asked) -> Answer:
        organization = {**_ORGANIZATION, "teams": [self.document()], "projects": [self.document()]}
        return 200, {
            **USER,
            "is_staff": False,
            "organization": organization,
            "organizations": [_ORGANIZATION],
            "team": self.document(),
        }


def check_project_id(text: str) -> None:
    """Raises `Problem`: PostHog's 404 for a project that is not there."""
    if text not in ("@current", str(PROJECT_ID)):
        raise not_found("Project not found.")
