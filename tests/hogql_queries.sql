-- properties
SELECT properties.place AS p, properties.text, properties.reason, properties.score FROM events WHERE event = 'odd' ORDER BY timestamp

-- missing
SELECT properties.nothing AS a, properties.nothing.at.all AS b, properties['no such'] AS c FROM events WHERE event = 'odd' LIMIT 3

-- nested
SELECT toInt(properties.place) AS p, properties.text.b.c AS deep, properties.text.n AS n, properties.text[2] AS second, properties.reason.b AS hot FROM events WHERE event = 'odd' ORDER BY timestamp

-- numbers
SELECT toInt(properties.place) AS p, toFloat(properties.text) AS a, toFloat(properties.reason) AS b, toFloat(properties.score) AS c, toInt(properties.text) AS d, toInt(properties.score) AS e, toFloatOrZero(properties.text) AS f FROM events WHERE event = 'odd' AND properties.text != 'NaN' ORDER BY timestamp

-- equal
SELECT toInt(properties.place) AS p, properties.text = 'abc', properties.text != 'abc', properties.text = properties.reason, properties.text != properties.nothing, properties.nothing = properties.none FROM events WHERE event = 'odd' ORDER BY timestamp

-- null
SELECT toInt(properties.place) AS p, properties.text IS NULL, properties.score IS NOT NULL, isNull(properties.reason), properties.text = NULL, properties.text != NULL FROM events WHERE event = 'odd' ORDER BY timestamp

-- in
SELECT toInt(properties.place) AS p, properties.text IN ('abc', '', '1'), properties.text NOT IN ('abc', '0.1'), toInt(properties.place) IN (1, 2, 3), event IN ('odd'), (event, properties.text) IN (('odd', 'abc'), ('x', 'y')) FROM events WHERE event = 'odd' ORDER BY timestamp

-- where_not_equal
SELECT count() FROM events WHERE properties.project != 'autoagent'

-- where_not_in
SELECT count() FROM events WHERE properties.project NOT IN ('autoagent', 'x')

-- where_not
SELECT count() FROM events WHERE NOT properties.project = 'autoagent'

-- compare_floats
SELECT toInt(properties.place) AS p, toFloat(properties.text) > 0.5, toFloat(properties.text) <= 1, toFloat(properties.score) BETWEEN 0 AND 3, toFloat(properties.text) = toFloat(properties.score) FROM events WHERE event = 'odd' AND properties.text NOT IN ('NaN', 'inf') ORDER BY timestamp

-- like
SELECT toInt(properties.place) AS p, properties.text LIKE '%e%', properties.text LIKE '50\\%\\_x', properties.text ILIKE 'ABC', properties.text NOT LIKE '%a%', properties.text LIKE 'a_c', properties.text LIKE '%[%', properties.text NOT ILIKE '%NULL%' FROM events WHERE event = 'odd' ORDER BY timestamp

-- regex
SELECT toInt(properties.place) AS p, match(properties.text, '^[0-9]+'), properties.text =~ 'a.c', extract(properties.text, '([a-z]+)'), replaceRegexpAll(properties.text, '[aeiou]', '<\\0>'), properties.text !~ 'a' FROM events WHERE event = 'odd' ORDER BY timestamp

-- strings
SELECT toInt(properties.place) AS p, length(properties.text), lengthUTF8(properties.text), lower(properties.text), upperUTF8(properties.text), substringUTF8(properties.text, 2, 3), reverseUTF8(ifNull(properties.text, '-')), position(properties.text, 'a'), startsWith(properties.text, 'a'), endsWith(properties.text, 'c'), empty(properties.text) FROM events WHERE event = 'odd' AND properties.text NOT LIKE '%ß%' ORDER BY timestamp

-- concat
SELECT toInt(properties.place) AS p, concat(properties.text, '-', properties.place), event || properties.nothing, concat(1.0, true, toInt(properties.score)) FROM events WHERE event = 'odd' ORDER BY timestamp

-- text_functions
SELECT trim('  a '), trimLeft('  a '), leftPad('7', 3, '0'), rightPad('7', 3), repeat('ab', 3), replaceAll('a.b.c', '.', '-'), replaceOne('a.b.c', '.', '-'), splitByChar(',', 'a,b,,c'), splitByString('::', 'a::b'), left('abc', 2), right('abc', 2), substring('abcdef', -3, 2), countSubstrings('ababab', 'ab'), arrayStringConcat(['a', 'b'], '+'), extractAll('a1b22', '[0-9]+'), upper('abc')

-- conditions
SELECT toInt(properties.place) AS p, if(properties.text = 'abc', 1, 0.5), multiIf(properties.text IS NULL, 'none', properties.text = '', 'empty', properties.text), coalesce(properties.text, properties.reason, 'x'), ifNull(properties.text, '?'), nullIf(properties.text, ''), CASE WHEN properties.text = 'true' THEN 'yes' ELSE 'no' END, CASE properties.text WHEN 'abc' THEN 1 WHEN 'null' THEN 2 ELSE 3 END FROM events WHERE event = 'odd' ORDER BY timestamp

-- three_valued
SELECT toInt(properties.place) AS p, toFloat(properties.nothing) > 1 OR properties.text = 'abc', NOT (toFloat(properties.text) > 1), (properties.text = 'abc') = 0, toBool(1) AND 1 FROM events WHERE event = 'odd' ORDER BY timestamp

-- arithmetic
SELECT 7 / 2, 7 % 3, -7 % 3, intDiv(-7, 2), 1 / 0, 0 / 0, 2 * 3.5, 1 - 2, 1 + 1, -5, round(2.5), round(3.5), round(2.675, 2), round(-1.25, 1), floor(-1.5), ceil(1.2), abs(-3), sqrt(2), pow(2, 10), greatest(1, 2.5), least(3, 2), modulo(7.5, 2), round(1234.5678, -2), sign(-2), exp(1), log(2)

-- no_rows
SELECT count(), sum(1), sum(toFloat(properties.score)), avg(toFloat(properties.score)), min(event), max(properties.project), min(timestamp), argMax(event, timestamp), argMax(properties.project, timestamp), uniq(event), groupArray(event), any(event), median(toFloat(properties.score)), countIf(event = 'x'), sumIf(1, event = 'x'), maxIf(timestamp, event = 'x'), minIf(event, event = 'y'), avg(1) FROM events WHERE event = 'there is none'

-- no_groups
SELECT event, count() FROM events WHERE event = 'there is none' GROUP BY event

-- no_match
SELECT properties.project AS project, minIf(timestamp, event = 'none'), maxIf(properties.model, event = 'none'), argMaxIf(event, timestamp, event = 'none'), argMinIf(properties.model, timestamp, event = 'none'), sumIf(toFloat(properties.cost_usd), event = 'none'), countIf(event = 'none'), avgIf(toFloat(properties.score), event = 'none'), anyIf(event, event = 'none') FROM events GROUP BY project ORDER BY project

-- seed
SELECT toDate(timestamp) AS day, properties.project AS project, max(toFloat(properties.score)) AS best_score, count() AS n_rounds FROM events WHERE event = 'round_scored' AND timestamp > now() - INTERVAL 30 DAY GROUP BY day, project ORDER BY day DESC, project

-- aggregates
SELECT event, count() AS n, count(properties.score), count(DISTINCT properties.round_id), uniq(properties.client), uniqExact(properties.project, properties.client), sum(toFloat(properties.cost_usd)), avg(toFloat(properties.delta)), min(toFloat(properties.delta)), max(toInt(properties.delta)), median(toFloat(properties.cost_usd)), quantile(0.9)(toFloat(properties.cost_usd)), stddevPop(toFloat(properties.delta)), varSamp(toFloat(properties.delta)), corr(toFloat(properties.delta), toFloat(properties.cost_usd)), quantiles(0.1, 0.5)(toFloat(properties.cost_usd)) FROM events WHERE event != 'odd' GROUP BY event ORDER BY event

-- filters
SELECT properties.client AS client, countIf(event = 'round_kept'), sumIf(toFloat(properties.cost_usd), event IN ('round_kept', 'round_reverted')), avgIf(toFloat(properties.score), toFloat(properties.score) > 0.2), uniqIf(properties.round_id, event = 'round_scored'), quantileIf(0.5)(toFloat(properties.latency_ms), event = 'proposal_generated'), count(event) FILTER (WHERE event = 'round_started'), maxIf(toFloat(properties.score), event = 'round_scored') FROM events WHERE event != 'odd' GROUP BY client ORDER BY client

-- arrays_of_groups
SELECT properties.project AS project, arraySort(groupUniqArray(properties.client)), arraySort(groupArray(toInt(properties.delta))), length(groupArray(event)), arraySort(groupUniqArray(event)) FROM events WHERE event != 'odd' GROUP BY project ORDER BY project

-- arg_max
SELECT properties.client AS client, argMax(properties.round_id, timestamp), argMin(properties.round_id, timestamp), argMax(toFloat(properties.score), timestamp), argMaxIf(properties.git_sha, timestamp, event = 'round_scored'), argMax(event, toFloat(properties.delta)) FROM events WHERE event != 'odd' GROUP BY client ORDER BY client

-- booleans
SELECT properties.round_id AS r, countIf(event = 'round_started') > 0 AS started, countIf(event = 'round_kept') > 0 AND max(toFloat(properties.delta)) > 5 AS good FROM events WHERE event != 'odd' GROUP BY r ORDER BY r

-- per_round
SELECT project, count() AS rounds, countIf(scored > toDateTime('2000-01-01')) AS scored, countIf(kept) AS kept, round(avg(cost), 6) AS cost FROM (SELECT properties.round_id AS round_id, any(properties.project) AS project, minIf(timestamp, event = 'round_scored') AS scored, countIf(event = 'round_kept') > 0 AS kept, sum(toFloat(properties.cost_usd)) AS cost FROM events WHERE event IN ('round_started', 'proposal_generated', 'round_scored', 'round_kept', 'round_reverted') GROUP BY round_id) GROUP BY project ORDER BY rounds DESC, project

-- having
SELECT properties.project AS project, count() AS n FROM events GROUP BY project HAVING n > 30 AND project IS NOT NULL ORDER BY n DESC, project

-- group_by_position
SELECT event, properties.client, count() FROM events GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2

-- group_by_expression
SELECT toHour(timestamp) AS hour, count() * 2 AS twice, hour + 1 AS next FROM events GROUP BY toHour(timestamp) ORDER BY hour

-- alias_in_where
SELECT toFloat(properties.score) AS s, s * 2 AS doubled FROM events WHERE s > 0.5 AND event = 'round_scored' ORDER BY doubled DESC

-- alias_hides_column
SELECT toDate(timestamp) AS timestamp, count() AS n FROM events GROUP BY timestamp ORDER BY timestamp

-- days
SELECT toDate(timestamp) AS day, count() FROM events GROUP BY day ORDER BY day

-- hours
SELECT toStartOfHour(timestamp) AS hour, toString(hour) AS text, count() FROM events GROUP BY hour ORDER BY hour

-- bucket
SELECT if({bucket} = 'hour', toString(toStartOfHour(timestamp)), toString(toDate(timestamp))) AS bucket, count() AS n FROM events WHERE timestamp >= toDateTime({since}) AND timestamp < toDateTime({until}) GROUP BY bucket ORDER BY bucket

-- filters_by_placeholder
SELECT count() FROM events WHERE ({project} = '' OR properties.project = {project}) AND event IN ('round_started', 'round_kept') AND timestamp >= {since}

-- truncation
SELECT toStartOfMinute(t), toStartOfFiveMinutes(t), toStartOfFifteenMinutes(t), toStartOfDay(t), toStartOfWeek(t), toMonday(t), toStartOfMonth(t), toStartOfQuarter(t), toStartOfYear(t), toStartOfInterval(t, INTERVAL 6 HOUR), toStartOfInterval(t, INTERVAL 10 MINUTE), toStartOfWeek(t, 1) FROM (SELECT timestamp AS t FROM events WHERE event = 'odd') ORDER BY t

-- parts
SELECT toYear(t), toQuarter(t), toMonth(t), toDayOfMonth(t), toDayOfWeek(t), toDayOfYear(t), toHour(t), toMinute(t), toSecond(t), toISOWeek(t), toYYYYMM(t), toYYYYMMDD(t), toUnixTimestamp(t), formatDateTime(t, '%Y-%m-%d %H:%i:%S'), toString(t) FROM (SELECT timestamp AS t FROM events WHERE event = 'odd') ORDER BY t

-- shifts
SELECT t + INTERVAL 1 DAY, t - INTERVAL 12 HOUR, t + INTERVAL 1 MONTH, addDays(t, 3), subtractWeeks(t, 1), toDate(t) + INTERVAL 1 MONTH, toDate(t) - INTERVAL 2 DAY, dateAdd(t, INTERVAL 1 DAY), addHours(t, 30), toDate(t) + 3 FROM (SELECT timestamp AS t FROM events WHERE event = 'odd') ORDER BY t

-- differences
SELECT dateDiff('second', a, b), dateDiff('minute', a, b), dateDiff('hour', a, b), dateDiff('day', a, b), dateDiff('week', a, b), dateDiff('month', a, b), dateDiff('day', toDate(a), toDate(b)), toDate(b) - toDate(a) FROM (SELECT min(timestamp) AS a, max(timestamp) AS b FROM events)

-- now
SELECT now() - INTERVAL 1 DAY < now(), today(), yesterday(), toStartOfHour(now()), countIf(timestamp > now() - INTERVAL 3 DAY), countIf(timestamp < today()), countIf(toDate(timestamp) = '2026-03-29') FROM events

-- times_as_text
SELECT count() FROM events WHERE timestamp >= '2026-03-29 00:00:00' AND timestamp < '2026-03-30'

-- zones
SELECT toString(toTimeZone(timestamp, 'America/New_York')), toHour(toTimeZone(timestamp, 'Asia/Kolkata')), toStartOfHour(toTimeZone(timestamp, 'Asia/Kolkata')) FROM events WHERE event = 'odd' ORDER BY timestamp

-- parsing
SELECT toDateTime('2026-03-29 03:30:00'), toDateTime('2026-03-29T01:30:00Z'), toDate('2026-03-29'), toDateTime('junk'), toDate(toDateTime('2026-03-29 23:30:00')), toString(toDate('2026-01-31') + INTERVAL 1 MONTH)

-- json
SELECT toInt(properties.place) AS p, JSONExtractString(properties, 'text'), JSONExtractFloat(properties, 'text'), JSONExtractInt(properties, 'text'), JSONExtractBool(properties, 'text'), JSONExtractRaw(properties, 'text'), JSONHas(properties, 'text'), JSONLength(properties, 'text'), JSONExtractKeys(properties, 'text'), JSONExtractArrayRaw(properties, 'text'), JSONExtract(properties, 'text', 'Nullable(Float64)'), JSONExtract(properties, 'text', 'Nullable(String)') FROM events WHERE event = 'odd' AND properties.text NOT IN ('12345678901234567', '1e21', 'NaN') ORDER BY timestamp

-- json_paths
SELECT JSONExtractString(properties, 'text', 'b', 'c'), JSONExtractInt(properties, 'text', 1), JSONExtractRaw(properties, 'text', -1) FROM events WHERE event = 'odd' AND properties.text LIKE '%{%' OR properties.text LIKE '[1%' ORDER BY timestamp

-- dimensions
SELECT dim, count() AS n, round(avg(value), 9) AS average FROM (SELECT arrayJoin(arrayFilter(k -> startsWith(k, 'dim_'), JSONExtractKeys(properties))) AS dim, JSONExtract(properties, dim, 'Nullable(Float64)') AS value FROM events WHERE event = 'round_scored') WHERE value IS NOT NULL GROUP BY dim ORDER BY dim

-- dimensions_generic
SELECT arrayJoin(arrayFilter(k -> startsWith(k, 'dim_'), JSONExtractKeys(properties))) AS dim, JSONExtract(properties, dim, 'Nullable(Float64)') AS value, properties.round_id AS r FROM events WHERE event = 'round_scored' ORDER BY r, dim

-- lambdas
SELECT arrayMap(x -> x * 2, [1, 2, 3]), arrayFilter(x -> x > 1, [1, 2, 3]), arrayExists(x -> x = 'a', ['a', 'b']), arrayAll(x -> x > 0, [1, 2]), arrayCount(x -> x > 1, [1, 2, 3]), arraySum([1, 2, 3]), arraySum(x -> x * x, [1, 2, 3]), arrayMax([1, 5, 2]), arrayAvg([1, 2]), arrayFirst(x -> x > 1, [1, 2, 3]), arrayFirstIndex(x -> x > 1, [1, 2, 3]), arraySort(x -> -x, [1, 3, 2]), arrayReverseSort([1, 3, 2]), arrayMap((x, y) -> x + y, [1, 2], [10, 20]), arrayMap(x -> arrayMap(y -> y + x, [1, 2]), [10, 20])

-- arrays
SELECT [1, 2, 3][2], [1, 2, 3][-1], [1][5], ['a'][7], length([1, 2]), has([1, 2], 2), indexOf(['a', 'b'], 'b'), arrayConcat([1], [2, 3]), arrayReverse([1, 2]), arrayDistinct([1, 1, 2]), arraySlice([1, 2, 3, 4], 2, 2), range(4), arrayUniq([1, 1, 3]), arrayZip([1, 2], ['a', 'b']), arrayPushBack([1], 2), hasAny([1, 2], [2, 9]), hasAll([1, 2], [1]), arrayCumSum([1, 2, 3]), arrayEnumerate(['a', 'b']), empty([]), (1, 'a').2, tuple(1, 'b').1, arrayFlatten([[1], [2, 3]]), arrayDifference([1, 3, 6])

-- array_join
SELECT arrayJoin([1, 2, 3]) AS x, x * 10 FROM events WHERE event = 'odd' AND properties.text = 'abc'

-- array_join_clause
SELECT k, v FROM (SELECT ['a', 'b'] AS ks, [1, 2] AS vs) ARRAY JOIN ks AS k, vs AS v ORDER BY k

-- left_array_join
SELECT n, k FROM (SELECT 1 AS n, splitByChar(',', 'a,b') AS ks UNION ALL SELECT 2 AS n, arrayFilter(x -> x = 'z', ['a']) AS ks) LEFT ARRAY JOIN ks AS k ORDER BY n, k

-- joins
SELECT s.r AS r, s.score, k.cost, k.n FROM (SELECT properties.round_id AS r, toFloat(properties.score) AS score FROM events WHERE event = 'round_scored') AS s LEFT JOIN (SELECT properties.round_id AS r, sum(toFloat(properties.cost_usd)) AS cost, count() AS n FROM events WHERE event = 'round_kept' GROUP BY r) AS k ON s.r = k.r ORDER BY r

-- self_join
SELECT a.event, count() FROM events AS a JOIN events AS b ON a.properties.round_id = b.properties.round_id AND b.event = 'round_kept' WHERE a.event = 'round_started' GROUP BY a.event

-- cte
WITH kept AS (SELECT properties.round_id AS r FROM events WHERE event = 'round_kept'), 0.5 AS bar SELECT properties.round_id AS round_id, toFloat(properties.score) AS score FROM events WHERE event = 'round_scored' AND round_id IN (SELECT r FROM kept) AND score > bar ORDER BY score DESC

-- not_in_select
SELECT count() FROM events WHERE event = 'round_started' AND properties.round_id NOT IN (SELECT properties.round_id FROM events WHERE event = 'round_scored')

-- null_in_select
SELECT count() FROM events WHERE properties.project IN (SELECT properties.nothing FROM events WHERE event = 'odd')

-- scalar
SELECT count(), (SELECT max(toFloat(properties.score)) FROM events WHERE event = 'round_scored') AS best FROM events WHERE toFloat(properties.score) = best

-- union
SELECT event AS name, 1 AS n FROM events WHERE event = 'round_kept' UNION ALL SELECT properties.client AS name, 2.5 AS n FROM events WHERE event = 'round_kept' ORDER BY name

-- distinct
SELECT DISTINCT event, properties.client FROM events ORDER BY event, properties.client

-- limit_by
SELECT event, properties.round_id AS r FROM events WHERE event != 'odd' ORDER BY timestamp DESC LIMIT 2 BY event LIMIT 7

-- windows
SELECT properties.round_id AS r, toFloat(properties.score) AS s, row_number() OVER (PARTITION BY properties.client ORDER BY timestamp) AS n, lagInFrame(s) OVER (PARTITION BY properties.client ORDER BY timestamp) AS before, sum(toFloat(properties.score)) OVER (ORDER BY timestamp ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) AS three, count() OVER (PARTITION BY properties.client) AS all, max(toFloat(properties.score)) OVER (ORDER BY timestamp) AS best FROM events WHERE event = 'round_scored' ORDER BY timestamp

-- window_of_groups
SELECT properties.client AS client, event, count() AS n, rank() OVER (PARTITION BY client ORDER BY count() DESC, event) AS place, sum(count()) OVER (PARTITION BY client) AS total FROM events WHERE event != 'odd' GROUP BY client, event ORDER BY client, place

-- ordering
SELECT toInt(properties.place) AS p, toFloat(properties.score) AS s FROM events WHERE event = 'odd' AND properties.score NOT IN ('NaN', 'inf') ORDER BY s DESC, p

-- ordering_up
SELECT toInt(properties.place) AS p, properties.text AS s FROM events WHERE event = 'odd' ORDER BY s, p

-- without_limit
SELECT event, timestamp FROM events ORDER BY timestamp, uuid

-- star
SELECT count(*), count() FROM (SELECT * FROM events WHERE event = 'odd')

-- casts
SELECT CAST('1.5' AS Float64), '7'::Int64, CAST(5 AS String), toString(1.0), toString(1e21), toString(0.1 + 0.2), toString(true), toTypeName(toFloat('1')), toBool('true'), toInt(5.0), toInt(5.5), toUUID('00000000-0000-0000-0000-000000000001'), toFloat(true)

-- sub_select_aliases
SELECT e.event, e.n FROM (SELECT event, count() AS n FROM events GROUP BY event) AS e WHERE e.n > 10 ORDER BY e.n DESC, e.event

-- between
SELECT count() FROM events WHERE timestamp BETWEEN toDateTime('2026-03-29 00:00:00') AND toDateTime('2026-03-29 12:00:00') AND toFloat(properties.cost_usd) NOT BETWEEN 0.1 AND 0.2

-- functions_as_operators
SELECT plus(1, 2), minus(5, 3), equals(1, 1), notEquals('a', 'b'), and(1, 0), or(0, 1), not(1), xor(1, 1), divide(1, 4), greater(2, 1), lessOrEquals(1, 1), COUNT(), Max(1), ABS(-1), LOWER('A')

-- distinct_id
SELECT splitByChar(':', distinct_id)[3] AS agent, count() FROM events GROUP BY agent ORDER BY agent

-- top
SELECT topK(1)(event), groupArray(2)(1) FROM events WHERE event IN ('round_started', 'round_kept')
