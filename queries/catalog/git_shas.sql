-- title: Code versions
-- asks: which versions of each loop's code ran, and from when on?
-- params: since DateTime, until DateTime, project String = '', client String = '', run String = ''
-- columns: project String, git_sha String, first_seen DateTime
-- events: round_started, round_scored
-- cost: none
-- limit: 1000
SELECT
  properties.project AS project,
  properties.git_sha AS git_sha,
  min(timestamp) AS first_seen
FROM events
WHERE event IN ('round_started', 'round_scored')
  AND properties.git_sha IS NOT NULL
  AND timestamp >= toDateTime({since})
  AND timestamp < toDateTime({until})
  AND ({project} = '' OR properties.project = {project})
  AND ({client} = '' OR properties.client = {client})
  AND ({run} = '' OR properties.run_id = {run})
GROUP BY git_sha, project
ORDER BY first_seen, project, git_sha
LIMIT 1000
