-- title: Rounds at a stage
-- asks: which rounds reached a stage, or were lost before the next one?
-- params: since DateTime, until DateTime, reached String = '', missing String = '', bucket String = 'day', at String = '', git_sha String = '', project String = '', client String = '', run String = ''
-- columns: round_id String, project String, started DateTime
-- events: round_started, proposal_generated, proposal_applied, round_scored, round_kept, round_reverted
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
  AND ({run} = '' OR properties.run_id = {run})
  AND ({git_sha} = '' OR properties.git_sha = {git_sha})
  AND ({at} = '' OR has(splitByChar(',', {at}), if({bucket} = 'hour', toString(toStartOfHour(timestamp)), toString(toDate(timestamp)))))
GROUP BY round_id
HAVING ({reached} = '' OR countIf(has(splitByChar(',', {reached}), event)) > 0)
  AND ({missing} = '' OR countIf(event = {missing}) = 0)
ORDER BY started DESC, round_id
LIMIT 1000
