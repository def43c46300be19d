-- title: Rounds that asked for a task
-- asks: in which rounds was a model asked for a type of task, and for how much?
-- params: since DateTime, until DateTime, source String = 'token_machine.request', task_type String = '', model String = '', bucket String = 'day', at String = '', project String = '', client String = '', run String = ''
-- columns: round_id String, project String, started DateTime, value Float64 (USD)
-- events: token_machine.request, $ai_generation
-- cost: token_machine.request.cost_usd or $ai_generation.$ai_total_cost_usd, whichever source is asked for
-- limit: 1000
SELECT
  properties.round_id AS round_id,
  min(properties.project) AS project,
  min(timestamp) AS started,
  sum(if(event = '$ai_generation', toFloat(properties.$ai_total_cost_usd), toFloat(properties.cost_usd))) AS value
FROM events
WHERE event IN ('token_machine.request', '$ai_generation')
  AND event = {source}
  AND properties.round_id IS NOT NULL
  AND properties.project != 'loopdesk'
  AND timestamp >= toDateTime({since})
  AND timestamp < toDateTime({until})
  AND ({project} = '' OR properties.project = {project})
  AND ({client} = '' OR properties.client = {client})
  AND ({run} = '' OR properties.run_id = {run})
  AND ({task_type} = '' OR if(coalesce(properties.task_type, '') = '', '(no task type)', properties.task_type) = {task_type})
  AND ({model} = '' OR if(coalesce(properties.model_used, '') = '', '(no model)', properties.model_used) = {model})
  AND ({at} = '' OR has(splitByChar(',', {at}), if({bucket} = 'hour', toString(toStartOfHour(timestamp)), toString(toDate(timestamp)))))
GROUP BY round_id
ORDER BY started DESC, round_id
LIMIT 1000
