"""Servers of others, played for the tests. Never imported by the product."""
