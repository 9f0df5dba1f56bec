"""Which documents may a search return: filter text to SQL.

    year > 1990 AND (genres = Drama OR NOT rating < 7)

`parse` reads the Meilisearch filter grammar, and what people type from SQL, into one tree;
`to_sql` turns the tree into a DuckDB condition over the typed columns of a documents table.
What a user wrote never becomes SQL: values are bound parameters, and fields become column
names only by way of the table of columns that the caller gives.

>>> tree = parse("year > 1990 AND genres = Drama")
>>> fields(tree)
('year', 'genres')
>>> columns = {"year": Column("year", "number"), "genres": Column("genres", "text")}
>>> print(to_sql(tree, columns)[0])
(("year" IS NOT NULL AND "year" > ?) AND ("genres" IS NOT NULL AND lower("genres") = lower(?)))

A document either passes or does not: there is no third answer. A field that is missing or
null fails every comparison, so the negation of that comparison holds.
"""

from __future__ import annotations

from hybridsearch.filters.grammar import parse
from hybridsearch.filters.lowering import Column, refuse_field, to_sql
from hybridsearch.filters.tree import Filter, compared_fields, existing, fields, text

__all__ = [
    "Column",
    "Filter",
    "compared_fields",
    "existing",
    "fields",
    "parse",
    "refuse_field",
    "text",
    "to_sql",
]
