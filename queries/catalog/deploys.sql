-- title: Deploys
-- asks: what did a change of the loop's own code do to score, kept rate and cost?
-- params: since DateTime, until DateTime, project String = '', client String = '', run String = ''
-- columns: project String, git_sha String, first_seen DateTime, rounds UInt64, goal String, highest Float64 (score), lowest Float64 (score), kept UInt64 (rounds), outcomes UInt64 (rounds), spent_usd Float64 (USD)
-- events: round_started, round_scored, round_kept, round_reverted
-- cost: round_kept.cost_usd + round_reverted.cost_usd, which contain their proposal's cost
-- limit: 1000
SELECT
  properties.project AS project,
  properties.git_sha AS git_sha,
  min(timestamp) AS first_seen,
  countIf(event = 'round_scored') AS rounds,
  argMaxIf(properties.score_goal, timestamp, event = 'round_scored') AS goal,
  maxIf(toFloat(properties.score), event = 'round_scored') AS highest,
  minIf(toFloat(properties.score), event = 'round_scored') AS lowest,
  countIf(event = 'round_kept') AS kept,
  countIf(event IN ('round_kept', 'round_reverted')) AS outcomes,
  sumIf(toFloat(properties.cost_usd), event IN ('round_kept', 'round_reverted')) AS spent_usd
FROM events
WHERE event IN ('round_started', 'round_scored', 'round_kept', 'round_reverted')
  AND properties.git_sha IS NOT NULL
  AND timestamp >= toDateTime({since})
  AND timestamp < toDateTime({until})
  AND ({project} = '' OR properties.project = {project})
  AND ({client} = '' OR properties.client = {client})
  AND ({run} = '' OR properties.run_id = {run})
GROUP BY project, git_sha
ORDER BY project, first_seen
LIMIT 1000
