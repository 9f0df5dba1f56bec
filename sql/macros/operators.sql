-- Tests of a text, with or without an index. Null on either side gives null. Where the variable
-- search_strict is true none of them may read rows.
-- @@@ takes a row too, which DuckDB passes as a STRUCT.
CREATE OR REPLACE TEMP MACRO "@@@"(text, query) AS
CASE WHEN getvariable('search_strict') THEN error('search_strict is set, and @@@ would read rows')
    WHEN typeof(query) LIKE '%]' THEN error('@@@ takes text, not a list; a list of terms is for ===')
    WHEN typeof(text) LIKE 'STRUCT(%'
    THEN list_transform(
        [hybridsearch_row(to_json(text)::VARCHAR, CAST(query AS VARCHAR))],
        lambda found: CASE WHEN found.error IS NULL THEN found.value ELSE error(found.error) END
    )[1]
    ELSE hybridsearch_asked(CAST(text AS VARCHAR), CAST(query AS VARCHAR)) END;

CREATE OR REPLACE TEMP MACRO "|||"(text, query) AS
CASE WHEN getvariable('search_strict') THEN error('search_strict is set, and ||| would read rows')
    WHEN typeof(query) LIKE '%]' THEN error('||| takes text, not a list; a list of terms is for ===')
    WHEN typeof(text) LIKE 'STRUCT(%'
    THEN error('||| takes a column; of a whole row only @@@ can ask')
    ELSE hybridsearch_any(CAST(text AS VARCHAR), CAST(query AS VARCHAR)) END;

CREATE OR REPLACE TEMP MACRO "&&&"(text, query) AS
CASE WHEN getvariable('search_strict') THEN error('search_strict is set, and &&& would read rows')
    WHEN typeof(query) LIKE '%]' THEN error('&&& takes text, not a list; a list of terms is for ===')
    WHEN typeof(text) LIKE 'STRUCT(%'
    THEN error('&&& takes a column; of a whole row only @@@ can ask')
    ELSE hybridsearch_all(CAST(text AS VARCHAR), CAST(query AS VARCHAR)) END;

-- Finished terms: one, or a list of which any will do.
CREATE OR REPLACE TEMP MACRO "==="(text, terms) AS
CASE WHEN getvariable('search_strict') THEN error('search_strict is set, and === would read rows')
    WHEN typeof(text) LIKE 'STRUCT(%'
    THEN error('=== takes a column; of a whole row only @@@ can ask')
    ELSE hybridsearch_term(
        CAST(text AS VARCHAR),
        CASE WHEN terms IS NULL THEN NULL
            WHEN typeof(terms) LIKE '%]' THEN CAST(terms AS VARCHAR[])
            ELSE [CAST(terms AS VARCHAR)] END
    ) END;

CREATE OR REPLACE TEMP MACRO match_phrase(text, query, slop := 0) AS
CASE WHEN getvariable('search_strict') THEN error('search_strict is set, and match_phrase() would read rows')
    WHEN typeof(text) LIKE 'STRUCT(%'
    THEN error('match_phrase() takes a column; of a whole row only @@@ can ask')
    WHEN typeof(slop) NOT LIKE '%INT' AND typeof(slop) NOT IN ('INTEGER', '"NULL"')
    THEN error('match_phrase() takes a whole number as slop, not ' || CAST(slop AS VARCHAR))
    ELSE hybridsearch_phrase(
        CAST(text AS VARCHAR), CAST(query AS VARCHAR), CAST(slop AS BIGINT)
    ) END;
