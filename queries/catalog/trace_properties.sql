-- title: Properties of a trace's events
-- asks: what did these events of a round say, in full?
-- params: since DateTime, until DateTime, id String, uuids Array(String)
-- columns: uuid UUID, event String, timestamp DateTime, distinct_id String, properties String (JSON)
-- events: *
-- cost: none
-- limit: 1000
SELECT uuid, event, timestamp, distinct_id, properties
FROM events
WHERE coalesce(properties.round_id, properties.$ai_trace_id) = {id}
  AND timestamp >= toDateTime({since})
  AND timestamp < toDateTime({until})
  AND toString(uuid) IN {uuids}
ORDER BY timestamp, uuid
LIMIT 1000
