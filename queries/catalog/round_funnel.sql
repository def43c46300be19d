-- title: Round funnel
-- asks: where do rounds drop off?
-- params: since DateTime, until DateTime, project String = '', client String = '', run String = ''
-- columns: project String, seen UInt64 (rounds), started UInt64 (rounds), proposed UInt64 (rounds), applied UInt64 (rounds), scored UInt64 (rounds), kept UInt64 (rounds), reverted UInt64 (rounds)
-- events: round_started, proposal_generated, proposal_applied, round_scored, round_kept, round_reverted
-- cost: none
-- limit: 100
SELECT
  project,
  count() AS seen,
  countIf(n_started > 0) AS started,
  countIf(n_proposed > 0) AS proposed,
  countIf(n_applied > 0) AS applied,
  countIf(n_scored > 0) AS scored,
  countIf(n_kept > 0) AS kept,
  countIf(n_reverted > 0) AS reverted
FROM (
  SELECT
    properties.round_id AS round_id,
    min(properties.project) AS project,
    countIf(event = 'round_started') AS n_started,
    countIf(event = 'proposal_generated') AS n_proposed,
    countIf(event = 'proposal_applied') AS n_applied,
    countIf(event = 'round_scored') AS n_scored,
    countIf(event = 'round_kept') AS n_kept,
    countIf(event = 'round_reverted') AS n_reverted
  FROM events
  WHERE event IN ('round_started', 'proposal_generated', 'proposal_applied', 'round_scored', 'round_kept', 'round_reverted')
    AND properties.round_id IS NOT NULL
    AND timestamp >= toDateTime({since})
    AND timestamp < toDateTime({until})
    AND ({project} = '' OR properties.project = {project})
    AND ({client} = '' OR properties.client = {client})
    AND ({run} = '' OR properties.run_id = {run})
  GROUP BY round_id
)
GROUP BY project
ORDER BY project
LIMIT 100
