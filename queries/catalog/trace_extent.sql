-- title: Extent of a trace
-- asks: when was this round, and about how many events has it?
-- params: since DateTime, until DateTime, id String
-- columns: found_by String, started DateTime, ended DateTime, events UInt64
-- events: *
-- cost: none
-- limit: 2
SELECT found_by, started, ended, events
FROM (
  SELECT 'round_id' AS found_by, min(timestamp) AS started, max(timestamp) AS ended, count() AS events
  FROM events
  WHERE properties.round_id = {id}
    AND timestamp >= toDateTime({since})
    AND timestamp < toDateTime({until})
  UNION ALL
  SELECT '$ai_trace_id' AS found_by, min(timestamp) AS started, max(timestamp) AS ended, count() AS events
  FROM events
  WHERE properties.$ai_trace_id >= {id}
    AND properties.$ai_trace_id <= {id}
    AND properties.$ai_trace_id != properties.round_id
    AND timestamp >= toDateTime({since})
    AND timestamp < toDateTime({until})
)
WHERE events > 0
ORDER BY found_by DESC
LIMIT 2
