-- title: Tokens per round
-- asks: do the prompts and answers of a round grow?
-- params: since DateTime, until DateTime, bucket String = 'day', project String = '', client String = '', run String = ''
-- columns: bucket String, project String, rounds UInt64, calls UInt64 (proposals), prompted UInt64 (rounds with prompt tokens), prompt_tokens Float64 (tokens), completed UInt64 (rounds with completion tokens), completion_tokens Float64 (tokens), loose UInt64 (proposals that name no round)
-- events: proposal_generated
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
    sum(toFloat(properties.prompt_tokens)) AS prompt,
    sum(toFloat(properties.completion_tokens)) AS completion
  FROM events
  WHERE event = 'proposal_generated'
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
