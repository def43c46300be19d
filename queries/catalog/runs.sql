-- title: Runs
-- asks: which runs were there, and did each say why it stopped?
-- params: since DateTime, until DateTime, project String = '', client String = ''
-- columns: run_id String, project String, client String, since DateTime, until DateTime, rounds UInt64, stops UInt64 (events)
-- events: round_started, round_scored, round_kept, round_reverted, stop_triggered
-- cost: none
-- limit: 1000
SELECT
  properties.run_id AS run_id,
  min(properties.project) AS project,
  min(properties.client) AS client,
  min(timestamp) AS since,
  max(timestamp) AS until,
  uniqExact(properties.round_id) AS rounds,
  countIf(event = 'stop_triggered') AS stops
FROM events
WHERE event IN ('round_started', 'round_scored', 'round_kept', 'round_reverted', 'stop_triggered')
  AND properties.run_id IS NOT NULL
  AND timestamp >= toDateTime({since})
  AND timestamp < toDateTime({until})
  AND ({project} = '' OR properties.project = {project})
  AND ({client} = '' OR properties.client = {client})
GROUP BY run_id
ORDER BY since DESC, run_id
LIMIT 1000
