"""What authgate remembers: clients, requests, codes, grants, sessions, links, keys, people, audit.

Two engines keep the same promises. Read in this order:

- `contract` and `contract_upkeep`: what every engine promises, method by method.
- `schema` and `migrations`: the tables and their revisions; `revisions`: who may work on which.
- `statements` and its neighbours by subject: all SQL, as expressions. `statements_joined` and its
  neighbours join them for PostgreSQL, where each statement would else be a round trip. `compile`
  turns them into the text that is kept in `sqlite_sql` and `postgres_sql`.
- `rows`: records to rows and back; `lost`: what the loser of a race is told. Both engines use them.
- `sqlite`: the engine in one file. `sqlite_file` below it opens, `sqlite_writer` and
  `sqlite_reader` ask, `sqlite_steps` and its neighbours know what.
- `postgres`: the engine for many nodes. From the wire up: `postgres_wire` (one connection),
  `postgres_pool` (all of a process), `postgres_schema` (connecting, and the schema at the start),
  `postgres_memory` (what is remembered for a second), `postgres_engine` (the ways to ask); then
  the steps by subject, as on SQLite: `postgres_steps` first.
- `copying`: a whole store moved from one engine to the other, by a command and never by a server.

Never here: a decision about OAuth (that is `protocol`), a secret in readable form (that is
`security.vault`), or HTTP.
"""
