-- Operators test any text of any table; here the films themselves.
SELECT title FROM films WHERE overview @@@ 'space -comedy';
SELECT title FROM films WHERE films @@@ 'genres:space -overview:crew';
SELECT title, overview ||| 'house balloons' AS light FROM films ORDER BY id;
SELECT title FROM films WHERE match_phrase(overview, 'space ship', slop := 1);

-- What matched, in the text of the row: whole, or the piece that shows most.
SELECT highlight(title), snippet(overview, max_chars := 40) FROM search('films', 'space alien', k := 2);
SELECT snippet(overview, '<b>', '</b>', 30) FROM films WHERE overview @@@ 'space shps~2';

-- What the index makes of a text, what it knows, and what there is of what.
FROM tokens('films', 'The Spaceship''s crew');
FROM suggest('films', 'sp');
FROM facets('films', 'space', by := ['genres'], mode := 'keyword');

-- What is like a film that is there: by its vector, here by the words that tell it apart.
SELECT title FROM similar('films', 1, mode := 'keyword', k := 2);
