-- title: Score trend
-- asks: did the best score get better?
-- params: since DateTime, until DateTime, bucket String = 'day', project String = '', client String = '', run String = ''
-- columns: bucket String, project String, goal String, highest Float64 (score), lowest Float64 (score), rounds UInt64
-- events: round_scored
-- cost: none
-- limit: 5000
SELECT
  if({bucket} = 'hour', toString(toStartOfHour(timestamp)), toString(toDate(timestamp))) AS bucket,
  properties.project AS project,
  properties.score_goal AS goal,
  max(toFloat(properties.score)) AS highest,
  min(toFloat(properties.score)) AS lowest,
  count() AS rounds
FROM events
WHERE event = 'round_scored'
  AND toFloat(properties.score) IS NOT NULL
  AND timestamp >= toDateTime({since})
  AND timestamp < toDateTime({until})
  AND ({project} = '' OR properties.project = {project})
  AND ({client} = '' OR properties.client = {client})
  AND ({run} = '' OR properties.run_id = {run})
GROUP BY bucket, project, goal
ORDER BY bucket, project, goal
LIMIT 5000
