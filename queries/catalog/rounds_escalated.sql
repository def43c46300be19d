-- title: Escalated rounds
-- asks: which rounds were handed to a bigger model, and why?
-- params: since DateTime, until DateTime, to_model String = '', reason String = '', bucket String = 'day', at String = '', project String = '', client String = '', run String = ''
-- columns: round_id String, project String, started DateTime, value String
-- events: model_escalated
-- cost: none
-- limit: 1000
SELECT
  properties.round_id AS round_id,
  min(properties.project) AS project,
  min(timestamp) AS started,
  argMax(properties.reason, timestamp) AS value
FROM events
WHERE event = 'model_escalated'
  AND properties.round_id IS NOT NULL
  AND timestamp >= toDateTime({since})
  AND timestamp < toDateTime({until})
  AND ({project} = '' OR properties.project = {project})
  AND ({client} = '' OR properties.client = {client})
  AND ({run} = '' OR properties.run_id = {run})
  AND ({to_model} = '' OR if(coalesce(properties.to_model, '') = '', '(no target named)', properties.to_model) = {to_model})
  AND ({reason} = '' OR if(coalesce(properties.reason, '') = '', '(no reason)', properties.reason) = {reason})
  AND ({at} = '' OR has(splitByChar(',', {at}), if({bucket} = 'hour', toString(toStartOfHour(timestamp)), toString(toDate(timestamp)))))
GROUP BY round_id
ORDER BY started DESC, round_id
LIMIT 1000
