"""How does a person talk SQL to a database? `shell.command` answers; `shell.session` runs it."""
