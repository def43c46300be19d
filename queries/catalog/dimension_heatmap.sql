-- title: Dimension heatmap
-- asks: which dimensions are weak, and when?
-- params: since DateTime, until DateTime, bucket String = 'day', project String = '', client String = '', run String = ''
-- columns: bucket String, project String, client String, dim String, average Float64 (dimension), rounds UInt64
-- events: round_scored
-- cost: none
-- limit: 20000
SELECT
  bucket,
  project,
  client,
  dim,
  avg(value) AS average,
  count() AS rounds
FROM (
  SELECT
    if({bucket} = 'hour', toString(toStartOfHour(timestamp)), toString(toDate(timestamp))) AS bucket,
    properties.project AS project,
    properties.client AS client,
    arrayJoin(arrayFilter(k -> startsWith(k, 'dim_'), JSONExtractKeys(properties))) AS dim,
    JSONExtract(properties, dim, 'Nullable(Float64)') AS value
  FROM events
  WHERE event = 'round_scored'
    AND timestamp >= toDateTime({since})
    AND timestamp < toDateTime({until})
    AND ({project} = '' OR properties.project = {project})
    AND ({client} = '' OR properties.client = {client})
    AND ({run} = '' OR properties.run_id = {run})
)
WHERE value IS NOT NULL
GROUP BY dim, bucket, client, project
ORDER BY bucket, project, client, dim
LIMIT 20000
