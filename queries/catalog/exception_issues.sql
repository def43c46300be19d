-- title: Exceptions
-- asks: which errors were thrown, how often, and in which rounds?
-- params: since DateTime, until DateTime
-- columns: project String, client String, fingerprint String, issue_id String, type String, value String, unhandled UInt64 (events), occurrences UInt64 (events), first_at DateTime, last_at DateTime, last_round_id String, last_run_id String, last_git_sha String
-- events: $exception
-- cost: none
-- limit: 500
SELECT
  properties.project AS project,
  properties.client AS client,
  properties.$exception_fingerprint AS fingerprint,
  max(properties.$exception_issue_id) AS issue_id,
  max(JSONExtractString(properties.$exception_list, 1, 'type')) AS type,
  max(substringUTF8(JSONExtractString(properties.$exception_list, 1, 'value'), 1, 400)) AS value,
  countIf(JSONExtractRaw(properties.$exception_list, 1, 'mechanism', 'handled') = 'false') AS unhandled,
  count() AS occurrences,
  min(timestamp) AS first_at,
  max(timestamp) AS last_at,
  argMax(properties.round_id, timestamp) AS last_round_id,
  argMax(properties.run_id, timestamp) AS last_run_id,
  argMax(properties.git_sha, timestamp) AS last_git_sha
FROM events
WHERE event = '$exception'
  AND properties.project != 'loopdesk'
  AND timestamp >= toDateTime({since})
  AND timestamp < toDateTime({until})
GROUP BY project, client, fingerprint
ORDER BY last_at DESC, fingerprint, project, client
LIMIT 500
