-- The keys of the rows whose column holds what an operator asks for, as an index over the table
-- finds them; null where its copy of keys and texts is not what was seen.
CREATE OR REPLACE TEMP MACRO search_holders(index, attribute, test, texts, slop, seen) AS
hybridsearch_holders(index, attribute, test, texts, slop, seen);
