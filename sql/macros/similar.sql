-- The rows that are most like the one of a key, without it, with the same columns as search().
-- By its vector where it has one, else by its telling words; mode says which, or both.
CREATE OR REPLACE TEMP MACRO "similar"(
    index, key,
    k := 10, mode := NULL, fields := NULL, weights := NULL, fusion := 'rrf', rrf_k := NULL,
    candidates := NULL, filter := NULL, min_score := NULL, distinct_by := NULL, exact := false,
    highlight := false, tie := 1.0, embedder := NULL, field_weights := NULL,
    min_similarity := NULL, ef := NULL, boost := NULL, diversity := NULL
) AS TABLE
SELECT COLUMNS(lambda name: highlight OR name <> '_highlight')
FROM (
    SELECT d.*, h.* EXCLUDE (_row) REPLACE (_highlight::JSON AS _highlight)
    FROM (
        SELECT unnest(
            hybridsearch_similar(
                index, CAST(key AS VARCHAR), k, mode, NULL, fields::VARCHAR[], 'any',
                to_json(weights)::VARCHAR, fusion, rrf_k, candidates,
                CASE WHEN typeof(filter) = 'VARCHAR' THEN CAST(filter AS VARCHAR) END,
                CASE WHEN typeof(filter) NOT IN ('VARCHAR', '"NULL"')
                    THEN coalesce(CAST(filter AS VARCHAR[]), []) END,
                min_score, distinct_by, exact, highlight, tie, 0,
                embedder, to_json(field_weights)::VARCHAR, min_similarity, ef,
                NULL, boost, diversity, NULL, NULL, NULL
            ),
            recursive := true
        )
    ) h,
    query(hybridsearch_relation(index, k)) d
)
ORDER BY _rank;
