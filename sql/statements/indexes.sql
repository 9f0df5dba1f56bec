-- Indexes over relations of the user's, as calls: each gives the row that its statement gives.
-- columns: names, or structs {expression, alias, kind, options}. source: a name, a path in quotes,
-- or a query in brackets, as text.
CREATE OR REPLACE TEMP MACRO create_search_index(
    name, source, columns, "key" := NULL, "where" := NULL, options := NULL,
    "replace" := false, if_not_exists := false
) AS TABLE
SELECT unnest(
    CASE WHEN found.error IS NULL THEN found.value ELSE error(found.error) END, max_depth := 2
)
FROM (
    SELECT hybridsearch_create(
        CAST(to_json({
            name: name, source: source, items: columns, "key": "key", "where": "where",
            options: options, "replace": "replace", if_not_exists: if_not_exists
        }) AS VARCHAR)
    ) AS found
);

CREATE OR REPLACE TEMP MACRO refresh_search_index(name, "full" := false) AS TABLE
SELECT unnest(
    CASE WHEN found.error IS NULL THEN found.value ELSE error(found.error) END, max_depth := 2
)
FROM (
    SELECT hybridsearch_refresh(CAST(to_json({name: name, "full": "full"}) AS VARCHAR)) AS found
);

CREATE OR REPLACE TEMP MACRO alter_search_index(name, options) AS TABLE
SELECT unnest(
    CASE WHEN found.error IS NULL THEN found.value ELSE error(found.error) END, max_depth := 2
)
FROM (
    SELECT hybridsearch_alter(CAST(to_json({name: name, options: options}) AS VARCHAR)) AS found
);

CREATE OR REPLACE TEMP MACRO drop_search_index(name, if_exists := false) AS TABLE
SELECT unnest(
    CASE WHEN found.error IS NULL THEN found.value ELSE error(found.error) END, max_depth := 2
)
FROM (
    SELECT hybridsearch_drop(CAST(to_json({name: name, if_exists: if_exists}) AS VARCHAR)) AS found
);

CREATE OR REPLACE TEMP MACRO search_indexes() AS TABLE
SELECT unnest(
    CASE WHEN found.error IS NULL THEN found.value ELSE error(found.error) END, max_depth := 2
)
FROM (
    SELECT hybridsearch_indexes('{}') AS found
);
