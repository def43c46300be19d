-- title: Tokens per round, by model calls
-- asks: do the prompts and answers of all model calls of a round grow?
-- params: since DateTime, until DateTime, bucket String = 'day', project String = '', client String = '', run String = ''
-- columns: bucket String, project String, rounds UInt64, calls UInt64 (that did not fail), prompted UInt64 (rounds with prompt tokens), prompt_tokens Float64 (tokens), completed UInt64 (rounds with completion tokens), completion_tokens Float64 (tokens), loose UInt64 (calls that name no round)
-- events: $ai_generation
-- cost: none
-- limit: 5000
SELECT
  if({bucket} = 'hour', toString(toStartOfHour(began)), toString(toDate(began))) AS bucket,
  project,
  countIf(round_id IS NOT NULL) AS rounds,
  sumIf(n, round_id IS NOT NULL) AS calls,
  countIf(round_id IS NOT NULL AND prompt IS NOT NULL) AS prompted,
  sumIf(prompt, round_id IS NOT NULL) AS prompt_tokens,
  countIf(round_id IS NOT NULL AND completion IS NOT NULL) AS completed,
  sumIf(completion, round_id IS NOT NULL) AS completion_tokens,
  sumIf(n, round_id IS NULL) AS loose
FROM (
  SELECT
    properties.round_id AS round_id,
    properties.project AS project,
    min(timestamp) AS began,
    count() AS n,
    sum(toFloat(properties.$ai_input_tokens)) AS prompt,
    sum(toFloat(properties.$ai_output_tokens)) AS completion
  FROM events
  WHERE event = '$ai_generation'
    AND properties.$ai_is_error != 'true'
    AND properties.project != 'loopdesk'
    AND timestamp >= toDateTime({since})
    AND timestamp < toDateTime({until})
    AND ({project} = '' OR properties.project = {project})
    AND ({client} = '' OR properties.client = {client})
    AND ({run} = '' OR properties.run_id = {run})
  GROUP BY round_id, project
)
GROUP BY bucket, project
ORDER BY bucket, project
LIMIT 5000
