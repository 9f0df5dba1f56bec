-- A filter counts before the best are taken: as text in the filter language ...
SELECT title FROM search('films', 'space', k := 2, filter := 'year < 1990');

-- ... or as ids, from any query over any tables.
CREATE OR REPLACE TEMP TABLE rentals AS SELECT unnest([1, 3, 3]) AS film;
SELECT title
FROM search('films', 'space', k := 2, filter := (SELECT list(DISTINCT film) FROM rentals));

-- On db.connect() a plain WHERE does the same, whatever it asks.
SELECT title FROM search('films', 'space', k := 2)
WHERE year < 1990 AND id IN (SELECT film FROM rentals);
