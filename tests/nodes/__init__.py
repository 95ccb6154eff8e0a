"""Many nodes: several authgates on one PostgreSQL behind one nginx, and what may happen to them.

A module is a theme; the five promises are those of `tests.faults`, whose clients and judge work
here too. Helpers: `fleet` (nodes, nginx, PostgreSQL), `between` (a way to PostgreSQL that fails by
itself), `places` (traffic, tokens, a line to one node, one question asked again and again).
"""
