-- title: Rounds by variant
-- asks: which rounds ran under which variant of a flag, and how did each score?
-- params: since DateTime, until DateTime, flag String = '', project String = '', client String = ''
-- columns: flag String, round_id String, variant String (JSON: a text in quotes, or true), n_variants UInt64 (variants; more than 1: the flag changed within the round), project String, client String, agent String, run_id String, started DateTime, n_scored UInt64 (events), goal String, score Float64 (score)
-- events: round_started, round_scored
-- cost: none
-- limit: 20000
SELECT
  substring(feature, 10) AS flag,
  round AS round_id,
  min(saw) AS variant,
  uniqExact(saw) AS n_variants,
  min(loop) AS project,
  min(tenant) AS client,
  argMin(role, at) AS agent,
  min(run) AS run_id,
  min(at) AS started,
  countIf(event = 'round_scored') AS n_scored,
  argMaxIf(direction, at, event = 'round_scored') AS goal,
  argMaxIf(scored, at, event = 'round_scored') AS score
FROM (
  SELECT
    event,
    timestamp AS at,
    properties.round_id AS round,
    properties.project AS loop,
    properties.client AS tenant,
    properties.agent AS role,
    properties.run_id AS run,
    properties.score_goal AS direction,
    toFloat(properties.score) AS scored,
    arrayJoin(arrayFilter(k -> startsWith(k, '$feature/'), JSONExtractKeys(properties))) AS feature,
    JSONExtractRaw(properties, feature) AS saw
  FROM events
  WHERE event IN ('round_started', 'round_scored')
    AND position(properties, '$feature/') > 0
    AND properties.round_id IS NOT NULL
    AND properties.project != 'loopdesk'
    AND timestamp >= toDateTime({since})
    AND timestamp < toDateTime({until})
    AND ({project} = '' OR properties.project = {project})
    AND ({client} = '' OR properties.client = {client})
)
WHERE {flag} = '' OR feature = concat('$feature/', {flag})
GROUP BY feature, round_id
ORDER BY started DESC, round_id, flag
LIMIT 20000
