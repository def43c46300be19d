-- title: Kept rounds
-- asks: which rounds were kept, when, and with what score?
-- params: since DateTime, until DateTime, project String = '', client String = '', run String = ''
-- columns: round_id String, project String, client String, kept_at DateTime, goal String, score Float64 (score)
-- events: round_scored, round_kept
-- cost: none
-- limit: 20000
SELECT
  properties.round_id AS round_id,
  min(properties.project) AS project,
  min(properties.client) AS client,
  maxIf(timestamp, event = 'round_kept') AS kept_at,
  argMaxIf(properties.score_goal, timestamp, event = 'round_scored') AS goal,
  argMaxIf(toFloat(properties.score), timestamp, event = 'round_scored') AS score
FROM events
WHERE event IN ('round_scored', 'round_kept')
  AND properties.round_id IS NOT NULL
  AND properties.project != 'loopdesk'
  AND timestamp >= toDateTime({since})
  AND timestamp < toDateTime({until})
  AND ({project} = '' OR properties.project = {project})
  AND ({client} = '' OR properties.client = {client})
  AND ({run} = '' OR properties.run_id = {run})
GROUP BY round_id
HAVING countIf(event = 'round_kept') > 0
ORDER BY kept_at DESC, round_id
LIMIT 20000
