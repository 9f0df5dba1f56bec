"""How does SQL reach the engine? `sql.functions` answers; the macros are files of their own."""
