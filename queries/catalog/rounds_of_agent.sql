-- title: Rounds of an agent
-- asks: which rounds did an agent take part in?
-- params: since DateTime, until DateTime, agent String = '', project String = '', client String = '', run String = ''
-- columns: round_id String, project String, started DateTime
-- events: round_started, proposal_generated, round_scored, step.reflection, round_kept, round_reverted
-- cost: none
-- limit: 1000
SELECT
  properties.round_id AS round_id,
  min(properties.project) AS project,
  min(timestamp) AS started
FROM events
WHERE event IN ('round_started', 'proposal_generated', 'round_scored', 'step.reflection', 'round_kept', 'round_reverted')
  AND properties.round_id IS NOT NULL
  AND properties.project != 'loopdesk'
  AND timestamp >= toDateTime({since})
  AND timestamp < toDateTime({until})
  AND ({project} = '' OR properties.project = {project})
  AND ({client} = '' OR properties.client = {client})
  AND ({run} = '' OR properties.run_id = {run})
GROUP BY round_id
HAVING if({agent} = '', countIf(coalesce(properties.agent, '') != '') = 0, countIf(properties.agent = {agent}) > 0)
ORDER BY started DESC, round_id
LIMIT 1000
