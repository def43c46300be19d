"""The boards' questions as a person would write them for a column store: one text that DuckDB and ClickHouse both run.

Written by hand against `queries/catalog`, with the parameters put in, and without the filters that no board sets here.
`events` has the hot properties as typed columns; `dims` is the long table of dimensions.
"""

from __future__ import annotations

from collections.abc import Mapping

COLUMNS: Mapping[str, str] = {
    "id": "BIGINT",
    "event": "VARCHAR",
    "timestamp": "TIMESTAMP",
    "project": "VARCHAR",
    "client": "VARCHAR",
    "run_id": "VARCHAR",
    "round_id": "VARCHAR",
    "git_sha": "VARCHAR",
    "imported_from": "VARCHAR",
    "score_goal": "VARCHAR",
    "score": "DOUBLE",
    "cost_usd": "DOUBLE",
    "from_model": "VARCHAR",
    "to_model": "VARCHAR",
    "reason": "VARCHAR",
    "stall_rounds": "DOUBLE",
    "rounds_completed": "DOUBLE",
    "total_cost_usd": "DOUBLE",
}

_IN_SPAN = "timestamp >= '{since}' AND timestamp < '{until}'"
_DAY = "CAST(CAST(timestamp AS DATE) AS VARCHAR)"

QUESTIONS: Mapping[str, str] = {
    "round_funnel": f"""
        SELECT project, count(*) AS seen,
               count(*) FILTER (WHERE started > 0) AS started, count(*) FILTER (WHERE proposed > 0) AS proposed,
               count(*) FILTER (WHERE applied > 0) AS applied, count(*) FILTER (WHERE scored > 0) AS scored,
               count(*) FILTER (WHERE kept > 0) AS kept, count(*) FILTER (WHERE reverted > 0) AS reverted
        FROM (
          SELECT round_id, min(project) AS project,
                 count(*) FILTER (WHERE event = 'round_started') AS started,
                 count(*) FILTER (WHERE event = 'proposal_generated') AS proposed,
                 count(*) FILTER (WHERE event = 'proposal_applied') AS applied,
                 count(*) FILTER (WHERE event = 'round_scored') AS scored,
                 count(*) FILTER (WHERE event = 'round_kept') AS kept,
                 count(*) FILTER (WHERE event = 'round_reverted') AS reverted
          FROM events
          WHERE event IN ('round_started', 'proposal_generated', 'proposal_applied', 'round_scored', 'round_kept',
                          'round_reverted') AND round_id IS NOT NULL AND {_IN_SPAN}
          GROUP BY round_id
        ) AS rounds
        GROUP BY project ORDER BY project LIMIT 100""",
    "score_trend": f"""
        SELECT {_DAY} AS bucket, project, score_goal AS goal,
               max(score) AS highest, min(score) AS lowest, count(*) AS rounds
        FROM events WHERE event = 'round_scored' AND score IS NOT NULL AND {_IN_SPAN}
        GROUP BY bucket, project, goal ORDER BY bucket, project, goal LIMIT 5000""",
    "git_shas": f"""
        SELECT project, git_sha, min(timestamp) AS first_seen
        FROM events WHERE event IN ('round_started', 'round_scored') AND git_sha IS NOT NULL AND {_IN_SPAN}
        GROUP BY project, git_sha ORDER BY first_seen, project, git_sha LIMIT 1000""",
    "dimension_heatmap": f"""
        SELECT {_DAY} AS bucket, project, client, dim, avg(value) AS average, count(*) AS rounds
        FROM events JOIN dims ON dims.event_id = events.id
        WHERE event = 'round_scored' AND {_IN_SPAN}
        GROUP BY bucket, project, client, dim ORDER BY bucket, project, client, dim LIMIT 20000""",
    "cost_per_kept": f"""
        SELECT {_DAY} AS bucket, project, count(*) FILTER (WHERE event = 'round_kept') AS kept, count(*) AS rounds,
               count(cost_usd) AS priced, sum(cost_usd) AS spent_usd
        FROM events WHERE event IN ('round_kept', 'round_reverted') AND {_IN_SPAN}
        GROUP BY bucket, project ORDER BY bucket, project LIMIT 5000""",
    "escalations": f"""
        SELECT {_DAY} AS bucket, project, from_model, to_model, reason,
               count(*) AS escalations, avg(stall_rounds) AS stall_rounds
        FROM events WHERE event = 'model_escalated' AND {_IN_SPAN}
        GROUP BY bucket, project, from_model, to_model, reason
        ORDER BY bucket, project, from_model, to_model, reason LIMIT 5000""",
    "stop_reasons": f"""
        SELECT project, reason, count(*) AS stops, sum(rounds_completed) AS rounds_completed,
               sum(total_cost_usd) AS total_cost_usd, max(timestamp) AS last_at
        FROM events WHERE event = 'stop_triggered' AND {_IN_SPAN}
        GROUP BY project, reason ORDER BY stops DESC, project, reason LIMIT 1000""",
    "unfinished_runs": f"""
        SELECT run_id, min(project) AS project, min(client) AS client, min(timestamp) AS since,
               max(timestamp) AS last_at
        FROM events
        WHERE event IN ('round_started', 'stop_triggered') AND run_id IS NOT NULL AND imported_from IS NULL
          AND {_IN_SPAN}
        GROUP BY run_id HAVING count(*) FILTER (WHERE event = 'stop_triggered') = 0
        ORDER BY project, since, run_id LIMIT 1000""",
}
