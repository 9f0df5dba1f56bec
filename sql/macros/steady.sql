-- search() by words for search_rank(): DuckDB orders a window by nothing that may be volatile, as
-- error() and search() itself are. What is wrong gives no rows here; search() says it.
CREATE OR REPLACE TEMP MACRO search_steady(
    index, query, match := 'any', fields := NULL, typos := 0, mode := 'keyword'
) AS TABLE
SELECT d.* EXCLUDE (_highlight), h._score
FROM (
    SELECT unnest(found.value, recursive := true)
    FROM (
        SELECT hybridsearch_steady(
            CAST(index AS VARCHAR), CAST(query AS VARCHAR),
            CAST(to_json({
                "match": match, fields: fields, typos: typos, mode: mode, fusion: 'rrf', tie: 1.0
            }) AS VARCHAR),
            NULL, NULL, NULL, NULL
        ) AS found
    )
) h,
query(hybridsearch_relation('search', CAST(index AS VARCHAR), NULL)) d;
