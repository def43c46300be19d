-- title: Rounds with a case
-- asks: which rounds had eval cases of a dimension, and what did they score?
-- params: since DateTime, until DateTime, dimension String = '', project String = '', client String = '', run String = ''
-- columns: round_id String, project String, started DateTime, value Float64 (score, average of the cases)
-- events: eval.case
-- cost: none
-- limit: 1000
SELECT
  properties.round_id AS round_id,
  min(properties.project) AS project,
  min(timestamp) AS started,
  avg(toFloat(properties.score)) AS value
FROM events
WHERE event = 'eval.case'
  AND properties.round_id IS NOT NULL
  AND properties.project != 'loopdesk'
  AND ({dimension} = '' OR coalesce(nullIf(if(startsWith(properties.dim, 'dim_'), substring(properties.dim, 5), properties.dim), ''), '(no dimension)') = {dimension})
  AND timestamp >= toDateTime({since})
  AND timestamp < toDateTime({until})
  AND ({project} = '' OR properties.project = {project})
  AND ({client} = '' OR properties.client = {client})
  AND ({run} = '' OR properties.run_id = {run})
GROUP BY round_id
ORDER BY started DESC, round_id
LIMIT 1000
