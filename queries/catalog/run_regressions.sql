-- title: Regressions per run
-- asks: on which dimensions and cases did each run's evals regress, and by how much?
-- params: since DateTime, until DateTime, project String = '', client String = '', run String = ''
-- columns: run_id String, project String, client String, dim String, began DateTime (first regression), regressions UInt64, cases UInt64 (distinct case_id), measured UInt64 (regressions with a delta), rises UInt64 (regressions with a delta above 0), lowest Float64 (delta), highest Float64 (delta), lowest_case String, highest_case String
-- events: eval.regression
-- cost: none
-- limit: 5000
SELECT
  properties.run_id AS run_id,
  properties.project AS project,
  properties.client AS client,
  properties.dim AS dim,
  min(timestamp) AS began,
  count() AS regressions,
  uniqExact(properties.case_id) AS cases,
  count(toFloat(properties.delta)) AS measured,
  countIf(toFloat(properties.delta) > 0) AS rises,
  min(toFloat(properties.delta)) AS lowest,
  max(toFloat(properties.delta)) AS highest,
  argMin(properties.case_id, toFloat(properties.delta)) AS lowest_case,
  argMax(properties.case_id, toFloat(properties.delta)) AS highest_case
FROM events
WHERE event = 'eval.regression'
  AND properties.project != 'loopdesk'
  AND timestamp >= toDateTime({since})
  AND timestamp < toDateTime({until})
  AND ({project} = '' OR properties.project = {project})
  AND ({client} = '' OR properties.client = {client})
  AND ({run} = '' OR properties.run_id = {run})
GROUP BY run_id, project, client, dim
ORDER BY regressions DESC, began DESC, run_id, project, client, dim
LIMIT 5000
