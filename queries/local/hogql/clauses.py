"""The words of PostHog's tree for joins in SQLite, and the clauses that are refused."""

from __future__ import annotations

JOINS = {
    "JOIN": "JOIN",
    "INNER JOIN": "JOIN",
    "LEFT JOIN": "LEFT JOIN",
    "LEFT OUTER JOIN": "LEFT JOIN",
    "RIGHT JOIN": "RIGHT JOIN",
    "RIGHT OUTER JOIN": "RIGHT JOIN",
    "FULL JOIN": "FULL JOIN",
    "FULL OUTER JOIN": "FULL JOIN",
    "CROSS JOIN": "CROSS JOIN",
}
REFUSED = {
    "limit_with_ties": "LIMIT WITH TIES",
    "limit_percent": "LIMIT PERCENT",
    "settings": "SETTINGS",
    "view_name": "A view",
    "interpolate": "INTERPOLATE",
}
NOT_IN_FROM = {
    "sample": "SAMPLE is not supported",
    "table_final": "FINAL is not supported",
    "column_aliases": "Names of columns in FROM are not supported",
    "table_args": "The table function {}(...) is not supported",
}
