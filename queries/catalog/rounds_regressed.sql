-- title: Regressed rounds
-- asks: which rounds had eval cases that regressed, and how many?
-- params: since DateTime, until DateTime, project String = '', client String = '', run String = ''
-- columns: round_id String, project String, started DateTime, value UInt64 (regressions)
-- events: eval.regression
-- cost: none
-- limit: 1000
SELECT
  properties.round_id AS round_id,
  min(properties.project) AS project,
  min(timestamp) AS started,
  count() AS value
FROM events
WHERE event = 'eval.regression'
  AND properties.round_id IS NOT NULL
  AND properties.project != 'loopdesk'
  AND timestamp >= toDateTime({since})
  AND timestamp < toDateTime({until})
  AND ({project} = '' OR properties.project = {project})
  AND ({client} = '' OR properties.client = {client})
  AND ({run} = '' OR properties.run_id = {run})
GROUP BY round_id
ORDER BY started DESC, round_id
LIMIT 1000
