-- title: Prompts and completions
-- asks: what was said to the models in these calls of a round, and what did they answer?
-- params: since DateTime, until DateTime, id String, uuids Array(String)
-- columns: uuid UUID, event String, input String (JSON), output String (JSON), output_choices String (JSON), input_state String (JSON), output_state String (JSON), tools String (JSON)
-- events: *
-- cost: none
-- limit: 100
SELECT uuid, event, input, output, output_choices, input_state, output_state, tools
FROM posthog.ai_events
WHERE trace_id = {id}
  AND timestamp >= toDateTime({since})
  AND timestamp < toDateTime({until})
  AND toString(uuid) IN {uuids}
ORDER BY timestamp, uuid
LIMIT 100
