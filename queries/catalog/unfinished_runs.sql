-- title: Unfinished runs
-- asks: which runs started rounds and never said why they stopped?
-- params: since DateTime, until DateTime, project String = '', client String = '', run String = ''
-- columns: run_id String, project String, client String, since DateTime, last_at DateTime
-- events: round_started, stop_triggered
-- cost: none
-- limit: 1000
SELECT
  properties.run_id AS run_id,
  min(properties.project) AS project,
  min(properties.client) AS client,
  min(timestamp) AS since,
  max(timestamp) AS last_at
FROM events
WHERE event IN ('round_started', 'stop_triggered')
  AND properties.run_id IS NOT NULL
  AND properties.imported_from IS NULL
  AND timestamp >= toDateTime({since})
  AND timestamp < toDateTime({until})
  AND ({project} = '' OR properties.project = {project})
  AND ({client} = '' OR properties.client = {client})
  AND ({run} = '' OR properties.run_id = {run})
GROUP BY run_id
HAVING countIf(event = 'stop_triggered') = 0
ORDER BY project, since, run_id
LIMIT 1000
