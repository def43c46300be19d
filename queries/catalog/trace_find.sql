-- title: Traces by the beginning of their id
-- asks: which rounds have an id that begins like this?
-- params: since DateTime, until DateTime, id String, id_end String
-- columns: id String, project String, client String, started DateTime, ended DateTime, events UInt64
-- events: *
-- cost: none
-- limit: 50
SELECT
  coalesce(properties.round_id, properties.$ai_trace_id) AS id,
  min(properties.project) AS project,
  min(properties.client) AS client,
  min(timestamp) AS started,
  max(timestamp) AS ended,
  count() AS events
FROM events
WHERE ((properties.round_id >= {id} AND properties.round_id < {id_end})
    OR (properties.$ai_trace_id >= {id} AND properties.$ai_trace_id < {id_end}))
  AND timestamp >= toDateTime({since})
  AND timestamp < toDateTime({until})
GROUP BY id
ORDER BY started DESC, id
LIMIT 50
