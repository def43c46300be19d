"""Research and fixes on other machines, through a Postgres: the extra `workers`. Nothing here is loaded without one."""

from __future__ import annotations

import importlib.util

from workspace.errors import LoopdeskError


def check_installed() -> None:
    """Raises `LoopdeskError`."""
    for name in ("procrastinate", "psycopg", "psycopg_pool"):
        if importlib.util.find_spec(name) is None:
            raise LoopdeskError(
                "loopdesk is installed without its extra `workers`",
                "So it cannot speak to the Postgres that database_url names",
                "Install it: pipx install 'loopdesk[workers]'; or unset LOOPDESK_DATABASE_URL",
            )
