-- title: Latency of the router's requests over time
-- asks: when did a model take longer to answer what the router sends it?
-- params: since DateTime, until DateTime, bucket String = 'day', project String = '', client String = '', run String = ''
-- columns: bucket String, model String, timed UInt64 (requests with a latency), p95_s Float64 (seconds)
-- events: token_machine.request
-- cost: none
-- limit: 5000
SELECT
  if({bucket} = 'hour', toString(toStartOfHour(timestamp)), toString(toDate(timestamp))) AS bucket,
  nullIf(properties.model_used, '') AS model,
  count(toFloat(properties.latency_ms)) AS timed,
  quantileExact(0.95)(toFloat(properties.latency_ms)) / 1000 AS p95_s
FROM events
WHERE event = 'token_machine.request'
  AND properties.project != 'loopdesk'
  AND timestamp >= toDateTime({since})
  AND timestamp < toDateTime({until})
  AND ({project} = '' OR properties.project = {project})
  AND ({client} = '' OR properties.client = {client})
  AND ({run} = '' OR properties.run_id = {run})
GROUP BY bucket, model
ORDER BY bucket, model
LIMIT 5000
