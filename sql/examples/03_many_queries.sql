-- One search for each row of a table, answered in batches.
CREATE OR REPLACE TEMP TABLE questions AS
SELECT * FROM (VALUES (1, 'space horror'), (2, 'balloons')) t(number, question);

SELECT number, hit.title, hit._rank
FROM questions, LATERAL (FROM search('films', question, mode := 'keyword', k := 2)) hit
ORDER BY number, _rank;
