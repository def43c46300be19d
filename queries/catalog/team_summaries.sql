-- title: Team summaries
-- asks: whom did the model router name best, worst, and for a bigger model?
-- params: since DateTime, until DateTime, bucket String = 'day', project String = '', client String = '', run String = ''
-- columns: at DateTime, bucket String, project String, client String, run_id String, total_requests Float64 (requests), total_cost Float64 (USD), avg_quality Float64 (quality), best String, worst String, candidates String (JSON list, or text)
-- events: token_machine.team_summary
-- cost: token_machine.team_summary.total_cost, the router's own total
-- limit: 2000
SELECT
  timestamp AS at,
  if({bucket} = 'hour', toString(toStartOfHour(timestamp)), toString(toDate(timestamp))) AS bucket,
  properties.project AS project,
  properties.client AS client,
  properties.run_id AS run_id,
  toFloat(properties.total_requests) AS total_requests,
  toFloat(properties.total_cost) AS total_cost,
  toFloat(properties.avg_quality) AS avg_quality,
  properties.best_performer AS best,
  properties.worst_performer AS worst,
  properties.escalation_candidates AS candidates
FROM events
WHERE event = 'token_machine.team_summary'
  AND properties.project != 'loopdesk'
  AND timestamp >= toDateTime({since})
  AND timestamp < toDateTime({until})
  AND ({project} = '' OR properties.project = {project})
  AND ({client} = '' OR properties.client = {client})
  AND ({run} = '' OR properties.run_id = {run})
ORDER BY at DESC, project, client, run_id
LIMIT 2000
