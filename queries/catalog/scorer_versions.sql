-- title: Scorer versions
-- asks: how does each version and variant of a scorer score, and how much of it is kept?
-- params: since DateTime, until DateTime, project String = '', client String = '', run String = ''
-- columns: project String, version String, variant String, goal String, first_at DateTime, scorings UInt64 (events), rounds UInt64, scored UInt64 (events with a score), mean Float64 (score), lower Float64 (score, first quartile), median Float64 (score), upper Float64 (score, third quartile), highest Float64 (score), lowest Float64 (score), decided UInt64 (rounds kept or reverted), kept UInt64 (rounds)
-- events: round_scored, round_kept, round_reverted
-- cost: none
-- limit: 1000
SELECT
  properties.project AS project,
  nullIf(properties.scorer_version, '') AS version,
  nullIf(properties.scorer_variant, '') AS variant,
  if(countIf(properties.score_goal = 'min') > 0, 'min', 'max') AS goal,
  min(timestamp) AS first_at,
  count() AS scorings,
  uniqExact(properties.round_id) AS rounds,
  count(toFloat(properties.score)) AS scored,
  avg(toFloat(properties.score)) AS mean,
  quantileExact(0.25)(toFloat(properties.score)) AS lower,
  quantileExact(0.5)(toFloat(properties.score)) AS median,
  quantileExact(0.75)(toFloat(properties.score)) AS upper,
  max(toFloat(properties.score)) AS highest,
  min(toFloat(properties.score)) AS lowest,
  uniqExact(if(properties.round_id IN (
    SELECT properties.round_id
    FROM events
    WHERE event IN ('round_kept', 'round_reverted')
      AND properties.round_id IS NOT NULL
      AND timestamp >= toDateTime({since})
      AND timestamp < toDateTime({until})
  ), properties.round_id, NULL)) AS decided,
  uniqExact(if(properties.round_id IN (
    SELECT properties.round_id
    FROM events
    WHERE event = 'round_kept'
      AND properties.round_id IS NOT NULL
      AND timestamp >= toDateTime({since})
      AND timestamp < toDateTime({until})
  ), properties.round_id, NULL)) AS kept
FROM events
WHERE event = 'round_scored'
  AND properties.project != 'loopdesk'
  AND timestamp >= toDateTime({since})
  AND timestamp < toDateTime({until})
  AND ({project} = '' OR properties.project = {project})
  AND ({client} = '' OR properties.client = {client})
  AND ({run} = '' OR properties.run_id = {run})
GROUP BY project, version, variant
ORDER BY project, first_at DESC, version, variant
LIMIT 1000
