-- title: Latency of the router's requests by model
-- asks: how long does each model take to answer what the router sends it?
-- params: since DateTime, until DateTime, project String = '', client String = '', run String = ''
-- columns: model String, calls UInt64 (requests), timed UInt64 (requests with a latency), median_s Float64 (seconds), p95_s Float64 (seconds)
-- events: token_machine.request
-- cost: none
-- limit: 500
SELECT
  nullIf(properties.model_used, '') AS model,
  count() AS calls,
  count(toFloat(properties.latency_ms)) AS timed,
  quantileExact(0.5)(toFloat(properties.latency_ms)) / 1000 AS median_s,
  quantileExact(0.95)(toFloat(properties.latency_ms)) / 1000 AS p95_s
FROM events
WHERE event = 'token_machine.request'
  AND properties.project != 'loopdesk'
  AND timestamp >= toDateTime({since})
  AND timestamp < toDateTime({until})
  AND ({project} = '' OR properties.project = {project})
  AND ({client} = '' OR properties.client = {client})
  AND ({run} = '' OR properties.run_id = {run})
GROUP BY model
ORDER BY calls DESC, model
LIMIT 500
