-- title: Rounds reverted after an anomaly
-- asks: which rounds were reverted within the hour after the router found something unusual?
-- params: since DateTime, until DateTime, type String = '', project String = '', client String = '', run String = ''
-- columns: round_id String, project String, started DateTime (when it was reverted)
-- events: token_machine.anomaly, round_reverted
-- cost: none
-- limit: 1000
SELECT
  reverted.round_id AS round_id,
  min(reverted.project) AS project,
  min(reverted.at) AS started
FROM (
  SELECT
    timestamp AS at,
    properties.round_id AS round_id,
    properties.project AS project,
    coalesce(properties.project, '') AS loop,
    coalesce(properties.client, '') AS tenant
  FROM events
  WHERE event = 'round_reverted'
    AND properties.round_id IS NOT NULL
    AND properties.project != 'loopdesk'
    AND timestamp >= toDateTime({since})
    AND timestamp < toDateTime({until})
    AND ({project} = '' OR properties.project = {project})
    AND ({client} = '' OR properties.client = {client})
) AS reverted
INNER JOIN (
  SELECT
    timestamp AS at,
    coalesce(properties.project, '') AS loop,
    coalesce(properties.client, '') AS tenant
  FROM events
  WHERE event = 'token_machine.anomaly'
    AND properties.project != 'loopdesk'
    AND timestamp >= toDateTime({since})
    AND timestamp < toDateTime({until})
    AND ({project} = '' OR properties.project = {project})
    AND ({client} = '' OR properties.client = {client})
    AND ({run} = '' OR properties.run_id = {run})
    AND ({type} = '' OR if(coalesce(properties.type, '') = '', '(no type)', properties.type) = {type})
) AS unusual ON unusual.loop = reverted.loop
WHERE (unusual.tenant = '' OR unusual.tenant = reverted.tenant)
  AND reverted.at > unusual.at
  AND reverted.at <= unusual.at + toIntervalHour(1)
GROUP BY round_id
ORDER BY started DESC, round_id
LIMIT 1000
