-- title: Escalations
-- asks: which rounds were handed to a bigger model, and why?
-- params: since DateTime, until DateTime, bucket String = 'day', project String = '', client String = '', run String = ''
-- columns: bucket String, project String, from_model String, to_model String, reason String, escalations UInt64, stall_rounds Float64 (rounds, average)
-- events: model_escalated
-- cost: none
-- limit: 5000
SELECT
  if({bucket} = 'hour', toString(toStartOfHour(timestamp)), toString(toDate(timestamp))) AS bucket,
  properties.project AS project,
  properties.from_model AS from_model,
  properties.to_model AS to_model,
  properties.reason AS reason,
  count() AS escalations,
  avg(toFloat(properties.stall_rounds)) AS stall_rounds
FROM events
WHERE event = 'model_escalated'
  AND timestamp >= toDateTime({since})
  AND timestamp < toDateTime({until})
  AND ({project} = '' OR properties.project = {project})
  AND ({client} = '' OR properties.client = {client})
  AND ({run} = '' OR properties.run_id = {run})
GROUP BY bucket, project, from_model, to_model, reason
ORDER BY bucket, project, from_model, to_model, reason
LIMIT 5000
