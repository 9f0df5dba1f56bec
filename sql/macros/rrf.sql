-- Reciprocal rank fusion of two relations that have _rank: rows that agree in every column whose name
-- does not begin with _ are one. Equal sums go by the better rank, then by those columns.
CREATE OR REPLACE TEMP MACRO rrf(a, b, k := 60, wa := 1, wb := 1) AS TABLE
SELECT COLUMNS(lambda name: NOT starts_with(name, '_')),
    row_number() OVER (ORDER BY sum(_part) DESC, min(_rank)) AS _rank,
    sum(_part) AS _score
FROM (
    SELECT *, wa::DOUBLE / (k + _rank) AS _part FROM query_table(a)
    UNION ALL BY NAME
    SELECT *, wb::DOUBLE / (k + _rank) AS _part FROM query_table(b)
)
GROUP BY ALL
ORDER BY _rank;

-- The same of three.
CREATE OR REPLACE TEMP MACRO rrf3(a, b, c, k := 60, wa := 1, wb := 1, wc := 1) AS TABLE
SELECT COLUMNS(lambda name: NOT starts_with(name, '_')),
    row_number() OVER (ORDER BY sum(_part) DESC, min(_rank)) AS _rank,
    sum(_part) AS _score
FROM (
    SELECT *, wa::DOUBLE / (k + _rank) AS _part FROM query_table(a)
    UNION ALL BY NAME
    SELECT *, wb::DOUBLE / (k + _rank) AS _part FROM query_table(b)
    UNION ALL BY NAME
    SELECT *, wc::DOUBLE / (k + _rank) AS _part FROM query_table(c)
)
GROUP BY ALL
ORDER BY _rank;

-- The fused score of a group of ranks: sum(weight / (k + rank)).
CREATE OR REPLACE TEMP MACRO rrf_score(rank, k := 60, weight := 1) AS
coalesce(sum(weight::DOUBLE / (k + rank)), 0.0);
