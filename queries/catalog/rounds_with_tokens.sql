-- title: Rounds with tokens
-- asks: which rounds sent the longest prompts?
-- params: since DateTime, until DateTime, source String = 'proposal_generated', project String = '', client String = '', run String = ''
-- columns: round_id String, project String, started DateTime, value Float64 (prompt tokens of the round)
-- events: proposal_generated, $ai_generation
-- cost: none
-- limit: 1000
SELECT
  properties.round_id AS round_id,
  min(properties.project) AS project,
  min(timestamp) AS started,
  sum(toFloat(if(event = 'proposal_generated', properties.prompt_tokens, properties.$ai_input_tokens))) AS value
FROM events
WHERE event IN ('proposal_generated', '$ai_generation')
  AND event = {source}
  AND properties.round_id IS NOT NULL
  AND properties.$ai_is_error != 'true'
  AND properties.project != 'loopdesk'
  AND timestamp >= toDateTime({since})
  AND timestamp < toDateTime({until})
  AND ({project} = '' OR properties.project = {project})
  AND ({client} = '' OR properties.client = {client})
  AND ({run} = '' OR properties.run_id = {run})
GROUP BY round_id
ORDER BY started DESC, round_id
LIMIT 1000
