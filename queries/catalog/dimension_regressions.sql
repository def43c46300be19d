-- title: Regressed dimensions
-- asks: in which rounds did a dimension score worse than before?
-- params: since DateTime, until DateTime
-- columns: round_id String, project String, client String, dim String, at DateTime, git_sha String, prior_score Float64 (dimension), new_score Float64 (dimension), delta Float64 (dimension)
-- events: eval.regression
-- cost: none
-- limit: 5000
SELECT
  properties.round_id AS round_id,
  properties.project AS project,
  properties.client AS client,
  properties.dim AS dim,
  timestamp AS at,
  properties.git_sha AS git_sha,
  toFloat(properties.prior_score) AS prior_score,
  toFloat(properties.new_score) AS new_score,
  toFloat(properties.delta) AS delta
FROM events
WHERE event = 'eval.regression'
  AND properties.project != 'loopdesk'
  AND timestamp >= toDateTime({since})
  AND timestamp < toDateTime({until})
ORDER BY at DESC, round_id, dim
LIMIT 5000
