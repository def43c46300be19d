-- title: Events of a trace
-- asks: what happened in one round, event by event?
-- params: since DateTime, until DateTime, id String
-- columns: uuid UUID, event String, at_us Int64 (microseconds since 1970), arrived_us Int64 (microseconds since 1970), agent String, step_id String, suite_id String, case_id String, span_id String, parent_id String, tool String, model String, ok String, text String, latency_ms Float64, tokens_in Float64, tokens_out Float64, cost_usd Float64 (USD), score Float64 (score), delta Float64 (score), goal String
-- events: *
-- cost: each event's own; sources overlap, so the view adds up one of them and names it
-- limit: 50000
SELECT
  uuid,
  event,
  toUnixTimestamp64Micro(timestamp) AS at_us,
  toUnixTimestamp64Micro(created_at) AS arrived_us,
  properties.agent AS agent,
  properties.step_id AS step_id,
  properties.suite_id AS suite_id,
  properties.case_id AS case_id,
  properties.$ai_span_id AS span_id,
  properties.$ai_parent_id AS parent_id,
  properties.tool AS tool,
  coalesce(properties.$ai_model, properties.model, properties.model_used, properties.to_model, properties.target_model) AS model,
  multiIf(
    properties.$ai_is_error = 'true', 'false',
    coalesce(properties.ok, properties.passed)
  ) AS ok,
  substringUTF8(
    multiIf(
      event = 'step.plan', properties.plan,
      event = 'step.tool_called', properties.args_json,
      event = 'step.tool_returned', properties.error,
      event = 'step.observation', concat(properties.source, ' = ', properties.value),
      event = 'step.reflection', concat(properties.verdict, ': ', nullIf(properties.issues, '[]')),
      event = 'step.retry', concat('attempt ', properties.attempt, ': ', properties.cause),
      event = 'eval.run', properties.suite,
      event = 'eval.case', properties.rationale,
      event = 'eval.regression', concat(properties.dim, ' ', properties.prior_score, ' → ', properties.new_score),
      event = 'model_escalated', concat(properties.from_model, ' → ', properties.to_model, ': ', properties.reason),
      event = 'stop_triggered', properties.reason,
      event = 'round_reverted', properties.failure_mode,
      event = 'proposal_applied', properties.target,
      event = 'token_machine.request', concat(properties.task_type, ': grade ', properties.efficiency_grade),
      event = 'token_machine.anomaly', concat(properties.type, ': ', properties.recommendation),
      event = '$exception', concat(
        JSONExtractString(properties, '$exception_list', 1, 'type'), ': ',
        JSONExtractString(properties, '$exception_list', 1, 'value')
      ),
      startsWith(event, '$ai_'), coalesce(properties.$ai_error, properties.$ai_span_name, properties.$ai_trace_name),
      NULL
    ),
    1, 240
  ) AS text,
  coalesce(toFloat(properties.latency_ms), toFloat(properties.apply_latency_ms), toFloat(properties.$ai_latency) * 1000) AS latency_ms,
  coalesce(toFloat(properties.$ai_input_tokens), toFloat(properties.prompt_tokens), toFloat(properties.input_tokens)) AS tokens_in,
  coalesce(toFloat(properties.$ai_output_tokens), toFloat(properties.completion_tokens), toFloat(properties.output_tokens)) AS tokens_out,
  coalesce(toFloat(properties.$ai_total_cost_usd), toFloat(properties.cost_usd), toFloat(properties.total_cost_usd)) AS cost_usd,
  coalesce(toFloat(properties.score), toFloat(properties.baseline_score), toFloat(properties.final_best_score)) AS score,
  toFloat(properties.delta) AS delta,
  properties.score_goal AS goal
FROM events
WHERE coalesce(properties.round_id, properties.$ai_trace_id) = {id}
  AND timestamp >= toDateTime({since})
  AND timestamp < toDateTime({until})
ORDER BY timestamp
LIMIT 50000
