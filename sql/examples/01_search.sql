-- The best films for some words, with what DuckDB does best.
SELECT title, year, round(_score, 3) AS score
FROM search('films', 'space', mode := 'keyword', k := 3);

-- Without k every match comes, so that counts are true.
SELECT decade, count(*) AS films
FROM (SELECT year // 10 * 10 AS decade FROM search('films', 'space house', mode := 'keyword'))
GROUP BY decade
ORDER BY decade;
