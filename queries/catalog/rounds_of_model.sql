-- title: Rounds that a model began
-- asks: which rounds of a type of task did a model begin, and how good was each?
-- params: since DateTime, until DateTime, task_type String = '', model String = '', project String = '', client String = '', run String = ''
-- columns: round_id String, project String, started DateTime, value Float64 (quality)
-- events: round_started, round_scored, round_kept, round_reverted
-- cost: none
-- limit: 1000
SELECT
  properties.round_id AS round_id,
  min(properties.project) AS project,
  min(timestamp) AS started,
  argMaxIf(toFloat(properties.quality_score), timestamp, event = 'round_scored') AS value
FROM events
WHERE event IN ('round_started', 'round_scored', 'round_kept', 'round_reverted')
  AND properties.round_id IS NOT NULL
  AND properties.project != 'loopdesk'
  AND timestamp >= toDateTime({since})
  AND timestamp < toDateTime({until})
  AND ({project} = '' OR properties.project = {project})
  AND ({client} = '' OR properties.client = {client})
  AND ({run} = '' OR properties.run_id = {run})
GROUP BY round_id
HAVING countIf(event = 'round_scored') > 0
  AND ({task_type} = '' OR if(coalesce(max(properties.task_type), '') = '', '(no task type)', max(properties.task_type)) = {task_type})
  AND ({model} = '' OR if(coalesce(argMinIf(properties.model, timestamp, event = 'round_started'), '') = '', '(no model)', argMinIf(properties.model, timestamp, event = 'round_started')) = {model})
ORDER BY started DESC, round_id
LIMIT 1000
