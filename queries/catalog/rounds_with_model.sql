-- title: Rounds with a model
-- asks: which rounds called a model, and how long did its slowest call take?
-- params: since DateTime, until DateTime, model String = '', source String = '$ai_generation', project String = '', client String = '', run String = ''
-- columns: round_id String, project String, started DateTime, value Float64 (seconds, the slowest call that did not fail)
-- events: $ai_generation, token_machine.request
-- cost: none
-- limit: 1000
SELECT
  properties.round_id AS round_id,
  min(properties.project) AS project,
  min(timestamp) AS started,
  max(multiIf(event = 'token_machine.request', toFloat(properties.latency_ms) / 1000, properties.$ai_is_error = 'true', NULL, toFloat(properties.$ai_latency))) AS value
FROM events
WHERE event IN ('$ai_generation', 'token_machine.request')
  AND event = {source}
  AND properties.round_id IS NOT NULL
  AND properties.project != 'loopdesk'
  AND ({model} = '' OR coalesce(nullIf(if(event = 'token_machine.request', properties.model_used, properties.$ai_model), ''), '(no model)') = {model})
  AND timestamp >= toDateTime({since})
  AND timestamp < toDateTime({until})
  AND ({project} = '' OR properties.project = {project})
  AND ({client} = '' OR properties.client = {client})
  AND ({run} = '' OR properties.run_id = {run})
GROUP BY round_id
ORDER BY started DESC, round_id
LIMIT 1000
