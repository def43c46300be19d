-- title: Eval cases per run
-- asks: how many eval cases did each run score?
-- params: since DateTime, until DateTime, project String = '', client String = '', run String = ''
-- columns: run_id String, project String, client String, began DateTime (first case), cases UInt64 (events)
-- events: eval.case
-- cost: none
-- limit: 5000
SELECT
  properties.run_id AS run_id,
  properties.project AS project,
  properties.client AS client,
  min(timestamp) AS began,
  count() AS cases
FROM events
WHERE event = 'eval.case'
  AND properties.project != 'loopdesk'
  AND timestamp >= toDateTime({since})
  AND timestamp < toDateTime({until})
  AND ({project} = '' OR properties.project = {project})
  AND ({client} = '' OR properties.client = {client})
  AND ({run} = '' OR properties.run_id = {run})
GROUP BY run_id, project, client
ORDER BY began DESC, run_id, project, client
LIMIT 5000
