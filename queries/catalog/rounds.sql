-- title: Rounds
-- asks: which rounds were there, and how did each end?
-- params: since DateTime, until DateTime, project String = '', client String = '', run String = '', ids String = ''
-- columns: round_id String, run_id String, project String, client String, agent String, model String, started DateTime, ended DateTime, n_proposed UInt64 (events), n_applied UInt64 (events), n_scored UInt64 (events), kept_at DateTime (1970 where not kept), reverted_at DateTime (1970 where not reverted), failure_mode String, goal String, score Float64 (score), delta Float64 (score), baseline Float64 (score), cost_usd Float64 (USD), errors UInt64 (events), git_sha String, is_estimated UInt8, is_imported UInt8
-- events: round_started, proposal_generated, proposal_applied, round_scored, round_kept, round_reverted, step.tool_returned, $exception, $ai_generation
-- cost: round_kept.cost_usd + round_reverted.cost_usd, which contain their proposal's cost
-- limit: 5000
SELECT
  properties.round_id AS round_id,
  min(properties.run_id) AS run_id,
  min(properties.project) AS project,
  min(properties.client) AS client,
  argMin(properties.agent, timestamp) AS agent,
  argMinIf(properties.model, timestamp, event = 'round_started') AS model,
  min(timestamp) AS started,
  max(timestamp) AS ended,
  countIf(event = 'proposal_generated') AS n_proposed,
  countIf(event = 'proposal_applied') AS n_applied,
  countIf(event = 'round_scored') AS n_scored,
  maxIf(timestamp, event = 'round_kept') AS kept_at,
  maxIf(timestamp, event = 'round_reverted') AS reverted_at,
  argMaxIf(properties.failure_mode, timestamp, event = 'round_reverted') AS failure_mode,
  argMaxIf(properties.score_goal, timestamp, event = 'round_scored') AS goal,
  argMaxIf(toFloat(properties.score), timestamp, event = 'round_scored') AS score,
  argMaxIf(toFloat(properties.delta), timestamp, event IN ('round_kept', 'round_reverted')) AS delta,
  argMinIf(toFloat(properties.baseline_score), timestamp, event = 'round_started') AS baseline,
  sumIf(toFloat(properties.cost_usd), event IN ('round_kept', 'round_reverted')) AS cost_usd,
  countIf(event = '$exception' OR properties.ok = 'false' OR properties.$ai_is_error = 'true') AS errors,
  argMax(properties.git_sha, timestamp) AS git_sha,
  countIf(properties.time_estimated = 'true') > 0 AS is_estimated,
  countIf(properties.imported_from IS NOT NULL) > 0 AS is_imported
FROM events
WHERE event IN ('round_started', 'proposal_generated', 'proposal_applied', 'round_scored', 'round_kept', 'round_reverted', 'step.tool_returned', '$exception', '$ai_generation')
  AND properties.round_id IS NOT NULL
  AND timestamp >= toDateTime({since})
  AND timestamp < toDateTime({until})
  AND ({project} = '' OR properties.project = {project})
  AND ({client} = '' OR properties.client = {client})
  AND ({run} = '' OR properties.run_id = {run})
  AND ({ids} = '' OR has(splitByChar('\n', {ids}), properties.round_id))
GROUP BY round_id
ORDER BY started DESC, round_id
LIMIT 5000
