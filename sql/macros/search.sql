-- The rows that an index finds, best first, with its columns and where they came from.
-- A filter that is a list holds ids; a filter that is text is the filter language. A list without
-- items, which list() over no rows makes null, allows nothing; an untyped null allows everything.
-- rows, numbers and names are what the front end makes of a WHERE: rows, or ids of either kind.
-- index and k decide where columns come from, so they are constants or parameters.
CREATE OR REPLACE TEMP MACRO search(
    index, query,
    k := NULL, mode := NULL, vector := NULL, fields := NULL, match := 'any', weights := NULL,
    fusion := 'rrf', rrf_k := NULL, candidates := NULL, filter := NULL, min_score := NULL,
    distinct_by := NULL, exact := false, highlight := false, tie := 1.0, typos := 0,
    embedder := NULL, field_weights := NULL, min_similarity := NULL, ef := NULL,
    locales := NULL, boost := NULL, diversity := NULL,
    "rows" := NULL, numbers := NULL, "names" := NULL
) AS TABLE
SELECT COLUMNS(lambda name: highlight OR name <> '_highlight')
FROM (
    SELECT d.*, h.* EXCLUDE (_row) REPLACE (_highlight::JSON AS _highlight)
    FROM (
        SELECT unnest(
            hybridsearch_search(
                index, query, k, mode, vector::FLOAT[], fields::VARCHAR[], match,
                to_json(weights)::VARCHAR, fusion, rrf_k, candidates,
                CASE WHEN typeof(filter) = 'VARCHAR' THEN CAST(filter AS VARCHAR) END,
                CASE WHEN typeof(filter) NOT IN ('VARCHAR', '"NULL"')
                    THEN coalesce(CAST(filter AS VARCHAR[]), []) END,
                min_score, distinct_by, exact, highlight, tie, typos,
                embedder, to_json(field_weights)::VARCHAR, min_similarity, ef,
                locales::VARCHAR[], boost, diversity,
                CASE WHEN typeof("rows") <> '"NULL"'
                    THEN coalesce(CAST("rows" AS BIGINT[]), []) END,
                CASE WHEN typeof(numbers) <> '"NULL"'
                    THEN coalesce(CAST(numbers AS BIGINT[]), []) END,
                CASE WHEN typeof("names") <> '"NULL"'
                    THEN coalesce(CAST("names" AS VARCHAR[]), []) END
            ),
            recursive := true
        )
    ) h,
    query(hybridsearch_relation(index, k)) d
)
ORDER BY _rank;
