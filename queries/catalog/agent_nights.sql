-- title: Nights of agents
-- asks: what became of the rounds that each agent took part in, night by night?
-- params: since DateTime, until DateTime, project String = '', client String = '', run String = ''
-- columns: night Date, project String, client String, agent String (empty: the round names none), rounds UInt64, kept UInt64 (rounds), decided UInt64 (rounds), goal String, scored UInt64 (rounds), score_total Float64 (score, sum), highest Float64 (score), lowest Float64 (score), priced UInt64 (rounds with a cost), spent_usd Float64 (USD of its rounds; a round of several agents is in each one's)
-- events: round_started, proposal_generated, round_scored, step.reflection, round_kept, round_reverted
-- cost: round_kept.cost_usd + round_reverted.cost_usd, which contain their proposal's cost
-- limit: 20000
SELECT
  night,
  project,
  client,
  arrayJoin(if(empty(agents), array(''), agents)) AS agent,
  sum(n_rounds) AS rounds,
  sum(n_kept) AS kept,
  sum(n_decided) AS decided,
  max(direction) AS goal,
  sum(n_scored) AS scored,
  sum(total) AS score_total,
  max(most) AS highest,
  min(least) AS lowest,
  sum(n_priced) AS priced,
  sum(spent) AS spent_usd
FROM (
  SELECT
    night,
    project,
    client,
    agents,
    count() AS n_rounds,
    sum(is_kept) AS n_kept,
    sum(is_decided) AS n_decided,
    max(goal_sent) AS direction,
    count(score) AS n_scored,
    sum(score) AS total,
    max(score) AS most,
    min(score) AS least,
    count(cost_usd) AS n_priced,
    sum(cost_usd) AS spent
  FROM (
    SELECT
      properties.round_id AS round_id,
      toDate(min(timestamp) - toIntervalHour(12)) AS night,
      min(properties.project) AS project,
      min(properties.client) AS client,
      groupUniqArray(properties.agent) AS agents,
      countIf(event = 'round_kept') > 0 AS is_kept,
      countIf(event IN ('round_kept', 'round_reverted')) > 0 AS is_decided,
      max(properties.score_goal) AS goal_sent,
      argMaxIf(toFloat(properties.score), timestamp, event = 'round_scored') AS score,
      sumIf(toFloat(properties.cost_usd), event IN ('round_kept', 'round_reverted')) AS cost_usd
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
  )
  GROUP BY night, project, client, agents
)
GROUP BY night, project, client, agent
ORDER BY night, project, client, agent
LIMIT 20000
