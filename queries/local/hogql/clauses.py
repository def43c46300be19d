"""The words of PostHog's tree for joins and set operators in SQLite, and the clauses that are refused."""

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
SETS = {"UNION ALL": "UNION ALL", "UNION DISTINCT": "UNION", "INTERSECT": "INTERSECT", "EXCEPT": "EXCEPT"}
REFUSED = {
    "limit_with_ties": "LIMIT WITH TIES",
    "limit_percent": "LIMIT PERCENT",
    "settings": "SETTINGS",
    "view_name": "A view",
    "interpolate": "INTERPOLATE",
}
