-- title: Best score by day
-- asks: what was the best score of each project on each day?
-- params: since DateTime, until DateTime
-- columns: day Date, project String, best_score Float64, n_rounds UInt64 (rounds)
-- events: round_scored
-- cost: none
-- limit: 1000
SELECT
  toDate(timestamp) AS day,
  properties.project AS project,
  max(toFloat(properties.score)) AS best_score,
  count() AS n_rounds
FROM events
WHERE event = 'round_scored'
  AND timestamp >= toDateTime({since})
  AND timestamp < toDateTime({until})
GROUP BY day, project
ORDER BY day DESC, project
LIMIT 1000
