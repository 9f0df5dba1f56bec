-- The terms that an index makes of a text, in reading order.
CREATE OR REPLACE TEMP MACRO tokens(index, text) AS TABLE
SELECT unnest(hybridsearch_tokens(index, text), recursive := true);

-- The most frequent terms of an index that begin like this.
CREATE OR REPLACE TEMP MACRO suggest(index, prefix, "limit" := NULL) AS TABLE
SELECT unnest(hybridsearch_suggest(index, prefix, "limit"), recursive := true);
