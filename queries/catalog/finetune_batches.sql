-- title: Fine-tuning batches
-- asks: which batches were published for fine-tuning?
-- params: since DateTime, until DateTime, project String = '', client String = '', run String = ''
-- columns: at DateTime, project String, client String, batch_id String, n_examples Float64 (examples), r2_key String, target_model String
-- events: finetune_batch_published
-- cost: none
-- limit: 1000
SELECT
  timestamp AS at,
  properties.project AS project,
  properties.client AS client,
  properties.batch_id AS batch_id,
  toFloat(properties.n_examples) AS n_examples,
  properties.r2_key AS r2_key,
  properties.target_model AS target_model
FROM events
WHERE event = 'finetune_batch_published'
  AND properties.project != 'loopdesk'
  AND timestamp >= toDateTime({since})
  AND timestamp < toDateTime({until})
  AND ({project} = '' OR properties.project = {project})
  AND ({client} = '' OR properties.client = {client})
  AND ({run} = '' OR properties.run_id = {run})
ORDER BY at DESC, project, batch_id
LIMIT 1000
