-- title: Dimensions of eval cases
-- asks: on which dimensions do each client's eval cases score lowest?
-- params: since DateTime, until DateTime, bucket String = 'day', project String = '', client String = '', run String = ''
-- columns: bucket String, project String, client String, dim String, cases UInt64, scored UInt64 (cases with a score), average Float64 (score)
-- events: eval.case
-- cost: none
-- limit: 20000
SELECT
  if({bucket} = 'hour', toString(toStartOfHour(timestamp)), toString(toDate(timestamp))) AS bucket,
  properties.project AS project,
  properties.client AS client,
  properties.dim AS dim,
  count() AS cases,
  count(toFloat(properties.score)) AS scored,
  avg(toFloat(properties.score)) AS average
FROM events
WHERE event = 'eval.case'
  AND properties.project != 'loopdesk'
  AND timestamp >= toDateTime({since})
  AND timestamp < toDateTime({until})
  AND ({project} = '' OR properties.project = {project})
  AND ({client} = '' OR properties.client = {client})
  AND ({run} = '' OR properties.run_id = {run})
GROUP BY bucket, project, client, dim
ORDER BY bucket, project, client, dim
LIMIT 20000
