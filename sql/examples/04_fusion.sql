-- Reciprocal rank fusion of rankings of your own.
WITH by_words AS (SELECT id, title, _rank FROM search('films', 'space', mode := 'keyword')),
     by_age AS (SELECT id, title, row_number() OVER (ORDER BY year) AS _rank FROM films)
SELECT title, round(_score, 4) AS score FROM rrf(by_words, by_age, wa := 1, wb := 0.5);
