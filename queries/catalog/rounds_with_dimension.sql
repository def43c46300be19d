-- title: Rounds with a dimension
-- asks: which rounds were scored on a dimension, and what did each get?
-- params: since DateTime, until DateTime, dim String, bucket String = 'day', at String = '', project String = '', client String = '', run String = ''
-- columns: round_id String, project String, started DateTime, value Float64 (dimension)
-- events: round_scored
-- cost: none
-- limit: 1000
SELECT
  properties.round_id AS round_id,
  min(properties.project) AS project,
  min(timestamp) AS started,
  argMax(JSONExtract(properties, {dim}, 'Nullable(Float64)'), timestamp) AS value
FROM events
WHERE event = 'round_scored'
  AND properties.round_id IS NOT NULL
  AND JSONExtract(properties, {dim}, 'Nullable(Float64)') IS NOT NULL
  AND timestamp >= toDateTime({since})
  AND timestamp < toDateTime({until})
  AND ({project} = '' OR properties.project = {project})
  AND ({client} = '' OR properties.client = {client})
  AND ({run} = '' OR properties.run_id = {run})
  AND ({at} = '' OR has(splitByChar(',', {at}), if({bucket} = 'hour', toString(toStartOfHour(timestamp)), toString(toDate(timestamp)))))
GROUP BY round_id
ORDER BY started DESC, round_id
LIMIT 1000
