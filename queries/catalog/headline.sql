-- title: Headline
-- asks: what did each project do in this window?
-- params: since DateTime, until DateTime, project String = '', client String = '', run String = ''
-- columns: project String, goal String, rounds UInt64, highest Float64 (score), lowest Float64 (score), kept UInt64 (rounds), outcomes UInt64 (rounds), priced UInt64 (rounds with a cost), spent_usd Float64 (USD), escalations UInt64, stopped String, events UInt64, no_client UInt64 (events), no_run_id UInt64 (events), no_round_id UInt64 (events), no_agent UInt64 (events), no_git_sha UInt64 (events), git_shas Array(String)
-- events: round_started, round_scored, round_kept, round_reverted, model_escalated, stop_triggered
-- cost: round_kept.cost_usd + round_reverted.cost_usd, which contain their proposal's cost
-- limit: 100
SELECT
  properties.project AS project,
  argMaxIf(properties.score_goal, timestamp, event = 'round_scored') AS goal,
  uniqExact(properties.round_id) AS rounds,
  maxIf(toFloat(properties.score), event = 'round_scored') AS highest,
  minIf(toFloat(properties.score), event = 'round_scored') AS lowest,
  countIf(event = 'round_kept') AS kept,
  countIf(event IN ('round_kept', 'round_reverted')) AS outcomes,
  countIf(event IN ('round_kept', 'round_reverted') AND toFloat(properties.cost_usd) IS NOT NULL) AS priced,
  sumIf(toFloat(properties.cost_usd), event IN ('round_kept', 'round_reverted')) AS spent_usd,
  countIf(event = 'model_escalated') AS escalations,
  argMaxIf(properties.reason, timestamp, event = 'stop_triggered') AS stopped,
  count() AS events,
  countIf(properties.client IS NULL) AS no_client,
  countIf(properties.run_id IS NULL) AS no_run_id,
  countIf(properties.round_id IS NULL AND event NOT IN ('model_escalated', 'stop_triggered')) AS no_round_id,
  countIf(properties.agent IS NULL) AS no_agent,
  countIf(properties.git_sha IS NULL) AS no_git_sha,
  groupUniqArray(properties.git_sha) AS git_shas
FROM events
WHERE event IN ('round_started', 'round_scored', 'round_kept', 'round_reverted', 'model_escalated', 'stop_triggered')
  AND timestamp >= toDateTime({since})
  AND timestamp < toDateTime({until})
  AND ({project} = '' OR properties.project = {project})
  AND ({client} = '' OR properties.client = {client})
  AND ({run} = '' OR properties.run_id = {run})
GROUP BY project
ORDER BY project
LIMIT 100
