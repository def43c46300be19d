-- title: Rounds with a scorer
-- asks: which rounds did a version and variant of a scorer score, and how?
-- params: since DateTime, until DateTime, version String = '', variant String = '', project String = '', client String = '', run String = ''
-- columns: round_id String, project String, started DateTime, value Float64 (score)
-- events: round_scored
-- cost: none
-- limit: 1000
SELECT
  properties.round_id AS round_id,
  min(properties.project) AS project,
  min(timestamp) AS started,
  argMax(toFloat(properties.score), timestamp) AS value
FROM events
WHERE event = 'round_scored'
  AND properties.round_id IS NOT NULL
  AND properties.project != 'loopdesk'
  AND ({version} = '' OR coalesce(nullIf(properties.scorer_version, ''), '(no version)') = {version})
  AND ({variant} = '' OR coalesce(nullIf(properties.scorer_variant, ''), '(no variant)') = {variant})
  AND timestamp >= toDateTime({since})
  AND timestamp < toDateTime({until})
  AND ({project} = '' OR properties.project = {project})
  AND ({client} = '' OR properties.client = {client})
  AND ({run} = '' OR properties.run_id = {run})
GROUP BY round_id
ORDER BY started DESC, round_id
LIMIT 1000
