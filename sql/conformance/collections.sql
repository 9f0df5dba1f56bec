-- Tables of the packages and the films, and BM25 in plain SQL, which the tests beside this file
-- compare searches with. The variable `data` is the folder of the collections.
CREATE TABLE packages AS
SELECT _id AS name, title, text AS body, unnest(metadata, max_depth := 1)
FROM (
    SELECT *, row_number() OVER () AS place
    FROM read_json(getvariable('data') || '/packages/corpus.jsonl.gz')
)
WHERE place % 30 = 1;
ALTER TABLE packages DROP COLUMN package;
ALTER TABLE packages ADD PRIMARY KEY (name);
CREATE TABLE films AS
SELECT
    row_number() OVER () AS id, title, text AS plot, metadata.year::INTEGER AS year,
    metadata.genres AS genres, metadata.cast AS actors, make_date(metadata.year, 1, 1) AS released,
    list_transform(range(4), lambda n: hash(_id, n) % 1000 / 500.0 - 1)::FLOAT[4] AS mood
FROM (
    SELECT *, row_number() OVER () AS place
    FROM read_json(getvariable('data') || '/movies/corpus.jsonl.gz')
)
WHERE place % 15 = 1;
ALTER TABLE films ADD PRIMARY KEY (id);
CREATE TABLE sections AS
SELECT section, count(*) AS packages, section IN ('admin', 'mail', 'net', 'web') AS network
FROM packages GROUP BY section;
CREATE TABLE wanted (no INTEGER, words VARCHAR, least INTEGER, section VARCHAR);
INSERT INTO wanted VALUES (1, 'mail server', 5, 'mail'), (2, 'python module', 2, 'python'),
    (3, 'zzz', 0, 'net'), (4, NULL, 0, 'net'), (5, 'library', 9, NULL);
CREATE TABLE occurrences AS
SELECT collection, field, id, word, count(*) AS times
FROM (
    SELECT
        collection, field, id,
        unnest(regexp_extract_all(lower(strip_accents(value)), '[\p{L}\p{N}]+')) AS word
    FROM (
        SELECT 'packages' AS collection, 'title' AS field, name AS id, title AS value FROM packages
        UNION ALL SELECT 'packages', 'body', name, body FROM packages
        UNION ALL SELECT 'films', 'title', id::VARCHAR, title FROM films
    )
)
GROUP BY ALL;
CREATE TABLE lengths AS
SELECT collection, field, id, sum(times)::BIGINT AS words FROM occurrences GROUP BY ALL;
-- A length as tantivy keeps it, in one byte.
CREATE MACRO kept(words) AS
    CASE WHEN words < 40 THEN words
    ELSE 24 + ((words - 24) >> (length(bin(words - 24)) - 4) << (length(bin(words - 24)) - 4)) END;
-- The rows that hold one of the words in one of the fields, with their score.
CREATE MACRO bm25(of_collection, of_fields, of_words) AS TABLE
SELECT id, round(sum( -- threads add in any order, and what is equal has to stay so
    ln(1 + (documents - holding + 0.5) / (holding + 0.5)) * 2.2 * times
    / (times + 1.2 * (0.25 + 0.75 * kept(words) / average))
), 9) AS score
FROM (
    SELECT *, count(*) OVER (PARTITION BY field, word) AS holding FROM occurrences
    WHERE collection = of_collection AND list_contains(of_fields, field)
        AND list_contains(string_split(of_words, ' '), word)
)
JOIN lengths USING (collection, field, id)
JOIN (
    SELECT collection, field, sum(words) / any_value(documents) AS average,
        any_value(documents) AS documents
    FROM lengths
    JOIN (
        SELECT 'packages' AS collection, count(*) AS documents FROM packages
        UNION ALL SELECT 'films', count(*) FROM films
    ) USING (collection)
    GROUP BY ALL
) USING (collection, field)
GROUP BY id;
CREATE MACRO holds(value, word) AS
    list_contains(regexp_extract_all(lower(strip_accents(value)), '[\p{L}\p{N}]+'), word);
