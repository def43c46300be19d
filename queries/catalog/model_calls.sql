-- title: Model calls
-- asks: how many calls of each model failed on each day, and how long did an answer take?
-- params: since DateTime, until DateTime
-- columns: day Date, project String, client String, model String, calls UInt64, errors UInt64 (calls), latency_s Float64 (seconds, median), per_token_s Float64 (seconds per output token, median), last_at DateTime
-- events: $ai_generation
-- cost: none
-- limit: 5000
SELECT
  toDate(timestamp) AS day,
  properties.project AS project,
  properties.client AS client,
  properties.$ai_model AS model,
  count() AS calls,
  countIf(properties.$ai_is_error = 'true') AS errors,
  quantileExact(0.5)(if(properties.$ai_is_error = 'true', NULL, toFloat(properties.$ai_latency))) AS latency_s,
  quantileExact(0.5)(if(properties.$ai_is_error = 'true', NULL, toFloat(properties.$ai_latency) / nullIf(toFloat(properties.$ai_output_tokens), 0))) AS per_token_s,
  max(timestamp) AS last_at
FROM events
WHERE event = '$ai_generation'
  AND properties.project != 'loopdesk'
  AND timestamp >= toDateTime({since})
  AND timestamp < toDateTime({until})
GROUP BY day, project, client, model
ORDER BY day DESC, project, client, model
LIMIT 5000
