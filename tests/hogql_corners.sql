-- logic_with_null
SELECT toInt(properties.place) AS p, toFloat(properties.text) > 1 AND NULL FROM events WHERE event = 'odd' AND properties.text != 'NaN' ORDER BY timestamp

-- logic_with_null_2
SELECT NULL AND 0, NULL OR 1, 1 = NULL, NULL = NULL

-- logic_with_null_3
SELECT toInt(properties.place) AS p, properties.text = properties.score, properties.text < properties.score FROM events WHERE event = 'odd' AND properties.text != 'NaN' ORDER BY timestamp

-- in_with_null
SELECT toInt(properties.place) AS p, properties.text IN (NULL), properties.text NOT IN (NULL), properties.text IN ('abc', NULL), properties.text NOT IN ('abc', NULL) FROM events WHERE event = 'odd' AND properties.text != 'NaN' ORDER BY timestamp

-- in_with_null_2
SELECT NULL IN (1, 2), NULL IN (1, NULL), 1 IN (1, NULL), 2 NOT IN (1, NULL)

-- in_with_null_3
SELECT toInt(properties.place) AS p, toFloat(properties.text) IN (0.5, 1), toFloat(properties.text) IN (1, 2.5, NULL), toInt(properties.text) IN (1, 0), properties.text IN ['abc', '1'] FROM events WHERE event = 'odd' AND properties.text != 'NaN' ORDER BY timestamp

-- comparisons_with_null
SELECT toInt(properties.place) AS p, toFloat(properties.text) > NULL, properties.text BETWEEN 'a' AND 'b', properties.text NOT BETWEEN 'a' AND 'b', toFloat(properties.text) BETWEEN NULL AND 1, properties.text IS NOT DISTINCT FROM properties.score, xor(toFloat(properties.text) > 1, 1) FROM events WHERE event = 'odd' AND properties.text != 'NaN' ORDER BY timestamp

-- choices
SELECT toInt(properties.place) AS p, if(toFloat(properties.text) > 1, 'a', 'b') FROM events WHERE event = 'odd' AND properties.text != 'NaN' ORDER BY timestamp

-- choices_2
SELECT if(NULL, 1, 2)

-- choices_3
SELECT toInt(properties.place) AS p, multiIf(toFloat(properties.text) > 1, 1, toFloat(properties.text) <= 1, 2, 3) FROM events WHERE event = 'odd' AND properties.text != 'NaN' ORDER BY timestamp

-- choices_4
SELECT multiIf(NULL, 1, 2)

-- choices_5
SELECT toInt(properties.place) AS p, CASE WHEN toFloat(properties.text) > 1 THEN 'big' WHEN toFloat(properties.text) <= 1 THEN 'small' END, CASE properties.text WHEN NULL THEN 'n' WHEN '' THEN 'e' ELSE 'o' END, CASE toFloat(properties.text) WHEN 1 THEN 'one' END FROM events WHERE event = 'odd' AND properties.text != 'NaN' ORDER BY timestamp

-- null_functions
SELECT coalesce(NULL, NULL, 3)

-- null_functions_2
SELECT toInt(properties.place) AS p, coalesce(toFloat(properties.text), 1), ifNull(toFloat(properties.text), -1), nullIf(toFloat(properties.text), 1), nullIf(properties.text, properties.score), isNull(toFloat(properties.text)) FROM events WHERE event = 'odd' AND properties.text != 'NaN' ORDER BY timestamp

-- null_functions_3
SELECT toNullable(1)

-- greatest_and_least
SELECT greatest(1, NULL)

-- greatest_and_least_2
SELECT toInt(properties.place) AS p, greatest(toFloat(properties.text), 1), least(toFloat(properties.text), 1.0) FROM events WHERE event = 'odd' AND properties.text != 'NaN' ORDER BY timestamp

-- greatest_and_least_3
SELECT greatest('a', 'b')

-- greatest_and_least_4
SELECT toInt(properties.place) AS p, greatest(properties.text, 'b') FROM events WHERE event = 'odd' AND properties.text != 'NaN' ORDER BY timestamp

-- type_names
SELECT toTypeName(1), toTypeName(300), toTypeName(-1), toTypeName(1.5), toTypeName('a'), toTypeName(NULL), toTypeName([1, 2]), toTypeName([1, NULL]), toTypeName((1, 'a'))

-- type_names_2
SELECT toTypeName(1 / 2), toTypeName(toFloat('1')), toTypeName(1 = 1), toTypeName(true), toTypeName(today()), toTypeName(if(1, 1, NULL))

-- division_and_signs
SELECT 7 / 0, -7 / 0, 0 / 0, 7.5 % 0, -7 % 3, 7 % -3, -7.5 % 2, intDiv(7, -2)

-- division_and_signs_2
SELECT intDiv(-7, 2), intDiv(7.9, 2), intDiv(-7.9, 2)

-- large_integers
SELECT 9223372036854775807 + 1, 9223372036854775807 * 2, 18446744073709551616, 255 + 1, -128 - 1, 3000000000 * 3000000000

-- rounding
SELECT round(0.5), round(1.5), round(-0.5), round(-2.5), round(2.5, 0), round(1.005, 2), round(2.345, 2), round(1e15 + 0.3, 1), round(15, -1)

-- rounding_2
SELECT round(25, -1), round(-15, -1), round(149, -2), round(150, -2)

-- rounding_3
SELECT floor(-1.5), floor(1.55, 1), ceil(1.55, 1), ceil(-0.5), trunc(-1.55, 1), floor(123, -1), ceil(123, -1), ceil(-123, -1)

-- rounding_4
SELECT toInt(properties.place) AS p, floor(toFloat(properties.text)), ceil(toFloat(properties.text)), trunc(toFloat(properties.text)) FROM events WHERE event = 'odd' AND properties.text != 'NaN' ORDER BY timestamp

-- mathematics
SELECT sqrt(-1)

-- mathematics_2
SELECT toInt(properties.place) AS p, sqrt(toFloat(properties.text)) FROM events WHERE event = 'odd' AND properties.text != 'NaN' ORDER BY timestamp

-- mathematics_3
SELECT log(0), log(-1), log2(8), log10(1000), exp(1000), pow(0, -1), pow(-8, 1/3), pow(2, 0.5), cbrt(27)

-- mathematics_4
SELECT cbrt(-8)

-- mathematics_5
SELECT toInt(properties.place) AS p, sign(toFloat(properties.text)), abs(toFloat(properties.text)), toFloat(properties.text) + 1, toFloat(properties.text) * toFloat(properties.text), -toFloat(properties.text) FROM events WHERE event = 'odd' AND properties.text != 'NaN' ORDER BY timestamp

-- numbers_as_text
SELECT toInt(properties.place) AS p, toString(toFloat(properties.text)), toString(toFloat(properties.text) * 2) FROM events WHERE event = 'odd' AND properties.text != 'NaN' ORDER BY timestamp

-- numbers_as_text_2
SELECT toString(1 / 3), toString(1e-7), toString(0.000001), toString(1e20), toString(1e21), toString(1e100), toString(-0.0), toString(123456789.123), toString(1 / 0)

-- text_as_integers
SELECT toInt(properties.place) AS p, toInt(properties.text), toInt(toFloat(properties.text)) FROM events WHERE event = 'odd' AND properties.text != 'NaN' ORDER BY timestamp

-- text_as_integers_2
SELECT toInt('1.5'), toInt(' 1'), toInt('99999999999999999999'), toInt(1e18), toInt(1e19)

-- text_as_floats
SELECT toInt(properties.place) AS p, toFloat(properties.text), toFloatOrZero(properties.text) FROM events WHERE event = 'odd' AND properties.text != 'NaN' ORDER BY timestamp

-- text_as_floats_2
SELECT toFloat('1e400'), toFloat('0x10'), toFloat('1_000'), toFloat(''), toFloat('.'), toFloat('1e'), toFloat('+1.5e+2'), toFloat('infinity'), toFloat('-inf')

-- text_as_floats_3
SELECT toFloat('nan'), toFloat(true), toFloat(now()), toInt(now()), toInt(today())

-- truth_and_uuids
SELECT toBool(2), toBool(0.5)

-- truth_and_uuids_2
SELECT toInt(properties.place) AS p, toUUID(properties.text) FROM events WHERE event = 'odd' AND properties.text != 'NaN' ORDER BY timestamp

-- nan_and_infinity
SELECT toInt(properties.place) AS p, isNaN(toFloat(properties.text)), isFinite(toFloat(properties.text)), isInfinite(toFloat(properties.text)) FROM events WHERE event = 'odd' AND properties.text != 'NaN' ORDER BY timestamp

-- nan_and_infinity_2
SELECT isNaN(0 / 0), isInfinite(1 / 0), isFinite(1 / 0), 0 / 0 = 0 / 0, 0 / 0 > 1, 0 / 0 != 1, 1 / 0 > 5

-- mixed_comparisons
SELECT 1 = 1.0, 'a' < 'B', '' < 'a', 'é' > 'z', 1 = true, true = 1, true > false, true + true, 5 = '5'

-- mixed_comparisons_2
SELECT 5.0 = '5', bitAnd(5, 3), modulo(-7, 3), plus(1, 2), negate(5)

-- mixed_comparisons_3
SELECT toInt(properties.place) AS p, minus(toFloat(properties.text), 1), divide(toFloat(properties.text), 0), toFloat(properties.nothing) + 1 FROM events WHERE event = 'odd' AND properties.text != 'NaN' ORDER BY timestamp

-- text_measures
SELECT toInt(properties.place) AS p, length(properties.text), lengthUTF8(properties.text), lower(properties.text), upper(properties.text), lowerUTF8(properties.text), upperUTF8(properties.text) FROM events WHERE event = 'odd' AND properties.text != 'NaN' ORDER BY timestamp

-- substrings
SELECT toInt(properties.place) AS p, substringUTF8(properties.text, 2, 3) FROM events WHERE event = 'odd' AND properties.text != 'NaN' ORDER BY timestamp

-- substrings_2
SELECT substring('héllo', 2, 2), substringUTF8('héllo', 2, 2), substring('hello', 0), substring('hello', 0, 3), substring('hello', -3), substring('hello', -10, 3), substring('hello', 2, -1), substring('hello', 2, -2), substring('hello', 10)

-- left_and_right
SELECT left('日本語', 2), leftUTF8('日本語', 2), rightUTF8('日本語', 2), left('abc', -1), right('abc', -1), left('abc', 0), right('abc', 0)

-- trim_and_pad
SELECT trim('  \t a \n'), trimLeft('\t a '), trimRight('a \n'), leftPad('abc', 2), leftPad('7', 5, 'ab'), rightPad('7', 5, 'ab'), leftPad('日', 4, '*'), leftPadUTF8('日', 4, '*'), lpad('a', 0)

-- trim_and_pad_2
SELECT repeat('ab', 0), repeat('ab', -1)

-- reverse_and_position
SELECT reverse('abc'), reverseUTF8('日本')

-- reverse_and_position_2
SELECT position('héllo', 'l'), positionUTF8('héllo', 'l')

-- reverse_and_position_3
SELECT toInt(properties.place) AS p, position(properties.text, 'a') FROM events WHERE event = 'odd' AND properties.text != 'NaN' ORDER BY timestamp

-- reverse_and_position_4
SELECT position('abc', ''), position('abc', 'z'), positionCaseInsensitive('aBC', 'bc'), positionCaseInsensitiveUTF8('ÀÉ', 'é')

-- count_and_replace
SELECT countSubstrings('aaaa', 'aa'), countSubstrings('abc', ''), replaceAll('aaa', 'a', 'b'), replaceAll('abc', '', 'x'), replaceOne('aaa', 'a', 'b'), replaceOne('abc', '', 'x')

-- count_and_replace_2
SELECT toInt(properties.place) AS p, replaceAll(properties.text, 'a', 'ä') FROM events WHERE event = 'odd' AND properties.text != 'NaN' ORDER BY timestamp

-- split_and_join
SELECT splitByChar(',', ''), splitByChar(',', ',a,'), splitByString('', 'abc'), splitByString(', ', 'a, b, c'), splitByString('', 'äb')

-- split_and_join_2
SELECT toInt(properties.place) AS p, splitByChar(':', properties.text) FROM events WHERE event = 'odd' AND properties.text != 'NaN' ORDER BY timestamp

-- split_and_join_3
SELECT arrayStringConcat(['a', NULL, 'b'], ','), arrayStringConcat([1, 2], ','), arrayStringConcat([1.5, 2.0], ','), arrayStringConcat(splitByChar('-', '2026-01-02'), '/')

-- concat_and_edges
SELECT concat('a', NULL, 1, 2.0, true, today())

-- concat_and_edges_2
SELECT toInt(properties.place) AS p, concat(properties.text, 1.5, toDate('2026-01-01')) FROM events WHERE event = 'odd' AND properties.text != 'NaN' ORDER BY timestamp

-- concat_and_edges_3
SELECT toInt(properties.place) AS p, startsWith(properties.text, '') FROM events WHERE event = 'odd' AND properties.text != 'NaN' ORDER BY timestamp

-- concat_and_edges_4
SELECT startsWith('日本', '日')

-- concat_and_edges_5
SELECT toInt(properties.place) AS p, endsWith(properties.text, '') FROM events WHERE event = 'odd' AND properties.text != 'NaN' ORDER BY timestamp

-- concat_and_edges_6
SELECT endsWith('日本', '本'), empty('')

-- concat_and_edges_7
SELECT toInt(properties.place) AS p, empty(properties.text), notEmpty(properties.text) FROM events WHERE event = 'odd' AND properties.text != 'NaN' ORDER BY timestamp

-- concat_and_edges_8
SELECT empty([]), notEmpty([1])

-- like_letters
SELECT toInt(properties.place) AS p, properties.text LIKE '%', properties.text LIKE '', properties.text LIKE '_', properties.text LIKE '%\n%', properties.text LIKE 'a\\_b%', properties.text LIKE 'a_b\\%c', properties.text LIKE '%\\\\%', properties.text ILIKE '%É%' FROM events WHERE event = 'odd' AND properties.text != 'NaN' ORDER BY timestamp

-- like_letters_2
SELECT toInt(properties.place) AS p, properties.text ILIKE 'a.c', properties.text LIKE '%]%', properties.text LIKE '[x]%', properties.text LIKE '%*%', properties.text LIKE '%?%', properties.text LIKE '日%', properties.text LIKE '日_語%', properties.text NOT LIKE '%a%', properties.text LIKE properties.score FROM events WHERE event = 'odd' AND properties.text != 'NaN' ORDER BY timestamp

-- like_of_glob_letters
SELECT 'a*b' LIKE 'a*b', 'axb' LIKE 'a*b', 'a[b' LIKE 'a[b', 'a]b' LIKE 'a]b', 'a^b' LIKE '[^a]b', 'abc' LIKE 'ABC', 'ABC' ILIKE 'abc', 'a\\b' LIKE 'a\\\\b', 'a\nb' LIKE 'a_b'

-- like_of_glob_letters_2
SELECT 'a\nb' LIKE 'a%b', 'ß' ILIKE 'SS', 'İ' ILIKE 'i', 'K' ILIKE 'k', 'é' LIKE '_', '🎉' LIKE '_'

-- regex_dialect
SELECT match('a\nb', 'a.b'), match('a\nb', '^b'), match('a\nb', 'a$'), match('a\n', 'a$'), match('ab', '(?i)AB'), match('ab', '(?s)a.b'), match('aß', '\\w\\w'), match('日本', '^..$'), match('日本', '\\w')

-- regex_dialect_2
SELECT match('é', '^.$'), match('１２', '\\d'), match('a b', '\\s'), match('a b', '\\bb'), match('éa', '\\ba'), match('abc', ''), match('', ''), match('abc', 'a{2}'), match('aab', 'a{2}')

-- regex_dialect_3
SELECT match('abc', '(?P<x>a)'), match('abc', '[[:alpha:]]+'), match('abc', '\\pL'), match('abc', '\\Qa\\E'), match('abc', '\\Aabc\\z'), match('abc', '\\x61')

-- regex_extracts
SELECT extract('abc', ''), extract('abc', 'b'), extract('abc', '(b)(c)'), extract('abc', '(x)?b'), extract('abc', 'z')

-- regex_extracts_2
SELECT toInt(properties.place) AS p, extract(properties.text, '([0-9]+)') FROM events WHERE event = 'odd' AND properties.text != 'NaN' ORDER BY timestamp

-- regex_extracts_3
SELECT extractAll('abab', 'a'), extractAll('a1b2', '([a-z])([0-9])'), extractAll('abc', ''), extractAll('日本', '.')

-- regex_replaces
SELECT replaceRegexpAll('abc', 'b', '[\\0]'), replaceRegexpAll('abc', '(b)(c)', '\\2\\1'), replaceRegexpAll('abc', '', '-'), replaceRegexpAll('日本', '', '-'), replaceRegexpAll('aaa', 'a*', 'x'), replaceRegexpAll('baac', 'a*', 'x'), replaceRegexpOne('aaa', 'a', 'b'), replaceRegexpAll('a.b', '\\.', '\\\\'), replaceRegexpAll('hello', '^', 'x')

-- regex_replaces_2
SELECT replaceRegexpAll('hello', '$', 'x'), replaceRegexpAll('aXbX', '(?i)x', '')

-- regex_replaces_3
SELECT toInt(properties.place) AS p, replaceRegexpAll(properties.text, '\\d+', '#'), replaceRegexpOne(properties.text, '[a-z]+', '<\\0>') FROM events WHERE event = 'odd' AND properties.text != 'NaN' ORDER BY timestamp

-- regex_replaces_4
SELECT replaceRegexpAll('a', '(b)?a', '[\\1]')

-- regex_operators
SELECT toInt(properties.place) AS p, properties.text =~ '^[A-Z]', properties.text !~ '^[A-Z]', properties.text =~* 'ABC', properties.text !~* 'ABC' FROM events WHERE event = 'odd' AND properties.text != 'NaN' ORDER BY timestamp

-- letter_case
SELECT upper('straße'), upperUTF8('straße'), lowerUTF8('İSTANBUL'), lower('ÀÉ'), char_length('日本'), lcase('A')

-- letter_case_2
SELECT toInt(properties.place) AS p, toString(properties.text) FROM events WHERE event = 'odd' AND properties.text != 'NaN' ORDER BY timestamp

-- json_of_anything
SELECT toInt(properties.place) AS p, JSONExtractString(properties, 'text'), JSONExtractInt(properties, 'text'), JSONExtractFloat(properties, 'text'), JSONExtractBool(properties, 'text'), JSONExtractRaw(properties, 'text'), JSONExtract(properties, 'text', 'String'), JSONExtract(properties, 'text', 'Int64'), JSONExtract(properties, 'text', 'Float64') FROM events WHERE event = 'odd' AND properties.text != 'NaN' ORDER BY timestamp

-- json_of_anything_2
SELECT toInt(properties.place) AS p, JSONExtract(properties, 'text', 'Bool'), JSONExtract(properties, 'text', 'Nullable(Int64)'), JSONExtract(properties, 'text', 'Nullable(Bool)'), JSONExtract(properties, 'text', 'Array(String)'), JSONExtract(properties, 'text', 'Array(Int64)'), JSONExtract(properties, 'text', 'Array(Float64)'), JSONExtract(properties, 'text', 'Array(Nullable(Float64))'), JSONExtract(properties, 'text', 'Array(Nullable(String))'), JSONExtract(properties, 'text', 'Array(Bool)') FROM events WHERE event = 'odd' AND properties.text != 'NaN' ORDER BY timestamp

-- json_of_anything_3
SELECT toInt(properties.place) AS p, JSONExtract(properties, 'text', 'Array(Array(Int64))'), JSONExtract(properties, 'text', 'Array(Array(String))') FROM events WHERE event = 'odd' AND properties.text != 'NaN' ORDER BY timestamp

-- json_shapes
SELECT toInt(properties.place) AS p, JSONExtractArrayRaw(properties, 'text'), JSONExtractKeys(properties, 'text'), JSONLength(properties, 'text'), JSONHas(properties, 'text'), JSONHas(properties, 'text', 'b'), JSONHas(properties, 'text', 1), JSONHas(properties, 'text', -1) FROM events WHERE event = 'odd' AND properties.text != 'NaN' ORDER BY timestamp

-- json_odd_keys
SELECT toInt(properties.place) AS p, JSONExtractString(properties, 'text', 'a.b'), JSONExtractString(properties, 'text', 'k"q'), JSONExtractString(properties, 'text', ''), JSONExtractString(properties, 'text', 'ü', 3, 'z'), JSONExtractInt(properties, 'text', 'ü', -1, 'z'), JSONExtractString(properties, 'text', 'back\\slash'), JSONExtractFloat(properties, 'text', 'it\'s'), JSONExtractRaw(properties, 'text', 1), JSONExtractRaw(properties, 'text', 2) FROM events WHERE event = 'odd' AND properties.text != 'NaN' ORDER BY timestamp

-- json_odd_keys_2
SELECT toInt(properties.place) AS p, JSONExtractString(properties, 'text', -1), JSONExtractRaw(properties, 'text', 1, 1), JSONExtractKeys(properties), JSONLength(properties) FROM events WHERE event = 'odd' AND properties.text != 'NaN' ORDER BY timestamp

-- property_odd_keys
SELECT toInt(properties.place) AS p, properties.text['a.b'], properties.text['k"q'], properties.text[''], properties.text['back\\slash'], properties.text['it\'s'], properties.text[1] FROM events WHERE event = 'odd' AND properties.text != 'NaN' ORDER BY timestamp

-- property_odd_keys_2
SELECT toInt(properties.place) AS p, properties.text[2], properties.text.b, properties.text.b.c, properties['text'], properties.`text`, properties.nothing FROM events WHERE event = 'odd' AND properties.text != 'NaN' ORDER BY timestamp

-- json_texts
SELECT JSONExtractString('{"a":"x"}', 'a'), JSONExtractString('junk', 'a'), JSONExtractString('', 'a'), JSONExtractInt('{"a":1.9}', 'a'), JSONExtractInt('{"a":"12"}', 'a'), JSONExtractInt('{"a":"1.5"}', 'a'), JSONExtractInt('{"a":true}', 'a'), JSONExtractInt('{"a":-1.5}', 'a'), JSONExtractUInt('{"a":-1}', 'a')

-- json_texts_2
SELECT JSONExtractFloat('{"a":"1.5"}', 'a'), JSONExtractFloat('{"a":"x"}', 'a'), JSONExtractFloat('{"a":true}', 'a'), JSONExtractBool('{"a":1}', 'a'), JSONExtractBool('{"a":"true"}', 'a'), JSONExtractString('{"a":1.50}', 'a'), JSONExtractString('{"a":[1, 2]}', 'a'), JSONExtractString('{"a":null}', 'a')

-- json_raw
SELECT JSONExtractRaw('{"a": [1, 2 , {"b" : 1.0}]}', 'a'), JSONExtractRaw('{"a": "x\\u00e9"}', 'a'), JSONExtractRaw('{"a": 1e5}', 'a'), JSONExtractRaw('{"a": 1.10}', 'a'), JSONExtractRaw('[1,2,3]', 2), JSONExtractRaw('[1,2,3]', 0), JSONExtractRaw('[1,2,3]', 5), JSONExtractRaw('{"a":1,"b":2}', 2)

-- json_raw_2
SELECT JSONExtractString('{"a":{"b":"c"}}', 'a', 'b'), JSONExtractArrayRaw('[1,"a",[2],{"x":1}]'), JSONExtractArrayRaw('{"a":1}'), JSONExtractKeys('{"b":1,"a":2}'), JSONLength('{"a":1,"b":2}'), JSONLength('[]'), JSONHas('{"a":null}', 'a')

-- json_raw_3
SELECT JSONHas('[1]', 1), JSONHas('[1]', 2)

-- json_valid
SELECT isValidJSON('{}'), isValidJSON('junk'), isValidJSON(''), isValidJSON('1'), isValidJSON('{a:1}'), isValidJSON('[1,]')

-- json_valid_2
SELECT toInt(properties.place) AS p, isValidJSON(properties.text) FROM events WHERE event = 'odd' AND properties.text != 'NaN' ORDER BY timestamp

-- json_valid_3
SELECT JSONExtract('{"a":[1,"2",null]}', 'a', 'Array(Nullable(Int64))'), JSONExtract('{"a":"x"}', 'a', 'Nullable(String)'), JSONExtract('{"a":null}', 'a', 'Nullable(String)'), JSONExtract('{"a":null}', 'a', 'String'), JSONExtract('[1,2]', 'Array(Int64)')

-- array_elements
SELECT [1, 2, 3][2], [1, 2, 3][-1], [1, 2, 3][9], ['a'][2], [NULL, 1][1]

-- array_maps
SELECT arrayMap(x -> x * 2, [1, 2, 3]), arrayMap(x -> concat(x, '!'), ['a', 'b'])

-- array_maps_2
SELECT toInt(properties.place) AS p, arrayMap(x -> x + toFloat(properties.text), [1, 2]), arrayMap(x -> properties.text, [1, 2]) FROM events WHERE event = 'odd' AND properties.text != 'NaN' ORDER BY timestamp

-- array_maps_3
SELECT arrayMap(x -> (x, x + 1), [1, 2]), arrayMap(x -> x > 1, [1, 2]), arrayMap(x -> toString(x), [1.0, 2.5]), arrayMap(x -> NULL, [1]), arrayMap((x, y) -> x || y, ['a', 'b'], ['c', 'd'])

-- array_filters
SELECT arrayFilter(x -> x IS NOT NULL, [1, NULL, 2]), arrayFilter(x -> x != '', splitByChar(',', 'a,,b')), arrayFilter((x, y) -> y > 1, [1, 2, 3], [0, 2, 3])

-- array_filters_2
SELECT toInt(properties.place) AS p, arrayFilter(x -> x > toFloat(properties.text), [0, 1, 2]), arrayExists(x -> x = properties.text, ['abc', '1']) FROM events WHERE event = 'odd' AND properties.text != 'NaN' ORDER BY timestamp

-- array_filters_3
SELECT arrayAll(x -> x > 1, []), arrayExists(x -> x > 1, []), arrayCount(x -> x > 1, [1, 2, 3]), arrayCount([1, 0, 2])

-- array_sums
SELECT arraySum([1.5, 2]), arrayAvg([1, 2]), arrayMin([3, 1]), arrayMin(x -> -x, [1, 2]), arrayMax(['a', 'b'])

-- array_order
SELECT arraySort([3, 1, 2]), arraySort(['b', 'A', 'a']), arraySort([2, NULL, 1]), arrayReverseSort([2, NULL, 1]), arraySort(x -> -x, [1, 3, 2]), arraySort((x, y) -> y, ['a', 'b'], [2, 1]), arraySort([1.5, 0 / 0, 1]), arrayFirst(x -> x > 5, [1, 2]), arrayFirst(x -> x > 1, [1, 2, 3])

-- array_order_2
SELECT arrayLast(x -> x > 1, [1, 2, 3]), arrayFirstIndex(x -> x > 1, [1, 2, 3]), arrayLastIndex(x -> x > 9, [1, 2, 3])

-- array_changes
SELECT arrayReverse([1, 2]), arrayDistinct([1, 1, NULL, 2]), arrayCompact([1, 1, 2, 1]), arraySlice([1, 2, 3, 4], 2), arraySlice([1, 2, 3, 4], -2), arraySlice([1, 2, 3, 4], -2, 1), arraySlice([1, 2, 3, 4], 2, -1), arraySlice([1, 2, 3], 1, 0), arraySlice([1, 2, 3], 0)

-- array_changes_2
SELECT arrayConcat([1], [2.5]), arrayConcat([1], [NULL]), arrayConcat(['a'], []), arrayPushBack([1], 2), arrayPushFront([1], 0), arrayPopBack([1, 2]), arrayPopFront([1]), arrayZip([1, 2], ['a', 'b'])

-- array_changes_3
SELECT arrayUniq([1, 1, 2]), arrayUniq([NULL, 1]), arrayEnumerate([5, 6])

-- array_arithmetic
SELECT arrayCumSum([1, 2, 3]), arrayCumSum([1.5, 2]), arrayCumSum([1, -2]), arrayDifference([1, 4, 2]), arrayIntersect([1, 2, 2], [2, 3]), arrayFlatten([[1], [2, 3]]), arrayFlatten([[[1]], [[2]]]), arrayWithConstant(3, 'a'), arrayWithConstant(0, 1)

-- array_arithmetic_2
SELECT range(3), range(1, 4), range(1, 10, 3), range(0)

-- array_members
SELECT has([1, 2], 2), has([1, NULL], NULL), has(['a'], 'b'), has([1, 2], NULL)

-- array_members_2
SELECT toInt(properties.place) AS p, has(splitByChar(',', 'a,b'), properties.text) FROM events WHERE event = 'odd' AND properties.text != 'NaN' ORDER BY timestamp

-- array_members_3
SELECT hasAny([1, 2], [2]), hasAny([1], []), hasAll([1, 2], []), hasAll([1, 2], [1, 3]), indexOf([1, 2, 1], 1), indexOf([1], 5), indexOf([NULL, 1], NULL), length([1, 2, 3]), length([])

-- tuples
SELECT (1, 'a')

-- tuples_2
SELECT tuple(1, 'a').2, (1, 'a').1, tupleElement((1, 'a'), 2), (1, 2) = (1, 2), (1, 'a') IN ((1, 'a'), (2, 'b')), (1, NULL) IN ((1, NULL))

-- tuples_3
SELECT toInt(properties.place) AS p, (1, properties.text) IN ((1, 'abc')) FROM events WHERE event = 'odd' AND properties.text != 'NaN' ORDER BY timestamp

-- array_literals
SELECT [1, 2] = [1, 2], [1, 2] < [1, 3], [1, 2.5], [1, -1], [[1], [2, 3]], [], [(1, 'a'), (2, 'b')], [true, false]

-- array_literals_2
SELECT [toDate('2026-01-01')], [today()]

-- array_literals_3
SELECT toInt(properties.place) AS p, [timestamp], (timestamp, 1) FROM events WHERE event = 'odd' AND properties.text != 'NaN' ORDER BY timestamp

-- array_of_arrays
SELECT arrayMap(x -> arrayMap(y -> x * y, [1, 2]), [3, 4]), arrayMap(x -> arrayFilter(y -> y > x, [1, 2, 3]), [1, 2]), arrayMap(x -> x.1, [(1, 'a'), (2, 'b')]), arrayMap(x -> length(x), [[1], [1, 2]]), arrayMap(x -> if(x > 1, 'a', 'b'), [1, 2])

-- array_join_places
SELECT toInt(properties.place) AS p, arrayElement(['a'], toInt(properties.place)) FROM events WHERE event = 'odd' AND properties.text != 'NaN' ORDER BY timestamp

-- array_join_places_2
SELECT arrayStringConcat(arrayMap(x -> toString(x), [1, 2]), ',')

-- aggregate
SELECT sum(toFloat(properties.nothing)), avg(toFloat(properties.nothing)), min(properties.nothing), max(toFloat(properties.nothing)), argMax(event, properties.nothing), groupArray(properties.nothing), median(toFloat(properties.nothing)), quantile(0.9)(toFloat(properties.nothing)), uniq(properties.nothing), any(properties.nothing), stddevPop(toFloat(properties.nothing)) FROM events

-- aggregate_2
SELECT sumIf(toInt(properties.place), 0), avgIf(toFloat(properties.place), 0), minIf(toInt(properties.place), 0), countIf(0), countIf(NULL), uniqIf(event, 0), groupArrayIf(event, 0), maxIf(1, 0), minIf(event, 0), anyIf(event, 0), argMaxIf(event, timestamp, 0), medianIf(1, 0), quantileIf(0.5)(1, 0) FROM events

-- aggregate_3
SELECT sum(1), sum(1.5), sum(-1), avg(1), min(true), max(1.5), sum(true), min(toDate(timestamp)), max(timestamp), avg(toInt(properties.place)) FROM events WHERE event = 'odd'

-- aggregate_4
SELECT sum(toInt(properties.place)), sum(toFloat(properties.place)), min(properties.place), max(properties.place), min(toInt(properties.place)) FROM events WHERE event = 'odd'

-- aggregate_5
SELECT countIf(toFloat(properties.score) > 0.5), countIf(properties.score > '0.5'), countIf(properties.score != 'x'), countIf(properties.nothing = 'x'), countIf(NOT properties.nothing = 'x') FROM events

-- aggregate_6
SELECT count(DISTINCT properties.project), uniq(properties.project, properties.client), countDistinct(event), uniqExact(toFloat(properties.score)) FROM events WHERE event != 'odd'

-- aggregate_7
SELECT quantile(toFloat(properties.place)), quantile(0)(toFloat(properties.place)), quantile(1)(toFloat(properties.place)), quantile(0.33)(toFloat(properties.place)), quantileExact(0.5)(toInt(properties.place)), quantiles(0.1, 0.9)(toFloat(properties.place)), median(toInt(properties.place)) FROM events WHERE event = 'odd'

-- aggregate_8
SELECT stddevPop(toFloat(properties.place)), stddevSamp(toFloat(properties.place)), varPop(toFloat(properties.place)), varSamp(toFloat(properties.place)), corr(toFloat(properties.place), toFloat(properties.place) * 2), covarPop(toFloat(properties.place), 1), covarSamp(toFloat(properties.place), toFloat(properties.place)), avgWeighted(toFloat(properties.place), 2) FROM events WHERE event = 'odd'

-- aggregate_9
SELECT stddevSamp(1), varSamp(1), corr(1, 1), covarSamp(1, 1), stddevPop(1)

-- aggregate_10
SELECT topK(3)(event), topK(2)(properties.client) FROM events WHERE event IN ('round_started', 'round_kept', 'odd')

-- aggregate_11
SELECT groupArray(toInt(properties.place)) FROM (SELECT properties FROM events WHERE event = 'odd' ORDER BY timestamp)

-- aggregate_12
SELECT groupArray(3)(toInt(properties.place)) FROM (SELECT properties FROM events WHERE event = 'odd' ORDER BY timestamp DESC)

-- aggregate_13
SELECT arraySort(groupUniqArray(properties.score)) FROM events WHERE event = 'round_scored'

-- aggregate_14
SELECT groupArray((toInt(properties.place), event)) FROM (SELECT event, properties FROM events WHERE event = 'odd' ORDER BY timestamp LIMIT 2)

-- aggregate_15
SELECT argMax(properties.round_id, toFloat(properties.cost_usd)), argMin(properties.round_id, toFloat(properties.cost_usd)) FROM events WHERE event = 'round_kept'

-- group
SELECT properties.project AS p, max(toFloat(properties.score)) AS m FROM events WHERE event = 'round_scored' GROUP BY p ORDER BY m DESC, p

-- group_2
SELECT properties.project AS p FROM events GROUP BY p ORDER BY p DESC

-- group_3
SELECT properties.nothing AS p, count() FROM events GROUP BY p

-- group_4
SELECT toFloat(properties.score) > 0.5 AS good, count() FROM events WHERE event = 'round_scored' GROUP BY good ORDER BY good

-- group_5
SELECT event, count() AS c FROM events GROUP BY event HAVING c > 30 ORDER BY c, event

-- group_6
SELECT event, count() AS c FROM events GROUP BY event HAVING count() > 30 AND event LIKE 'round%' ORDER BY c, event

-- group_7
SELECT count() AS c FROM events HAVING c > 100000

-- group_8
SELECT 1 HAVING 0

-- group_9
SELECT event AS e, count() FROM events WHERE e != 'odd' GROUP BY e ORDER BY count() DESC, e LIMIT 2

-- group_10
SELECT upper(event) AS event, count() FROM events GROUP BY event ORDER BY event

-- group_11
SELECT event, upper(event) AS u, count() FROM events GROUP BY event, u ORDER BY u DESC

-- group_12
SELECT count() + 1, count() / 2, if(count() > 5, 'many', 'few'), concat('n=', toString(count())) FROM events

-- group_13
SELECT event, count() * 100.0 / (SELECT count() FROM events) AS share FROM events GROUP BY event ORDER BY share DESC, event

-- distinct_and_order
SELECT DISTINCT properties.project FROM events ORDER BY properties.project

-- distinct_and_order_2
SELECT DISTINCT properties.project AS p, properties.client AS c FROM events WHERE event = 'round_kept' ORDER BY p, c

-- distinct_and_order_3
SELECT DISTINCT event FROM events ORDER BY event LIMIT 2

-- distinct_and_order_4
SELECT toFloat(properties.text) AS f, toInt(properties.place) AS p FROM events WHERE event = 'odd' AND properties.text != 'NaN' ORDER BY f, p

-- distinct_and_order_5
SELECT toFloat(properties.text) AS f, toInt(properties.place) AS p FROM events WHERE event = 'odd' AND properties.text != 'NaN' ORDER BY f DESC, p DESC

-- distinct_and_order_6
SELECT properties.text AS s, toInt(properties.place) AS p FROM events WHERE event = 'odd' ORDER BY s DESC, p

-- distinct_and_order_7
SELECT properties.score IS NULL AS z, count() FROM events GROUP BY z ORDER BY z

-- distinct_and_order_8
SELECT event, properties.round_id AS r FROM events WHERE event LIKE 'round_%' ORDER BY r, event LIMIT 1 BY r LIMIT 5

-- distinct_and_order_9
SELECT event, count() AS c FROM events GROUP BY event ORDER BY c DESC, event LIMIT 1 BY c

-- join
SELECT a.r, b.r FROM (SELECT 1 AS r UNION ALL SELECT NULL AS r) AS a LEFT JOIN (SELECT NULL AS r UNION ALL SELECT 2 AS r) AS b ON a.r = b.r ORDER BY a.r

-- join_2
SELECT a.r, b.r FROM (SELECT 1 AS r UNION ALL SELECT NULL AS r) AS a FULL JOIN (SELECT NULL AS r UNION ALL SELECT 2 AS r) AS b ON a.r = b.r ORDER BY a.r, b.r

-- join_3
SELECT a.r, b.s FROM (SELECT 'x' AS r) AS a LEFT JOIN (SELECT 'y' AS r, 'z' AS s) AS b ON a.r = b.r

-- join_4
SELECT a.r, b.s, b.n, b.t, b.d FROM (SELECT 'x' AS r) AS a LEFT JOIN (SELECT 'y' AS r, 1 AS n, 'z' AS s, now() AS t, today() AS d) AS b ON a.r = b.r

-- join_5
SELECT a.r, b.s FROM (SELECT 'x' AS r) AS a RIGHT JOIN (SELECT 'y' AS r, 'z' AS s) AS b ON a.r = b.r

-- join_6
SELECT a.n, b.n FROM (SELECT 1 AS k, 1 AS n UNION ALL SELECT 1 AS k, 2 AS n) AS a JOIN (SELECT 1 AS k, 3 AS n UNION ALL SELECT 1 AS k, 4 AS n) AS b ON a.k = b.k ORDER BY a.n, b.n

-- join_7
SELECT a.n, b.n FROM (SELECT 1 AS n) AS a CROSS JOIN (SELECT arrayJoin([3, 4]) AS n) AS b ORDER BY b.n

-- join_8
SELECT k, a.n, b.m FROM (SELECT 1 AS k, 1 AS n) AS a JOIN (SELECT 1 AS k, 3 AS m) AS b USING (k)

-- join_9
SELECT k, b.m FROM (SELECT 1 AS k) AS a LEFT JOIN (SELECT 2 AS k, 3 AS m) AS b USING (k)

-- join_10
SELECT a.event, b.event, count() FROM events AS a LEFT JOIN events AS b ON a.properties.round_id = b.properties.round_id AND b.event = 'round_kept' WHERE a.event = 'round_scored' GROUP BY a.event, b.event ORDER BY b.event

-- join_11
SELECT a.k, b.k, c.k FROM (SELECT 1 AS k) AS a LEFT JOIN (SELECT 1 AS k) AS b ON a.k = b.k LEFT JOIN (SELECT 2 AS k) AS c ON b.k = c.k

-- join_12
SELECT a.k + b.k AS s FROM (SELECT 1 AS k) AS a LEFT JOIN (SELECT 5 AS k) AS b ON a.k = b.k WHERE b.k = 0

-- join_13
SELECT count() FROM (SELECT 1 AS k) AS a LEFT JOIN (SELECT 5 AS k, 'x' AS s) AS b ON a.k = b.k WHERE b.s = ''

-- join_14
SELECT count() FROM (SELECT 1 AS k) AS a LEFT JOIN (SELECT 5 AS k, 'x' AS s) AS b ON a.k = b.k WHERE b.s IS NULL

-- set
SELECT 1 AS a UNION ALL SELECT 2.5 AS a UNION ALL SELECT NULL AS a ORDER BY a

-- set_2
SELECT 1 AS a UNION DISTINCT SELECT 1 AS a

-- set_3
SELECT 'a' AS a UNION ALL SELECT NULL AS a

-- set_4
SELECT arrayJoin([1, 1, 2]) AS a INTERSECT SELECT arrayJoin([1, 1, 3]) AS a

-- set_5
SELECT arrayJoin([1, 1, 2]) AS a EXCEPT SELECT arrayJoin([2]) AS a

-- set_6
SELECT today() AS d UNION ALL SELECT toDate('2026-01-01') AS d

-- set_7
SELECT toDate('2026-01-01') AS d UNION ALL SELECT toDateTime('2026-01-02 03:04:05') AS d

-- set_8
SELECT -1 AS a UNION ALL SELECT 1 AS a

-- set_9
SELECT [1] AS a UNION ALL SELECT [2.5] AS a

-- with
WITH x AS (SELECT 1 AS n) SELECT n FROM x

-- with_2
WITH x AS (SELECT 1 AS n), y AS (SELECT n + 1 AS n FROM x) SELECT x.n, y.n FROM x CROSS JOIN y

-- with_3
WITH 5 AS n SELECT n + 1

-- with_4
WITH 'odd' AS name SELECT count() FROM events WHERE event = name

-- with_5
WITH events AS (SELECT 'shadow' AS event) SELECT event FROM events

-- with_6
WITH x AS (SELECT 1 AS n) SELECT n FROM (WITH x AS (SELECT 2 AS n) SELECT n FROM x)

-- with_7
WITH x AS (SELECT 1 AS n) SELECT (SELECT n FROM x) + 1

-- with_8
WITH toDate(timestamp) AS d SELECT d, count() FROM events GROUP BY d ORDER BY d

-- with_9
WITH x AS (SELECT 1 AS n) SELECT n FROM x UNION ALL SELECT n + 1 FROM x

-- sub_select
SELECT (SELECT max(timestamp) FROM events) AS m, (SELECT 1 WHERE 0) AS nothing

-- sub_select_2
SELECT event FROM events WHERE timestamp = (SELECT max(timestamp) FROM events)

-- sub_select_3
SELECT count() FROM events WHERE event IN (SELECT event FROM events WHERE event LIKE 'round%')

-- sub_select_4
SELECT count() FROM events WHERE event NOT IN (SELECT event FROM events WHERE 0)

-- sub_select_5
SELECT count() FROM events WHERE (event, properties.client) IN (SELECT event, properties.client FROM events WHERE event = 'round_kept')

-- sub_select_6
SELECT count() FROM events WHERE properties.project NOT IN (SELECT properties.project FROM events WHERE event = 'round_kept')

-- sub_select_7
SELECT count() FROM events WHERE NOT (properties.project IN ('autoagent'))

-- window
SELECT sum(n) OVER (ORDER BY n) AS s, n FROM (SELECT arrayJoin([1, 2, 2, 3]) AS n) ORDER BY n, s

-- window_2
SELECT sum(n) OVER (ORDER BY n ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS s, n FROM (SELECT arrayJoin([1, 2, 2, 3]) AS n) ORDER BY n, s

-- window_3
SELECT n, sum(n) OVER (ORDER BY n ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) AS s FROM (SELECT arrayJoin([1, 2, 3]) AS n) ORDER BY n

-- window_4
SELECT n, sum(n) OVER (ORDER BY n ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS s FROM (SELECT arrayJoin([1, 2, 3]) AS n) ORDER BY n

-- window_5
SELECT n, sum(n) OVER (ORDER BY n ROWS BETWEEN 2 PRECEDING AND 1 PRECEDING) AS s FROM (SELECT arrayJoin([1, 2, 3]) AS n) ORDER BY n

-- window_6
SELECT n, row_number() OVER (ORDER BY n) AS r, rank() OVER (ORDER BY n) AS k, dense_rank() OVER (ORDER BY n) AS d, percent_rank() OVER (ORDER BY n) AS p FROM (SELECT arrayJoin([1, 2, 2, 3]) AS n) ORDER BY n, r

-- window_7
SELECT n, lagInFrame(n) OVER (ORDER BY n) AS a, lagInFrame(n, 2) OVER (ORDER BY n) AS b, lagInFrame(n, 1, 99) OVER (ORDER BY n) AS c, lag(n) OVER (ORDER BY n) AS d FROM (SELECT arrayJoin([1, 2, 3]) AS n) ORDER BY n

-- window_8
SELECT n, leadInFrame(n) OVER (ORDER BY n ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS a, lead(n) OVER (ORDER BY n) AS b FROM (SELECT arrayJoin([1, 2, 3]) AS n) ORDER BY n

-- window_9
SELECT n, lagInFrame(s) OVER (ORDER BY n) AS a FROM (SELECT arrayJoin([1, 2, 3]) AS n, 'x' AS s) ORDER BY n

-- window_10
SELECT n, first_value(n) OVER (ORDER BY n) AS a, last_value(n) OVER (ORDER BY n) AS b FROM (SELECT arrayJoin([1, 2, 3]) AS n) ORDER BY n

-- window_11
SELECT n, avg(n) OVER () AS a, count() OVER (PARTITION BY n % 2) AS c, max(n) OVER (PARTITION BY n % 2 ORDER BY n) AS m FROM (SELECT arrayJoin([1, 2, 3]) AS n) ORDER BY n

-- window_12
SELECT n, countIf(n > 1) OVER (ORDER BY n) AS a, sumIf(n, n > 1) OVER (ORDER BY n) AS b FROM (SELECT arrayJoin([1, 2, 3]) AS n) ORDER BY n

-- window_13
SELECT n, sum(n) OVER w AS s FROM (SELECT arrayJoin([1, 2, 3]) AS n) WINDOW w AS (ORDER BY n DESC) ORDER BY n

-- window_14
SELECT n FROM (SELECT arrayJoin([1, 2, 3]) AS n) QUALIFY row_number() OVER (ORDER BY n DESC) = 1

-- window_15
SELECT event, count() AS c, sum(c) OVER (ORDER BY event) AS run FROM events GROUP BY event ORDER BY event

-- window_16
SELECT n, max(x) OVER (ORDER BY n) AS m FROM (SELECT arrayJoin([1, 2, 3]) AS n, if(n = 2, NULL, n) AS x) ORDER BY n

-- window_17
SELECT n, row_number() OVER (ORDER BY x) AS r FROM (SELECT arrayJoin([1, 2, 3]) AS n, if(n = 2, NULL, n) AS x) ORDER BY n

-- window_18
SELECT n, row_number() OVER (ORDER BY x DESC) AS r FROM (SELECT arrayJoin([1, 2, 3]) AS n, if(n = 2, NULL, n) AS x) ORDER BY n

-- array_join_of_rows
SELECT arrayJoin([1, 2]) AS a, arrayJoin(['x', 'y']) AS b ORDER BY a, b

-- array_join_of_rows_2
SELECT arrayJoin([1, NULL]) AS a

-- array_join_of_rows_3
SELECT count() FROM events WHERE arrayJoin([1, 2]) = 1 AND event = 'odd'

-- array_join_of_rows_4
SELECT arrayJoin([1, 2]) AS a, count() FROM events WHERE event = 'odd' GROUP BY a ORDER BY a

-- array_join_of_rows_5
SELECT sum(arrayJoin([1, 2, 3]))

-- array_join_of_rows_6
SELECT k, arrayJoin(vs) AS v FROM (SELECT 'a' AS k, [1, 2] AS vs) ORDER BY v

-- array_join_of_rows_7
SELECT k, v FROM (SELECT 'a' AS k, [1, 2] AS vs) ARRAY JOIN vs AS v ORDER BY v

-- array_join_of_rows_8
SELECT k, v, w FROM (SELECT 'a' AS k, [1, 2] AS vs) ARRAY JOIN vs AS v, arrayMap(x -> x * 10, vs) AS w ORDER BY v

-- array_join_of_rows_9
SELECT k, v FROM (SELECT 'a' AS k, arrayFilter(x -> x > 9, [1, 2]) AS vs) LEFT ARRAY JOIN vs AS v

-- array_join_of_rows_10
SELECT x, count() FROM events ARRAY JOIN splitByChar('_', event) AS x GROUP BY x ORDER BY x

-- names
SELECT tuple(1, 'a') AS t, t.1, t.2

-- names_2
SELECT 1 AS a, a + 1 AS b, b * 2 AS c

-- names_3
SELECT event AS timestamp FROM events ORDER BY timestamp LIMIT 1

-- names_4
SELECT count() FROM events WHERE timestamp BETWEEN now() - INTERVAL 4 DAY AND now()

-- names_5
SELECT toStartOfInterval(timestamp, INTERVAL 6 HOUR) AS b, count() FROM events GROUP BY b ORDER BY b

-- names_6
SELECT count() FROM events WHERE properties.project = {project} OR {project} = ''

-- names_7
SELECT event FROM events WHERE 1 ORDER BY timestamp, uuid LIMIT 3

-- names_8
SELECT event FROM events WHERE 'a' = 'a' LIMIT 0

-- names_9
SELECT * FROM (SELECT 1 AS a, 2 AS b)

-- names_10
SELECT t.* FROM (SELECT 1 AS a, 2 AS b) AS t

-- names_11
SELECT count(*) FROM events AS e WHERE e.event = 'odd' AND e.properties.place = '3'

-- names_12
SELECT e.properties.place FROM events AS e WHERE e.event = 'odd' AND e.timestamp < '2026-03-29' ORDER BY e.timestamp LIMIT 2

-- more_aggregates
SELECT sum(if(event = 'odd', 1, 0)), sum(event = 'odd'), avg(event = 'odd'), max(event = 'odd') FROM events

-- more_aggregates_2
SELECT event = 'odd' AS o, count() FROM events GROUP BY o ORDER BY o

-- more_aggregates_3
SELECT min(x), max(x), sum(x) FROM (SELECT arrayJoin([3, NULL, 1]) AS x)

-- more_aggregates_4
SELECT groupArray(x), groupUniqArray(x), count(x), count() FROM (SELECT arrayJoin([3, NULL, 3]) AS x)

-- more_aggregates_5
SELECT avg(x) FROM (SELECT arrayJoin([9223372036854775807, 9223372036854775807]) AS x)

-- more_aggregates_6
SELECT maxIf(x, x < 3), minIf(x, NULL), sumIf(x, x > NULL), avgIf(x, x > 100) FROM (SELECT arrayJoin([3, NULL, 1]) AS x)

-- more_aggregates_7
SELECT count() FILTER (WHERE x > 1), sum(x) FILTER (WHERE x > 1) FROM (SELECT arrayJoin([3, NULL, 1]) AS x)

-- captured
SELECT arrayMap(x -> x + n, [1, 2]) FROM (SELECT arrayJoin([10, 20]) AS n) ORDER BY 1

-- captured_2
SELECT arrayMap(x -> n, [1, 2]), arraySum(x -> n, [1, 2]), arrayFilter(x -> n > 10, [1, 2]), arrayCount(x -> n > 10, [1, 2]), arrayExists(x -> n > 10, [1]), arrayMax(x -> n, [1]), arraySort(x -> n, [2, 1]), arrayFirst(x -> n > 10, [7]) FROM (SELECT arrayJoin([10, 20]) AS n) ORDER BY n

-- captured_3
SELECT sum(arraySum(x -> n, [1, 2])), groupArray(length(arrayMap(x -> n, [1, 2]))) FROM (SELECT arrayJoin([10, 20]) AS n)

-- captured_4
SELECT arrayMap(x -> x + max(n), [1, 2]) FROM (SELECT arrayJoin([10, 20]) AS n)

-- captured_5
SELECT arrayMap(x -> x, groupArray(n)) FROM (SELECT arrayJoin([10, 20]) AS n)

-- captured_6
SELECT length(groupArray(n)) AS l, arraySum(groupArray(n)) AS s, l + s FROM (SELECT arrayJoin([10, 20]) AS n)

-- others
SELECT round(avg(x), 2), round(stddevPop(x), 4), quantile(0.25)(x) FROM (SELECT arrayJoin([1, 2, 4, 8]) AS x)

-- others_2
SELECT quantileExact(0.5)(x), quantileExact(x), medianIf(x, x > 1) FROM (SELECT arrayJoin([1, 2, 4, 8]) AS x)

-- others_3
SELECT anyLast(x) FROM (SELECT arrayJoin([1, 2, 4]) AS x)

-- others_4
SELECT countIf(x, x > 1) FROM (SELECT arrayJoin([1, 2, NULL]) AS x)

-- others_5
SELECT uniqIf(x, x > 1), sumIf(x * 2, x > 1) FROM (SELECT arrayJoin([1, 2, NULL]) AS x)

-- others_6
SELECT toInt(properties.n) FROM (SELECT properties FROM events WHERE event = 'odd' LIMIT 1)

-- others_7
SELECT event, count() FROM events GROUP BY ALL ORDER BY event

-- others_8
SELECT max(toDate(timestamp)) - min(toDate(timestamp)) FROM events

-- others_9
SELECT dateDiff('hour', min(timestamp), max(timestamp)) FROM events

-- others_10
SELECT concat(event, toString(count())) AS s FROM events GROUP BY event ORDER BY s

-- others_11
SELECT lower(event) IN ('odd') AS x, count() FROM events GROUP BY x ORDER BY x

-- others_12
SELECT nullIf(event, 'odd') AS e, count() FROM events GROUP BY e ORDER BY e

-- others_13
SELECT toStartOfHour(timestamp) AS h, countIf(event = 'odd') AS o FROM events GROUP BY h HAVING o > 0 ORDER BY h LIMIT 3

-- array_join_of_rows_11
SELECT arrayJoin([1, 2]) + arrayJoin([10, 20]) AS s ORDER BY s

-- array_join_of_rows_12
SELECT arrayJoin([1, 2]) AS a, a + 1, arrayJoin(splitByChar(',', 'x,y')) AS b ORDER BY a, b

-- array_join_of_rows_13
SELECT arrayMap(x -> x + arrayJoin([1, 2]), [1]) AS m ORDER BY m[1]

-- array_join_of_rows_14
SELECT event, arrayJoin(range(toInt(properties.place) % 3)) AS n FROM events WHERE event = 'odd' AND toInt(properties.place) < 8 ORDER BY timestamp, n

-- mixed
SELECT DISTINCT event FROM events ORDER BY length(event), event

-- mixed_2
SELECT event FROM events WHERE event IN (SELECT event FROM events GROUP BY event HAVING count() > 36) GROUP BY event ORDER BY event

-- mixed_3
SELECT a.x, b.x, c.x FROM (SELECT arrayJoin([1, 2]) AS x) AS a LEFT JOIN (SELECT 1 AS x) AS b ON a.x = b.x LEFT JOIN (SELECT 2 AS x) AS c ON a.x = c.x ORDER BY a.x

-- mixed_4
SELECT a.x, count(b.x), sum(b.x), max(b.s) FROM (SELECT arrayJoin([1, 2]) AS x) AS a LEFT JOIN (SELECT 1 AS x, 's' AS s) AS b ON a.x = b.x GROUP BY a.x ORDER BY a.x

-- mixed_5
SELECT a.x FROM (SELECT arrayJoin([1, 2, NULL]) AS x) AS a JOIN (SELECT arrayJoin([1, NULL]) AS x) AS b ON a.x = b.x

-- mixed_6
SELECT a.x FROM (SELECT arrayJoin([1, 2]) AS x) AS a JOIN (SELECT arrayJoin([1, 3]) AS y) AS b ON a.x < b.y ORDER BY a.x

-- mixed_7
SELECT count() FROM (SELECT 1 AS x) AS a LEFT JOIN (SELECT toDate('2026-01-01') AS d, now() AS t, [1] AS l, 1.5 AS f WHERE 0) AS b ON 1 = 1

-- mixed_8
SELECT b.d, b.l, b.f, b.u, b.n FROM (SELECT 1 AS x) AS a LEFT JOIN (SELECT 2 AS x, toDate('2026-01-01') AS d, [1] AS l, 1.5 AS f, toNullable('x') AS u, true AS n) AS b ON a.x = b.x

-- mixed_9
SELECT x, sum(y) OVER (PARTITION BY x ORDER BY y) AS s FROM (SELECT 1 AS x, arrayJoin([3, 1, 2]) AS y) ORDER BY s

-- mixed_10
SELECT x, count() AS n FROM (SELECT if(number % 2 = 0, NULL, 'a') AS x FROM (SELECT arrayJoin(range(5)) AS number)) GROUP BY x ORDER BY x

-- mixed_11
SELECT max(x) AS m, min(x) AS n, m - n AS d FROM (SELECT arrayJoin([3, 8]) AS x)

-- mixed_12
SELECT x AS y, y + 1 AS z FROM (SELECT 1 AS x) WHERE z = 2

-- mixed_13
SELECT if(x > 1, 'a', NULL) AS s, count() FROM (SELECT arrayJoin([1, 2, 3]) AS x) GROUP BY s ORDER BY s

-- mixed_14
SELECT arrayMap(t -> t.1, groupArray((x, y))) AS xs FROM (SELECT arrayJoin([1, 2]) AS x, 'q' AS y)

-- mixed_15
SELECT groupArray(x) AS l, arrayFilter(v -> v > 1, l) AS f, length(f) FROM (SELECT arrayJoin([1, 2, 3]) AS x)

-- mixed_16
SELECT arrayFilter(v -> v > n, [1, 2, 3]) AS f, count() FROM (SELECT arrayJoin([1, 2]) AS n) GROUP BY f ORDER BY length(f)

-- mixed_17
SELECT n, (SELECT max(x) FROM (SELECT arrayJoin([5, 6]) AS x)) AS m FROM (SELECT arrayJoin([1, 2]) AS n) ORDER BY n

-- mixed_18
SELECT count() FROM events WHERE (toDate(timestamp), event) IN (SELECT toDate(timestamp), event FROM events WHERE event = 'odd')

-- mixed_19
SELECT countIf(x IS NULL), countIf(x = ''), countIf(x != ''), countIf(NOT x = '') FROM (SELECT arrayJoin([NULL, '', 'a']) AS x)

-- mixed_20
SELECT x, x = NULL, x IN (NULL, 'a'), x NOT IN ('a'), NOT (x = 'a') FROM (SELECT arrayJoin([NULL, '', 'a']) AS x) ORDER BY x

-- mixed_21
SELECT sum(x) / count() AS a, avg(x) AS b, a = b FROM (SELECT arrayJoin([1, 2, 4]) AS x)

-- mixed_22
SELECT round(sum(x), 2), sum(x) > 1, sum(x) BETWEEN 1 AND 7 FROM (SELECT arrayJoin([1.005, 2, 4]) AS x)

-- mixed_23
SELECT toStartOfDay(timestamp) AS d, uniq(properties.round_id), arraySort(groupUniqArray(event)) FROM events GROUP BY d ORDER BY d

-- mixed_24
SELECT event, min(timestamp) AS first, max(timestamp) AS last, dateDiff('minute', first, last) FROM events GROUP BY event ORDER BY event

-- mixed_25
SELECT event, argMax(properties.round_id, timestamp) AS r, r = 'r39' FROM events WHERE event LIKE 'round%' GROUP BY event ORDER BY event

-- mixed_26
SELECT a, b FROM (SELECT 1 AS a, 2 AS b) UNION ALL SELECT b, a FROM (SELECT 3 AS a, 4 AS b)

-- mixed_27
SELECT x FROM (SELECT arrayJoin([3, 1, 2]) AS x ORDER BY x LIMIT 2) ORDER BY x DESC

-- mixed_28
SELECT x FROM (SELECT 1 AS x UNION ALL SELECT 2 AS x) ORDER BY x DESC LIMIT 1

-- mixed_29
WITH (SELECT max(x) FROM (SELECT arrayJoin([1, 9]) AS x)) AS top SELECT top + 1

-- mixed_30
WITH t AS (SELECT arrayJoin([1, 2]) AS x) SELECT a.x, b.x FROM t AS a JOIN t AS b ON a.x = b.x ORDER BY a.x

-- mixed_31
SELECT x, row_number() OVER (PARTITION BY y ORDER BY x DESC) AS r FROM (SELECT arrayJoin([1, 2, 3, 4]) AS x, x % 2 AS y) ORDER BY x

-- mixed_32
SELECT y, sum(x) AS s, rank() OVER (ORDER BY sum(x) DESC) AS r FROM (SELECT arrayJoin([1, 2, 3, 4]) AS x, x % 2 AS y) GROUP BY y ORDER BY y

-- mixed_33
SELECT x FROM (SELECT arrayJoin([1, 2, 2, 3]) AS x) ORDER BY x LIMIT 1 BY x

-- mixed_34
SELECT toFloat(x) AS f FROM (SELECT arrayJoin(['1', 'a', '', '2.5']) AS x) ORDER BY f

-- mixed_35
SELECT toFloat(x) AS f FROM (SELECT arrayJoin(['1', 'a', '', '2.5']) AS x) ORDER BY f DESC

-- mixed_36
SELECT NOT 1, NOT 0, NOT NULL IS NULL, 1 AND NOT 0

-- mixed_37
SELECT 1 + 2 * 3 - 4 / 2, (1 + 2) * 3, 7 % 3 * 2, -2 * -3, 2 - -2

-- mixed_38
SELECT 'a' || 'b' || toString(1), 'x' = 'x' AND 1, 1 < 2 = 1

-- mixed_39
SELECT count(DISTINCT x), uniq(x), uniqExact(x, y) FROM (SELECT arrayJoin([1, 1, NULL]) AS x, 2 AS y)

-- mixed_40
SELECT countIf(DISTINCT x, x > 0) FROM (SELECT arrayJoin([1, 1]) AS x)

-- mixed_41
SELECT toString(toDate('2026-01-31') + INTERVAL 1 MONTH), toString(toDateTime('2026-01-31 10:00:00') + INTERVAL 1 MONTH)

-- mixed_42
SELECT multiIf(x = 1, toDate('2026-01-01'), x = 2, NULL, toDate('2026-01-03')) AS d FROM (SELECT arrayJoin([1, 2, 3]) AS x) ORDER BY x

-- mixed_43
SELECT [x, NULL], [[x], []], (x, NULL), tuple(x, [x]) FROM (SELECT 1 AS x)

-- mixed_44
SELECT arraySum(x -> x.2, [(1, 2), (3, 4)]), arrayMap(x -> (x.2, x.1), [(1, 'a')])

-- mixed_45
SELECT arrayMap(x -> arrayMap(y -> (x, y), ['a']), [1, 2])

-- mixed_46
SELECT arrayJoin(arrayMap(x -> (x, x * 2), [1, 2])) AS t, t.1 + t.2 AS s ORDER BY s

-- mixed_47
SELECT t.1, t.2 FROM (SELECT arrayJoin([(1, 'a'), (2, 'b')]) AS t) ORDER BY t.1

-- mixed_48
SELECT arrayJoin(JSONExtractArrayRaw('[1,"a",{"b":2}]')) AS r ORDER BY r

-- mixed_49
SELECT p.1 AS k, count() FROM (SELECT arrayJoin(arrayMap(k -> (k, 1), JSONExtractKeys(properties))) AS p FROM events WHERE event = 'round_scored') GROUP BY k ORDER BY k

-- zones_together
SELECT if(1, toTimeZone(now(), 'UTC'), now()), if(1, now(), toTimeZone(now(), 'UTC')), [now(), toTimeZone(now(), 'UTC')]

-- zones_together_2
SELECT toInt(properties.place) AS p, if(toHour(timestamp) > 1, toDateTime(timestamp), toTimeZone(timestamp, 'UTC')) FROM events WHERE event = 'odd' AND properties.text != 'NaN' ORDER BY timestamp

-- zones_together_3
SELECT timestamp AS t FROM events WHERE event = 'odd' UNION ALL SELECT toTimeZone(timestamp, 'UTC') AS t FROM events WHERE event = 'odd' ORDER BY t

-- signs_of_zero
SELECT floor(-0.5), ceil(-0.5), toString(ceil(-0.5)), abs(-0.0), toString(abs(-0.0)), round(-0.4)

-- signs_of_zero_2
SELECT toInt(properties.place) AS p, toString(floor(toFloat(properties.text))) FROM events WHERE event = 'odd' AND properties.text != 'NaN' ORDER BY timestamp

-- first_of_equals
SELECT arrayDistinct(['b', 'a', 'b', 'c', 'a']), arrayDistinct(arrayConcat([3, 1], [1, 2]))
