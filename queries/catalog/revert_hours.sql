-- title: Hours of rounds
-- asks: in which hours were rounds active, and when did each hour's first and last revert come?
-- params: since DateTime, until DateTime, project String = '', client String = ''
-- columns: hour DateTime, project String, client String, events UInt64, first_revert DateTime (1970 where none), last_revert DateTime (1970 where none)
-- events: round_started, round_scored, round_kept, round_reverted
-- cost: none
-- limit: 20000
SELECT
  toStartOfHour(timestamp) AS hour,
  properties.project AS project,
  properties.client AS client,
  count() AS events,
  minIf(timestamp, event = 'round_reverted') AS first_revert,
  maxIf(timestamp, event = 'round_reverted') AS last_revert
FROM events
WHERE event IN ('round_started', 'round_scored', 'round_kept', 'round_reverted')
  AND properties.project != 'loopdesk'
  AND timestamp >= toDateTime({since})
  AND timestamp < toDateTime({until}) + toIntervalHour(1)
  AND ({project} = '' OR properties.project = {project})
  AND ({client} = '' OR properties.client = {client})
GROUP BY hour, project, client
ORDER BY hour, project, client
LIMIT 20000
