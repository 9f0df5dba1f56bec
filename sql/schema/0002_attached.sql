-- Format 2: indexes over relations of the user's.
-- definition: JSON, what CREATE SEARCH INDEX said, with the key and the columns of the source as
-- they were when it was last read. For each such index there is a table prints_<number> (id, print)
-- with a hash of every source row that the copy holds.
CREATE TABLE hybridsearch.attached (number BIGINT NOT NULL, definition VARCHAR NOT NULL);
