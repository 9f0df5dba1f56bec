-- The text with what a search predicate matches in it between tags, whole or in pieces.
-- query: words as @@@ takes them. marks: what the front end makes of the predicates beside it.
CREATE OR REPLACE TEMP MACRO hybridsearch_pieces(called, text, start_tag, end_tag, more, query, marks) AS
list_transform(
    [hybridsearch_marked(
        called, CAST(text AS VARCHAR),
        CASE WHEN typeof(marks) <> '"NULL"' THEN CAST(marks AS VARCHAR[])
            WHEN typeof(query) = 'BOOLEAN' THEN error(called || '() needs a search predicate '
                || 'beside it, or ' || called || '(text, query := ''words'')')
            ELSE [to_json({kind: 'asked', words: [CAST(query AS VARCHAR)]})::VARCHAR] END,
        CAST(start_tag AS VARCHAR), CAST(end_tag AS VARCHAR), CAST(to_json(more) AS VARCHAR)
    )],
    lambda found: CASE WHEN found.error IS NULL THEN found.value ELSE error(found.error) END
)[1];

CREATE OR REPLACE TEMP MACRO highlight(
    text, start_tag := '<mark>', end_tag := '</mark>',
    query := false, "escape" := false, marks := NULL
) AS
hybridsearch_pieces('highlight', text, start_tag, end_tag, {"escape": "escape"}, query, marks)[1];

-- The piece of at most so many characters that shows most different matches; without any, the
-- beginning.
CREATE OR REPLACE TEMP MACRO snippet(
    text, start_tag := '<mark>', end_tag := '</mark>', max_chars := NULL,
    query := false, "escape" := false, marks := NULL
) AS
hybridsearch_pieces(
    'snippet', text, start_tag, end_tag, {max_chars: max_chars, "escape": "escape"}, query, marks
)[1];

-- All such pieces, in the order of the text; those with most different matches where there are more
-- than max_count.
CREATE OR REPLACE TEMP MACRO snippets(
    text, start_tag := '<mark>', end_tag := '</mark>', max_chars := NULL, max_count := NULL,
    query := false, "escape" := false, marks := NULL
) AS
hybridsearch_pieces(
    'snippets', text, start_tag, end_tag,
    {max_chars: max_chars, max_count: max_count, "escape": "escape"}, query, marks
);
