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
    SELECT d.* EXCLUDE (_highlight), h.* EXCLUDE (_row, _highlight), d._highlight
    FROM (
        SELECT unnest(
            CASE WHEN found.error IS NULL THEN found.value ELSE error(found.error) END,
            recursive := true
        )
        FROM (
            SELECT hybridsearch_similar(
                CAST(index AS VARCHAR), CAST(key AS VARCHAR),
                CAST(to_json({
                    k: k, mode: mode, fields: fields, weights: weights, fusion: fusion,
                    rrf_k: rrf_k, candidates: candidates,
                    "filter": CASE WHEN typeof(filter) = 'VARCHAR' THEN CAST(filter AS VARCHAR) END,
                    min_score: min_score, distinct_by: distinct_by, "exact": exact,
                    highlight: highlight, tie: tie, typos: 0, embedder: embedder,
                    field_weights: field_weights, min_similarity: min_similarity, ef: ef,
                    boost: boost, diversity: diversity
                }) AS VARCHAR),
                NULL,
                CASE WHEN typeof(filter) LIKE '%]' THEN coalesce(CAST(filter AS VARCHAR[]), [])
                    WHEN typeof(filter) NOT IN ('VARCHAR', '"NULL"')
                    THEN error('similar() takes text or a list of ids as filter, not '
                        || CAST(filter AS VARCHAR)) END,
                NULL, NULL
            ) AS found
        )
    ) h,
    query(
        hybridsearch_relation(
            'similar', CAST(index AS VARCHAR),
            CAST(to_json({k: k, highlight: highlight}) AS VARCHAR)
        )
    ) d
)
ORDER BY _rank;
