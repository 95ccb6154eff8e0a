"""Tests of the store: `contract` holds every engine to the promises.

`test_postgres_*` are about PostgreSQL alone (its statements' plans, pool, round trips, sweep),
`test_copying` about moving from one engine to the other, the rest about SQLite and its file.
"""
