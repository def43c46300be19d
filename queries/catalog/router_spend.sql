-- title: Spend of the router
-- asks: what did each type of task cost, and which model did it?
-- params: since DateTime, until DateTime, bucket String = 'day', project String = '', client String = '', run String = ''
-- columns: bucket String, project String, task_type String, model String, requests UInt64, priced UInt64 (requests with a cost), spent_usd Float64 (USD)
-- events: token_machine.request
-- cost: token_machine.request.cost_usd
-- limit: 20000
SELECT
  if({bucket} = 'hour', toString(toStartOfHour(timestamp)), toString(toDate(timestamp))) AS bucket,
  properties.project AS project,
  properties.task_type AS task_type,
  properties.model_used AS model,
  count() AS requests,
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
GROUP BY bucket, project, task_type, model
ORDER BY bucket, project, task_type, model
LIMIT 20000
