-- title: Rounds of stopped runs
-- asks: which rounds belong to the runs that stopped for a reason?
-- params: since DateTime, until DateTime, reason String = '', project String = '', client String = '', run String = ''
-- columns: round_id String, project String, started DateTime
-- events: round_started, proposal_generated, proposal_applied, round_scored, round_kept, round_reverted, stop_triggered
-- cost: none
-- limit: 1000
SELECT
  properties.round_id AS round_id,
  min(properties.project) AS project,
  min(timestamp) AS started
FROM events
WHERE event IN ('round_started', 'proposal_generated', 'proposal_applied', 'round_scored', 'round_kept', 'round_reverted')
  AND properties.round_id IS NOT NULL
  AND timestamp >= toDateTime({since})
  AND timestamp < toDateTime({until})
  AND ({project} = '' OR properties.project = {project})
  AND ({client} = '' OR properties.client = {client})
  AND properties.run_id IN (
    SELECT properties.run_id
    FROM events
    WHERE event = 'stop_triggered'
      AND properties.run_id IS NOT NULL
      AND timestamp >= toDateTime({since})
      AND timestamp < toDateTime({until})
      AND ({project} = '' OR properties.project = {project})
      AND ({client} = '' OR properties.client = {client})
      AND ({run} = '' OR properties.run_id = {run})
      AND ({reason} = '' OR if(coalesce(properties.reason, '') = '', '(no reason)', properties.reason) = {reason})
  )
GROUP BY round_id
ORDER BY started DESC, round_id
LIMIT 1000
