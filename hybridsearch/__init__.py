"""Any DuckDB file becomes a search engine: BM25 and vectors in one embedded index."""

__version__ = "0.1.0"
