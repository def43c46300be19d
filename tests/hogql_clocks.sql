-- starts
SELECT n, toStartOfSecond(t), toStartOfMinute(t), toStartOfFiveMinutes(t), toStartOfTenMinutes(t), toStartOfFifteenMinutes(t), toStartOfHour(t), toStartOfDay(t), toStartOfWeek(t), toStartOfWeek(t, 1) FROM (SELECT timestamp AS t, properties, toInt(properties.n) AS n FROM events) ORDER BY n LIMIT 500

-- starts_2
SELECT n, toStartOfWeek(t, 3), toStartOfWeek(t, 0), toStartOfWeek(t, 9), toMonday(t), toStartOfMonth(t), toStartOfQuarter(t), toStartOfYear(t) FROM (SELECT timestamp AS t, properties, toInt(properties.n) AS n FROM events) ORDER BY n LIMIT 500

-- start_of_intervals
SELECT n, toStartOfInterval(t, INTERVAL 30 SECOND), toStartOfInterval(t, INTERVAL 7 MINUTE), toStartOfInterval(t, INTERVAL 30 MINUTE), toStartOfInterval(t, INTERVAL 90 MINUTE), toStartOfInterval(t, INTERVAL 1 HOUR), toStartOfInterval(t, INTERVAL 2 HOUR), toStartOfInterval(t, INTERVAL 5 HOUR), toStartOfInterval(t, INTERVAL 6 HOUR), toStartOfInterval(t, INTERVAL 12 HOUR) FROM (SELECT timestamp AS t, properties, toInt(properties.n) AS n FROM events) ORDER BY n LIMIT 500

-- start_of_intervals_2
SELECT n, toStartOfInterval(t, INTERVAL 24 HOUR), toStartOfInterval(t, INTERVAL 1 DAY), toStartOfInterval(t, INTERVAL 2 DAY), toStartOfInterval(t, INTERVAL 7 DAY), toStartOfInterval(t, INTERVAL 1 WEEK), toStartOfInterval(t, INTERVAL 2 WEEK), toStartOfInterval(t, INTERVAL 1 MONTH), toStartOfInterval(t, INTERVAL 5 MONTH), toStartOfInterval(t, INTERVAL 2 QUARTER) FROM (SELECT timestamp AS t, properties, toInt(properties.n) AS n FROM events) ORDER BY n LIMIT 500

-- start_of_intervals_3
SELECT n, toStartOfInterval(t, INTERVAL 1 YEAR), toStartOfInterval(t, INTERVAL 3 YEAR), toStartOfInterval(toDate(t), INTERVAL 2 WEEK), toStartOfInterval(toDate(t), INTERVAL 3 DAY) FROM (SELECT timestamp AS t, properties, toInt(properties.n) AS n FROM events) ORDER BY n LIMIT 500

-- truncation
SELECT n, dateTrunc('second', t), dateTrunc('minute', t), dateTrunc('hour', t), dateTrunc('day', t), dateTrunc('week', t), dateTrunc('month', t), dateTrunc('quarter', t), dateTrunc('year', t), dateTrunc('day', toDate(t)) FROM (SELECT timestamp AS t, properties, toInt(properties.n) AS n FROM events) ORDER BY n LIMIT 500

-- truncation_2
SELECT n, dateTrunc('month', toDate(t)) FROM (SELECT timestamp AS t, properties, toInt(properties.n) AS n FROM events) ORDER BY n LIMIT 500

-- day_parts
SELECT n, toDate(t), toDateTime(t), toYear(t), toQuarter(t), toMonth(t), toDayOfMonth(t), toDayOfWeek(t), toDayOfYear(t), toHour(t), toMinute(t), toSecond(t), toISOWeek(t), toISOYear(t), toYYYYMM(t), toYYYYMMDD(t), toDayOfWeek(t, 1), toDayOfWeek(t, 0) FROM (SELECT timestamp AS t, properties, toInt(properties.n) AS n FROM events) ORDER BY n LIMIT 500

-- day_parts_2
SELECT n, toDayOfWeek(t, 2), toDayOfWeek(t, 3), toYear(toDate(t)), toDayOfYear(toDate(t)), toISOWeek(toDate(t)), toDayOfWeek(toDate(t)) FROM (SELECT timestamp AS t, properties, toInt(properties.n) AS n FROM events) ORDER BY n LIMIT 500

-- unix
SELECT n, toUnixTimestamp(t), toUnixTimestamp64Milli(t), toUnixTimestamp(toDate(t)), toUnixTimestamp(toStartOfDay(t)) FROM (SELECT timestamp AS t, properties, toInt(properties.n) AS n FROM events) ORDER BY n LIMIT 500

-- intervals
SELECT n, t + INTERVAL 1 DAY, t - INTERVAL 1 DAY, t + INTERVAL 1 WEEK, t + INTERVAL 1 MONTH, t - INTERVAL 1 MONTH, t + INTERVAL 1 QUARTER, t + INTERVAL 1 YEAR, t - INTERVAL 4 YEAR, t + INTERVAL 12 HOUR FROM (SELECT timestamp AS t, properties, toInt(properties.n) AS n FROM events) ORDER BY n LIMIT 500

-- intervals_2
SELECT n, t - INTERVAL 36 HOUR, t + INTERVAL 90 MINUTE, t + INTERVAL 3600 SECOND, t + 60, toDate(t) + 1, toDate(t) - 45, toDate(t) + INTERVAL 1 MONTH, toDate(t) + INTERVAL 12 HOUR FROM (SELECT timestamp AS t, properties, toInt(properties.n) AS n FROM events) ORDER BY n LIMIT 500

-- intervals_3
SELECT n, toDate(t) - INTERVAL 1 YEAR, toDate(t) + INTERVAL 1 QUARTER, toDate(t) + INTERVAL 2 WEEK FROM (SELECT timestamp AS t, properties, toInt(properties.n) AS n FROM events) ORDER BY n LIMIT 500

-- adding
SELECT n, addDays(t, -1), addWeeks(t, 2), addMonths(t, -2), addMonths(toDate(t), 13), addQuarters(t, 3), addYears(t, -2), addHours(t, 5), addMinutes(t, 100), addSeconds(t, 1) FROM (SELECT timestamp AS t, properties, toInt(properties.n) AS n FROM events) ORDER BY n LIMIT 500

-- adding_2
SELECT n, subtractDays(t, 2), subtractMonths(t, 1), subtractYears(toDate(t), 4), addHours(toDate(t), 1), dateAdd(t, INTERVAL 1 MONTH), dateSub(t, INTERVAL 1 WEEK) FROM (SELECT timestamp AS t, properties, toInt(properties.n) AS n FROM events) ORDER BY n LIMIT 500

-- starts_and_intervals
SELECT n, toStartOfHour(t) + INTERVAL 1 HOUR, toStartOfDay(t) + INTERVAL 1 DAY, toStartOfDay(t + INTERVAL 1 DAY), toStartOfMonth(t) + INTERVAL 1 MONTH, toStartOfMonth(t) - INTERVAL 1 DAY, toLastDayOfMonth(t) FROM (SELECT timestamp AS t, properties, toInt(properties.n) AS n FROM events) ORDER BY n LIMIT 500

-- differences
SELECT n, dateDiff('second', t, toDateTime('2026-03-29 12:00:00')), dateDiff('minute', t, toDateTime('2026-03-29 12:00:00')), dateDiff('hour', t, toDateTime('2026-03-29 12:00:00')), dateDiff('day', t, toDateTime('2026-03-29 12:00:00')), dateDiff('week', t, toDateTime('2026-03-29 12:00:00')), dateDiff('month', t, toDateTime('2026-03-29 12:00:00')), dateDiff('quarter', t, toDateTime('2026-03-29 12:00:00')), dateDiff('year', t, toDateTime('2026-03-29 12:00:00')), dateDiff('day', toDate(t), toDate('2026-01-01')) FROM (SELECT timestamp AS t, properties, toInt(properties.n) AS n FROM events) ORDER BY n LIMIT 500

-- differences_2
SELECT n, dateDiff('week', toDate(t), toDate('2026-01-01')), dateDiff('month', toDate(t), toDate('2026-01-01')), dateDiff('hour', toDate(t), toDate('2026-01-01')), dateDiff('hour', toDate(t), t), dateDiff('day', toDate(t), t), dateDiff('hour', toStartOfDay(t), t), dateDiff('day', t, t + INTERVAL 1 DAY), dateDiff('hour', t, t + INTERVAL 1 DAY), dateDiff('day', t, now(), 'Asia/Tokyo') FROM (SELECT timestamp AS t, properties, toInt(properties.n) AS n FROM events) ORDER BY n LIMIT 500

-- differences_3
SELECT n, dateDiff('second', now(), t), t - toDateTime('2026-01-01 00:00:00'), toStartOfHour(t) - toStartOfDay(t), toDate(t) - toDate('2026-01-01') FROM (SELECT timestamp AS t, properties, toInt(properties.n) AS n FROM events) ORDER BY n LIMIT 500

-- formats
SELECT n, formatDateTime(t, '%Y-%m-%d %H:%i:%S'), formatDateTime(t, '%y %c %e %D %F %k %h %I %i %M %b %a %W %p %R %s %T %f %u %w %j %V %G %Q %%'), formatDateTime(t, '%C'), formatDateTime(t, '%l'), formatDateTime(t, '%r'), formatDateTime(t, '%g'), formatDateTime(t, '%z'), formatDateTime(t, '%n|%t|'), formatDateTime(t, '%H', 'Asia/Tokyo') FROM (SELECT timestamp AS t, properties, toInt(properties.n) AS n FROM events) ORDER BY n LIMIT 500

-- formats_2
SELECT n, formatDateTime(toDate(t), '%Y-%m-%d %H'), formatDateTime(t, '%d/%m'), toString(t), toString(toDate(t)), toString(toDateTime(t)), toString(toStartOfHour(t)) FROM (SELECT timestamp AS t, properties, toInt(properties.n) AS n FROM events) ORDER BY n LIMIT 500

-- other_zones
SELECT n, toString(toTimeZone(t, 'Pacific/Auckland')), toDate(toTimeZone(t, 'Pacific/Auckland')), toHour(toTimeZone(t, 'America/St_Johns')), toStartOfDay(toTimeZone(t, 'America/New_York')), toStartOfHour(toTimeZone(t, 'Asia/Kathmandu')), toStartOfInterval(toTimeZone(t, 'America/New_York'), INTERVAL 6 HOUR), toTimeZone(t, 'UTC') + INTERVAL 1 DAY, toTypeName(toStartOfHour(toTimeZone(t, 'UTC'))) FROM (SELECT timestamp AS t, properties, toInt(properties.n) AS n FROM events) ORDER BY n LIMIT 500

-- parsed_times
SELECT n, toDateTime(properties.at), toDate(properties.at), toDateTime('2026-03-29 02:30:00'), toDateTime('2026-10-25 02:30:00'), toDateTime('2026-03-08 02:30:00'), toDateTime('2026-11-01 01:30:00'), toDateTime('2026-04-05 01:45:00'), toDateTime('2026-10-04 02:15:00'), toDateTime(toDate('2026-03-29')) FROM (SELECT timestamp AS t, properties, toInt(properties.n) AS n FROM events) ORDER BY n LIMIT 500

-- parsed_times_2
SELECT n, toDateTime(1774747800), toDateTime('1774747800'), toDateTime('2026-03-29T01:30:00+05:00'), toDateTime('2026-03-29 01:30:00.123456'), toDateTime('2026-03-29'), toDateTime('2026-03-29 01:30'), toDateTime(''), toDateTime('2026-13-01') FROM (SELECT timestamp AS t, properties, toInt(properties.n) AS n FROM events) ORDER BY n LIMIT 500

-- parsed_times_3
SELECT n, toDateTime('2026-02-30'), toDateTime('20260329T101112Z'), toDateTime('20260329'), toDateTime('12345') FROM (SELECT timestamp AS t, properties, toInt(properties.n) AS n FROM events) ORDER BY n LIMIT 500

-- parsed_days
SELECT n, toDate('2026-03-29 01:30:00'), toDate('20260329'), toDate('2026-3-9'), toDate('junk'), toDate('2026-03-29T01:30:00Z'), toDate(toDateTime('2026-03-29 23:59:59')) FROM (SELECT timestamp AS t, properties, toInt(properties.n) AS n FROM events) ORDER BY n LIMIT 500

-- compared_times
SELECT n, t > '2026-03-29', t >= '2026-03-29 01:30:00', t < toDate('2026-03-29'), toDate(t) = '2026-03-29', toDate(t) >= toDate('2026-03-29'), toDate(t) < now(), toDate(t) IN ('2026-03-29', '2026-10-25'), t IN ('2026-03-28 20:00:00'), t BETWEEN '2026-03-01' AND '2026-04-01' FROM (SELECT timestamp AS t, properties, toInt(properties.n) AS n FROM events) ORDER BY n LIMIT 500

-- compared_times_2
SELECT n, t = now() FROM (SELECT timestamp AS t, properties, toInt(properties.n) AS n FROM events) ORDER BY n LIMIT 500

-- chosen_times
SELECT n, greatest(t, toDateTime('2026-06-01 00:00:00')), least(t, now()), if(toHour(t) > 12, t, NULL), coalesce(NULL, t), if(toHour(t) > 12, toDate(t), t), if(toHour(t) > 12, toDate(t), toStartOfMonth(t)), toInt(t), toFloat(t), toFloat(toDateTime(t)) FROM (SELECT timestamp AS t, properties, toInt(properties.n) AS n FROM events) ORDER BY n LIMIT 500

-- starts_of_days
SELECT n, toStartOfDay(toDate(t)), toStartOfMonth(toDate(t)), toStartOfWeek(toDate(t), 1), toMonday(toDate(t)) FROM (SELECT timestamp AS t, properties, toInt(properties.n) AS n FROM events) ORDER BY n LIMIT 500

-- now
SELECT n, toHour(now()), toDate(now()), today(), yesterday(), now() - t > 0, fromUnixTimestamp(1774747800), fromUnixTimestamp64Milli(1774747800123), toDateTime64(t, 3) FROM (SELECT timestamp AS t, properties, toInt(properties.n) AS n FROM events) ORDER BY n LIMIT 500

-- now_2
SELECT n, now() + INTERVAL 1 DAY - INTERVAL 1 DAY = now(), t + toIntervalDay(toInt(properties.n) % 5), t - toIntervalHour(toInt(properties.n)) FROM (SELECT timestamp AS t, properties, toInt(properties.n) AS n FROM events) ORDER BY n LIMIT 500

-- start_of_intervals_4
SELECT n, toStartOfInterval(t, INTERVAL 25 HOUR), toStartOfInterval(t, INTERVAL 36 HOUR), toStartOfInterval(t, INTERVAL 18 MONTH), toStartOfInterval(t, INTERVAL 5 QUARTER), toStartOfInterval(t, INTERVAL 10 YEAR), toDayOfWeek(t, 1), toDayOfWeek(t, 2), toDayOfWeek(t, 3) FROM (SELECT timestamp AS t, properties, toInt(properties.n) AS n FROM events) ORDER BY n LIMIT 500

-- days_and_hours
SELECT toDate(timestamp) AS day, count(), uniq(toStartOfHour(timestamp)), min(timestamp), max(toHour(timestamp)) FROM events GROUP BY day ORDER BY day

-- days_and_hours_2
SELECT toStartOfHour(timestamp) AS hour, count() FROM events GROUP BY hour ORDER BY hour

-- days_and_hours_3
SELECT toStartOfWeek(timestamp) AS week, count(), toMonday(timestamp) AS monday FROM events GROUP BY week, monday ORDER BY week, monday

-- days_and_hours_4
SELECT toHour(timestamp) AS h, toDayOfWeek(timestamp) AS w, count() FROM events GROUP BY h, w ORDER BY h, w

-- days_and_hours_5
SELECT count() FROM events WHERE timestamp >= toStartOfDay(toDateTime('2026-03-29 12:00:00')) AND timestamp < toStartOfDay(toDateTime('2026-03-29 12:00:00')) + INTERVAL 1 DAY

-- days_and_hours_6
SELECT count() FROM events WHERE toDate(timestamp) = '2026-10-25' OR timestamp BETWEEN '2026-11-01' AND '2026-11-02'

-- days_and_hours_7
SELECT n, t, if(n % 2 = 0, t, NULL) AS u, dateDiff('day', lagInFrame(t) OVER (ORDER BY n), t) AS gap FROM (SELECT timestamp AS t, toInt(properties.n) AS n FROM events) ORDER BY n

-- days_and_hours_8
SELECT toYear(timestamp) AS y, toISOYear(timestamp) AS iy, toISOWeek(timestamp) AS w, count() FROM events GROUP BY y, iy, w ORDER BY y, iy, w

-- days_and_hours_9
SELECT max(timestamp) - min(timestamp), dateDiff('day', min(timestamp), max(timestamp)), dateDiff('hour', min(timestamp), max(timestamp)) FROM events

-- days_and_hours_10
SELECT toStartOfInterval(timestamp, INTERVAL 6 HOUR) AS b, count() FROM events GROUP BY b ORDER BY b

-- days_and_hours_11
SELECT formatDateTime(timestamp, '%G-W%V') AS w, count() FROM events GROUP BY w ORDER BY w
