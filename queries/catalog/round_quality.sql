-- title: Quality of rounds
-- asks: how good, and how dear, were the rounds that each model began, by type of task?
-- params: since DateTime, until DateTime, project String = '', client String = '', run String = ''
-- columns: task_type String, model String, requests UInt64 (rounds that were scored), scored UInt64 (rounds with a quality), quality Float64 (quality, sum), quality_squared Float64 (quality squared, sum), priced UInt64 (rounds with a cost), spent_usd Float64 (USD)
-- events: round_started, round_scored, round_kept, round_reverted
-- cost: round_kept.cost_usd + round_reverted.cost_usd, which contain their proposal's cost
-- limit: 5000
SELECT
  task_type,
  model,
  count() AS requests,
  count(quality_score) AS scored,
  sum(quality_score) AS quality,
  sum(quality_score * quality_score) AS quality_squared,
  count(cost_usd) AS priced,
  sum(cost_usd) AS spent_usd
FROM (
  SELECT
    properties.round_id AS round_id,
    max(properties.task_type) AS task_type,
    argMinIf(properties.model, timestamp, event = 'round_started') AS model,
    argMaxIf(toFloat(properties.quality_score), timestamp, event = 'round_scored') AS quality_score,
    sumIf(toFloat(properties.cost_usd), event IN ('round_kept', 'round_reverted')) AS cost_usd
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
)
GROUP BY task_type, model
ORDER BY requests DESC, task_type, model
LIMIT 5000
