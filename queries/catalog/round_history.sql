-- title: Round history
-- asks: how did each round of many nights go, for whoever compares a night with the ones before it?
-- params: since DateTime, until DateTime
-- columns: round_id String, run_id String, project String, client String, started DateTime, ended DateTime, n_started UInt64 (events), n_proposed UInt64 (events), n_applied UInt64 (events), n_scored UInt64 (events), kept_at DateTime (1970 where not kept), reverted_at DateTime (1970 where not reverted), failure_mode String, goal String, highest Float64 (score), lowest Float64 (score), quality Float64 (0..1), delta Float64 (score), baseline Float64 (score), cost_usd Float64 (USD), git_sha String, scorer_version String, escalated_to String, is_estimated UInt8
-- events: round_started, proposal_generated, proposal_applied, round_scored, round_kept, round_reverted, model_escalated
-- cost: round_kept.cost_usd + round_reverted.cost_usd, which contain their proposal's cost
-- limit: 20000
SELECT
  properties.round_id AS round_id,
  min(properties.run_id) AS run_id,
  min(properties.project) AS project,
  min(properties.client) AS client,
  min(timestamp) AS started,
  max(timestamp) AS ended,
  countIf(event = 'round_started') AS n_started,
  countIf(event = 'proposal_generated') AS n_proposed,
  countIf(event = 'proposal_applied') AS n_applied,
  countIf(event = 'round_scored') AS n_scored,
  maxIf(timestamp, event = 'round_kept') AS kept_at,
  maxIf(timestamp, event = 'round_reverted') AS reverted_at,
  maxIf(properties.failure_mode, event = 'round_reverted') AS failure_mode,
  maxIf(properties.score_goal, event = 'round_scored') AS goal,
  maxIf(toFloat(properties.score), event = 'round_scored') AS highest,
  minIf(toFloat(properties.score), event = 'round_scored') AS lowest,
  maxIf(toFloat(properties.quality_score), event = 'round_scored') AS quality,
  maxIf(toFloat(properties.delta), event IN ('round_kept', 'round_reverted')) AS delta,
  minIf(toFloat(properties.baseline_score), event = 'round_started') AS baseline,
  sumIf(toFloat(properties.cost_usd), event IN ('round_kept', 'round_reverted')) AS cost_usd,
  max(properties.git_sha) AS git_sha,
  maxIf(properties.scorer_version, event = 'round_scored') AS scorer_version,
  maxIf(properties.to_model, event = 'model_escalated') AS escalated_to,
  countIf(properties.time_estimated = 'true') > 0 AS is_estimated
FROM events
WHERE event IN ('round_started', 'proposal_generated', 'proposal_applied', 'round_scored', 'round_kept', 'round_reverted', 'model_escalated')
  AND properties.round_id IS NOT NULL
  AND properties.project != 'loopdesk'
  AND timestamp >= toDateTime({since})
  AND timestamp < toDateTime({until})
GROUP BY round_id
ORDER BY started DESC, round_id
LIMIT 20000
