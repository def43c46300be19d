-- title: Latency by model over time
-- asks: when did a model take longer to answer?
-- params: since DateTime, until DateTime, bucket String = 'day', project String = '', client String = '', run String = ''
-- columns: bucket String, model String, timed UInt64 (answered calls with a latency), p95_s Float64 (seconds of the answered)
-- events: $ai_generation
-- cost: none
-- limit: 5000
SELECT
  if({bucket} = 'hour', toString(toStartOfHour(timestamp)), toString(toDate(timestamp))) AS bucket,
  nullIf(properties.$ai_model, '') AS model,
  count(toFloat(properties.$ai_latency)) AS timed,
  quantileExact(0.95)(toFloat(properties.$ai_latency)) AS p95_s
FROM events
WHERE event = '$ai_generation'
  AND properties.$ai_is_error != 'true'
  AND properties.project != 'loopdesk'
  AND timestamp >= toDateTime({since})
  AND timestamp < toDateTime({until})
  AND ({project} = '' OR properties.project = {project})
  AND ({client} = '' OR properties.client = {client})
  AND ({run} = '' OR properties.run_id = {run})
GROUP BY bucket, model
ORDER BY bucket, model
LIMIT 5000
