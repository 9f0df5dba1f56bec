-- The text with what a search predicate matches in it between tags, whole or in pieces.
-- query: words as @@@ takes them. marks: what the front end makes of the predicates beside it.
CREATE OR REPLACE TEMP MACRO highlight(
    text, start_tag := '<mark>', end_tag := '</mark>',
    query := false, "escape" := false, marks := NULL
) AS
hybridsearch_marked(
    CAST(text AS VARCHAR),
    CASE WHEN typeof(marks) <> '"NULL"' THEN CAST(marks AS VARCHAR[])
        WHEN typeof(query) = 'BOOLEAN' THEN error('highlight() needs a search predicate beside it, '
            || 'or highlight(text, query := ''words'')')
        ELSE [to_json({kind: 'asked', words: [CAST(query AS VARCHAR)]})::VARCHAR] END,
    CAST(start_tag AS VARCHAR), CAST(end_tag AS VARCHAR), 'whole', NULL, NULL, "escape"
)[1];

-- The piece of at most so many characters that shows most different matches; without any, the
-- beginning.
CREATE OR REPLACE TEMP MACRO snippet(
    text, start_tag := '<mark>', end_tag := '</mark>', max_chars := NULL,
    query := false, "escape" := false, marks := NULL
) AS
hybridsearch_marked(
    CAST(text AS VARCHAR),
    CASE WHEN typeof(marks) <> '"NULL"' THEN CAST(marks AS VARCHAR[])
        WHEN typeof(query) = 'BOOLEAN' THEN error('snippet() needs a search predicate beside it, '
            || 'or snippet(text, query := ''words'')')
        ELSE [to_json({kind: 'asked', words: [CAST(query AS VARCHAR)]})::VARCHAR] END,
    CAST(start_tag AS VARCHAR), CAST(end_tag AS VARCHAR), 'best', max_chars, NULL, "escape"
)[1];

-- All such pieces, in the order of the text; those with most different matches where there are more
-- than max_count.
CREATE OR REPLACE TEMP MACRO snippets(
    text, start_tag := '<mark>', end_tag := '</mark>', max_chars := NULL, max_count := NULL,
    query := false, "escape" := false, marks := NULL
) AS
hybridsearch_marked(
    CAST(text AS VARCHAR),
    CASE WHEN typeof(marks) <> '"NULL"' THEN CAST(marks AS VARCHAR[])
        WHEN typeof(query) = 'BOOLEAN' THEN error('snippets() needs a search predicate beside it, '
            || 'or snippets(text, query := ''words'')')
        ELSE [to_json({kind: 'asked', words: [CAST(query AS VARCHAR)]})::VARCHAR] END,
    CAST(start_tag AS VARCHAR), CAST(end_tag AS VARCHAR), 'all', max_chars, max_count, "escape"
);
