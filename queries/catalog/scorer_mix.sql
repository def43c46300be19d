-- title: Where scorer versions ran
-- asks: on which clients and nights did each version and variant of a scorer run?
-- params: since DateTime, until DateTime, project String = '', client String = '', run String = ''
-- columns: project String, version String, variant String, client String, night Date (the day on which it began), scorings UInt64 (events)
-- events: round_scored
-- cost: none
-- limit: 5000
SELECT
  properties.project AS project,
  nullIf(properties.scorer_version, '') AS version,
  nullIf(properties.scorer_variant, '') AS variant,
  properties.client AS client,
  toDate(timestamp - INTERVAL 12 HOUR) AS night,
  count() AS scorings
FROM events
WHERE event = 'round_scored'
  AND toFloat(properties.score) IS NOT NULL
  AND properties.project != 'loopdesk'
  AND timestamp >= toDateTime({since})
  AND timestamp < toDateTime({until})
  AND ({project} = '' OR properties.project = {project})
  AND ({client} = '' OR properties.client = {client})
  AND ({run} = '' OR properties.run_id = {run})
GROUP BY project, version, variant, client, night
ORDER BY project, version, variant, client, night
LIMIT 5000
