-- Tests of a text, with or without an index. Null on either side gives null.
CREATE OR REPLACE TEMP MACRO "@@@"(text, query) AS
hybridsearch_asked(CAST(text AS VARCHAR), CAST(query AS VARCHAR));

CREATE OR REPLACE TEMP MACRO "|||"(text, query) AS
hybridsearch_any(CAST(text AS VARCHAR), CAST(query AS VARCHAR));

CREATE OR REPLACE TEMP MACRO "&&&"(text, query) AS
hybridsearch_all(CAST(text AS VARCHAR), CAST(query AS VARCHAR));

-- Finished terms: one, or a list of which any will do.
CREATE OR REPLACE TEMP MACRO "==="(text, terms) AS
hybridsearch_term(
    CAST(text AS VARCHAR),
    CASE WHEN terms IS NULL THEN NULL
        WHEN typeof(terms) = 'VARCHAR' THEN [CAST(terms AS VARCHAR)]
        ELSE CAST(terms AS VARCHAR[]) END
);

CREATE OR REPLACE TEMP MACRO match_phrase(text, query, slop := 0) AS
hybridsearch_phrase(CAST(text AS VARCHAR), CAST(query AS VARCHAR), slop);
