-- title: Latency and errors by model
-- asks: how long does each model take to answer, and how many of its calls fail?
-- params: since DateTime, until DateTime, project String = '', client String = '', run String = ''
-- columns: model String, calls UInt64, errors UInt64 (calls), timed UInt64 (answered calls with a latency), median_s Float64 (seconds of the answered), p95_s Float64 (seconds of the answered)
-- events: $ai_generation
-- cost: none
-- limit: 500
SELECT
  nullIf(properties.$ai_model, '') AS model,
  count() AS calls,
  countIf(properties.$ai_is_error = 'true') AS errors,
  count(if(properties.$ai_is_error = 'true', NULL, toFloat(properties.$ai_latency))) AS timed,
  quantileExact(0.5)(if(properties.$ai_is_error = 'true', NULL, toFloat(properties.$ai_latency))) AS median_s,
  quantileExact(0.95)(if(properties.$ai_is_error = 'true', NULL, toFloat(properties.$ai_latency))) AS p95_s
FROM events
WHERE event = '$ai_generation'
  AND properties.project != 'loopdesk'
  AND timestamp >= toDateTime({since})
  AND timestamp < toDateTime({until})
  AND ({project} = '' OR properties.project = {project})
  AND ({client} = '' OR properties.client = {client})
  AND ({run} = '' OR properties.run_id = {run})
GROUP BY model
ORDER BY calls DESC, model
LIMIT 500
