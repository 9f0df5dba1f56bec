-- An index over a table of your own, which it follows; the rows stay where they are.
CREATE TABLE products AS FROM (VALUES
    (1, 'Red running shoes', 'acme', 80),
    (2, 'Blue trail shoes', 'acme', 95),
    (3, 'Wool socks', 'zeta', 9)
) AS product (id, name, brand, price);

-- With the front end this is CREATE SEARCH INDEX products_idx ON products (name) WITH (key = 'id').
FROM create_search_index('products_idx', 'products', ['name'], key := 'id');

-- Its columns are the table's own, with their types; a WHERE counts before the best are taken.
SELECT id, name, price, _score FROM search('products_idx', 'shoes', k := 5) WHERE price < 90;

-- What is committed is found by the next search.
INSERT INTO products VALUES (4, 'Trail shoes for children', 'zeta', 40);
SELECT brand, count(*) FROM search('products_idx', 'trail') GROUP BY brand;

-- Another index over it, with the text of two columns embedded as one vector.
FROM create_search_index('products_by_meaning', 'products', [
    {expression: 'name', alias: 'called', kind: 'TEXT'},
    {expression: 'name || '' by '' || brand', alias: 'meaning', kind: 'EMBED'}
], key := 'id');
SELECT name FROM search('products_by_meaning', 'footwear', mode := 'semantic', k := 3);
