-- How many of the documents found have which value, most first; null counts those without one.
CREATE OR REPLACE TEMP MACRO facets(
    index, query, "by" := NULL, filter := NULL, mode := NULL, "limit" := NULL
) AS TABLE
SELECT unnest(
    hybridsearch_facets(
        index, query, "by"::VARCHAR[],
        CASE WHEN typeof(filter) = 'VARCHAR' THEN CAST(filter AS VARCHAR) END,
        CASE WHEN typeof(filter) NOT IN ('VARCHAR', '"NULL"')
            THEN coalesce(CAST(filter AS VARCHAR[]), []) END,
        mode, "limit"
    ),
    recursive := true
);
