-- title: Stop reasons
-- asks: why did nights stop?
-- params: since DateTime, until DateTime, project String = '', client String = '', run String = ''
-- columns: project String, reason String, stops UInt64, rounds_completed Float64 (rounds), total_cost_usd Float64 (USD), last_at DateTime
-- events: stop_triggered
-- cost: stop_triggered.total_cost_usd, the loop's own total of a run
-- limit: 1000
SELECT
  properties.project AS project,
  properties.reason AS reason,
  count() AS stops,
  sum(toFloat(properties.rounds_completed)) AS rounds_completed,
  sum(toFloat(properties.total_cost_usd)) AS total_cost_usd,
  max(timestamp) AS last_at
FROM events
WHERE event = 'stop_triggered'
  AND timestamp >= toDateTime({since})
  AND timestamp < toDateTime({until})
  AND ({project} = '' OR properties.project = {project})
  AND ({client} = '' OR properties.client = {client})
  AND ({run} = '' OR properties.run_id = {run})
GROUP BY project, reason
ORDER BY stops DESC, project, reason
LIMIT 1000
