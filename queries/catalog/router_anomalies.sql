-- title: Router anomalies
-- asks: what did the model router find unusual?
-- params: since DateTime, until DateTime
-- columns: project String, client String, type String, user_id String, task_type String, recommendation String, times UInt64 (events), last_at DateTime, last_run_id String
-- events: token_machine.anomaly
-- cost: none
-- limit: 500
SELECT
  properties.project AS project,
  properties.client AS client,
  properties.type AS type,
  properties.user_id AS user_id,
  properties.task_type AS task_type,
  argMax(substringUTF8(properties.recommendation, 1, 400), timestamp) AS recommendation,
  count() AS times,
  max(timestamp) AS last_at,
  argMax(properties.run_id, timestamp) AS last_run_id
FROM events
WHERE event = 'token_machine.anomaly'
  AND properties.project != 'loopdesk'
  AND timestamp >= toDateTime({since})
  AND timestamp < toDateTime({until})
GROUP BY project, client, type, user_id, task_type
ORDER BY last_at DESC, project, client, type, user_id, task_type
LIMIT 500
