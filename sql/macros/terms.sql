-- The terms that an index makes of a text, in reading order; of a field, as it is read there.
CREATE OR REPLACE TEMP MACRO tokens(index, text) AS TABLE (
    SELECT unnest(
        CASE WHEN found.error IS NULL THEN found.value ELSE error(found.error) END,
        recursive := true
    )
    FROM (SELECT hybridsearch_tokens(CAST(index AS VARCHAR), NULL, CAST(text AS VARCHAR)) AS found)
), (index, field, text) AS TABLE (
    SELECT unnest(
        CASE WHEN found.error IS NULL THEN found.value ELSE error(found.error) END,
        recursive := true
    )
    FROM (
        SELECT hybridsearch_tokens(
            CAST(index AS VARCHAR), CAST(field AS VARCHAR), CAST(text AS VARCHAR)
        ) AS found
    )
);

-- The most frequent terms of an index that begin like this.
CREATE OR REPLACE TEMP MACRO suggest(index, prefix, "limit" := NULL) AS TABLE
SELECT unnest(
    CASE WHEN found.error IS NULL THEN found.value ELSE error(found.error) END, recursive := true
)
FROM (
    SELECT hybridsearch_suggest(
        CAST(index AS VARCHAR), CAST(prefix AS VARCHAR),
        CAST(to_json({"limit": "limit"}) AS VARCHAR)
    ) AS found
);
