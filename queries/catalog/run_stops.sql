-- title: Stops
-- asks: which runs said that they stopped, when, and why?
-- params: since DateTime, until DateTime
-- columns: run_id String, project String, client String, at DateTime, reason String, rounds_completed Float64 (rounds), total_cost_usd Float64 (USD), final_best_score Float64 (score)
-- events: stop_triggered
-- cost: stop_triggered.total_cost_usd, the loop's own total of a run
-- limit: 2000
SELECT
  properties.run_id AS run_id,
  properties.project AS project,
  properties.client AS client,
  timestamp AS at,
  properties.reason AS reason,
  toFloat(properties.rounds_completed) AS rounds_completed,
  toFloat(properties.total_cost_usd) AS total_cost_usd,
  toFloat(properties.final_best_score) AS final_best_score
FROM events
WHERE event = 'stop_triggered'
  AND properties.project != 'loopdesk'
  AND timestamp >= toDateTime({since})
  AND timestamp < toDateTime({until})
ORDER BY at DESC, run_id
LIMIT 2000
