-- title: Cost per kept round
-- asks: what did a kept round cost?
-- params: since DateTime, until DateTime, bucket String = 'day', project String = '', client String = '', run String = ''
-- columns: bucket String, project String, kept UInt64 (rounds), rounds UInt64, priced UInt64 (rounds with a cost), spent_usd Float64 (USD)
-- events: round_kept, round_reverted
-- cost: round_kept.cost_usd + round_reverted.cost_usd, which contain their proposal's cost
-- limit: 5000
SELECT
  if({bucket} = 'hour', toString(toStartOfHour(timestamp)), toString(toDate(timestamp))) AS bucket,
  properties.project AS project,
  countIf(event = 'round_kept') AS kept,
  count() AS rounds,
  countIf(toFloat(properties.cost_usd) IS NOT NULL) AS priced,
  sum(toFloat(properties.cost_usd)) AS spent_usd
FROM events
WHERE event IN ('round_kept', 'round_reverted')
  AND timestamp >= toDateTime({since})
  AND timestamp < toDateTime({until})
  AND ({project} = '' OR properties.project = {project})
  AND ({client} = '' OR properties.client = {client})
  AND ({run} = '' OR properties.run_id = {run})
GROUP BY bucket, project
ORDER BY bucket, project
LIMIT 5000
