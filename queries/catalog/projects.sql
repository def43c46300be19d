-- title: Projects and clients
-- asks: which projects and clients send rounds, and when did each last?
-- params: since DateTime, until DateTime
-- columns: project String, client String, rounds UInt64, last_at DateTime
-- events: round_started, round_scored, round_kept, round_reverted
-- cost: none
-- limit: 1000
SELECT
  properties.project AS project,
  properties.client AS client,
  uniqExact(properties.round_id) AS rounds,
  max(timestamp) AS last_at
FROM events
WHERE event IN ('round_started', 'round_scored', 'round_kept', 'round_reverted')
  AND timestamp >= toDateTime({since})
  AND timestamp < toDateTime({until})
GROUP BY project, client
ORDER BY project, client
LIMIT 1000
