-- The rows that an index finds, best first, with its columns and where they came from.
-- A filter that is a list holds ids; a filter that is text is the filter language. A list without
-- items, which list() over no rows makes null, allows nothing; an untyped null allows everything.
-- rows and numbers are what the front end makes of a WHERE: rows, or ids or prints of them. most is
-- what it makes of a LIMIT under ORDER BY _score: the k of hits that stand in the order of scores.
-- index and k decide where columns come from, so they are constants or parameters. query and vector
-- stand in one CAST each: a parameter that has a type by that is not bound anew at each execution;
-- until it has one its type is UNKNOWN.
CREATE OR REPLACE TEMP MACRO search(
    index, query,
    k := NULL, mode := NULL, vector := NULL, fields := NULL, match := 'any', weights := NULL,
    fusion := 'rrf', rrf_k := NULL, candidates := NULL, filter := NULL, min_score := NULL,
    distinct_by := NULL, exact := false, highlight := false, tie := 1.0, typos := 0,
    embedder := NULL, field_weights := NULL, min_similarity := NULL, ef := NULL,
    locales := NULL, boost := NULL, diversity := NULL,
    "rows" := NULL, numbers := NULL, most := NULL
) AS TABLE
SELECT COLUMNS(lambda name: highlight OR name <> '_highlight')
FROM (
    SELECT d.* EXCLUDE (_highlight), h.* EXCLUDE (_row, _highlight), d._highlight
    FROM (
        SELECT unnest(
            CASE WHEN found.error IS NULL THEN found.value ELSE error(found.error) END,
            recursive := true
        )
        FROM (
            SELECT hybridsearch_search(
                CAST(index AS VARCHAR),
                CASE WHEN typeof(query) LIKE '%]' OR typeof(query) LIKE 'STRUCT(%'
                    THEN error('search() takes text as query, not ' || typeof(query)
                        || '; many queries go into a LATERAL join')
                    ELSE CAST(query AS VARCHAR) END,
                CAST(to_json({
                    k: k, mode: mode, fields: fields, "match": match, weights: weights,
                    fusion: fusion, rrf_k: rrf_k, candidates: candidates,
                    "filter": CASE WHEN typeof(filter) = 'VARCHAR' THEN CAST(filter AS VARCHAR) END,
                    min_score: min_score, distinct_by: distinct_by, "exact": exact,
                    highlight: highlight, tie: tie, typos: typos, embedder: embedder,
                    field_weights: field_weights, min_similarity: min_similarity, ef: ef,
                    locales: locales, boost: boost, diversity: diversity, most: most
                }) AS VARCHAR),
                CASE WHEN typeof(vector) NOT LIKE '%]' AND typeof(vector) NOT IN ('"NULL"', 'UNKNOWN')
                    THEN error('search() takes a list of numbers as vector, not '
                        || typeof(vector))
                    ELSE CAST(vector AS FLOAT[]) END,
                CASE WHEN typeof(filter) LIKE '%]' THEN coalesce(CAST(filter AS VARCHAR[]), [])
                    WHEN typeof(filter) NOT IN ('VARCHAR', '"NULL"')
                    THEN error('search() takes text or a list of ids as filter, not '
                        || CAST(filter AS VARCHAR)) END,
                CASE WHEN typeof("rows") <> '"NULL"'
                    THEN coalesce(CAST("rows" AS BIGINT[]), []) END,
                CASE WHEN typeof(numbers) <> '"NULL"'
                    THEN coalesce(CAST(numbers AS BIGINT[]), []) END
            ) AS found
        )
    ) h,
    query(
        hybridsearch_relation(
            'search', CAST(index AS VARCHAR),
            CAST(to_json({k: k, highlight: highlight}) AS VARCHAR)
        )
    ) d
)
ORDER BY _rank;
