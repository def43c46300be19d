-- title: Quality of routed requests
-- asks: how good, and how dear, were each model's answers to each type of task?
-- params: since DateTime, until DateTime, project String = '', client String = '', run String = ''
-- columns: task_type String, model String, grade String, requests UInt64, scored UInt64 (requests with a quality), quality Float64 (quality, sum), quality_squared Float64 (quality squared, sum), priced UInt64 (requests with a cost), spent_usd Float64 (USD)
-- events: token_machine.request
-- cost: token_machine.request.cost_usd
-- limit: 5000
SELECT
  properties.task_type AS task_type,
  properties.model_used AS model,
  properties.efficiency_grade AS grade,
  count() AS requests,
  count(toFloat(properties.quality_score)) AS scored,
  sum(toFloat(properties.quality_score)) AS quality,
  sum(toFloat(properties.quality_score) * toFloat(properties.quality_score)) AS quality_squared,
  count(toFloat(properties.cost_usd)) AS priced,
  sum(toFloat(properties.cost_usd)) AS spent_usd
FROM events
WHERE event = 'token_machine.request'
  AND properties.project != 'loopdesk'
  AND timestamp >= toDateTime({since})
  AND timestamp < toDateTime({until})
  AND ({project} = '' OR properties.project = {project})
  AND ({client} = '' OR properties.client = {client})
  AND ({run} = '' OR properties.run_id = {run})
GROUP BY task_type, model, grade
ORDER BY requests DESC, task_type, model, grade
LIMIT 5000
