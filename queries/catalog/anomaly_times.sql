-- title: Times of router anomalies
-- asks: when did the model router find something unusual, and of what type?
-- params: since DateTime, until DateTime, project String = '', client String = '', run String = ''
-- columns: at DateTime, hour DateTime, project String, client String, type String
-- events: token_machine.anomaly
-- cost: none
-- limit: 5000
SELECT
  timestamp AS at,
  toStartOfHour(timestamp) AS hour,
  properties.project AS project,
  properties.client AS client,
  properties.type AS type
FROM events
WHERE event = 'token_machine.anomaly'
  AND properties.project != 'loopdesk'
  AND timestamp >= toDateTime({since})
  AND timestamp < toDateTime({until})
  AND ({project} = '' OR properties.project = {project})
  AND ({client} = '' OR properties.client = {client})
  AND ({run} = '' OR properties.run_id = {run})
ORDER BY at DESC, project, client, type
LIMIT 5000
