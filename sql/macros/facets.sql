-- How many of the documents found have which value, most first; null counts those without one.
CREATE OR REPLACE TEMP MACRO facets(
    index, query, "by" := NULL, filter := NULL, mode := NULL, "limit" := NULL,
    match := 'any'
) AS TABLE
SELECT unnest(
    CASE WHEN found.error IS NULL THEN found.value ELSE error(found.error) END, recursive := true
)
FROM (
    SELECT hybridsearch_facets(
        CAST(index AS VARCHAR),
        CASE WHEN typeof(query) LIKE '%]' OR typeof(query) LIKE 'STRUCT(%'
            THEN error('facets() takes text as query, not ' || typeof(query))
            ELSE CAST(query AS VARCHAR) END,
        CAST(to_json({
            "by": "by", mode: mode, "limit": "limit", "match": match,
            "filter": CASE WHEN typeof(filter) = 'VARCHAR' THEN CAST(filter AS VARCHAR) END
        }) AS VARCHAR),
        CASE WHEN typeof(filter) LIKE '%]' THEN coalesce(CAST(filter AS VARCHAR[]), [])
            WHEN typeof(filter) NOT IN ('VARCHAR', '"NULL"')
            THEN error('facets() takes text or a list of ids as filter, not '
                || CAST(filter AS VARCHAR)) END
    ) AS found
);
