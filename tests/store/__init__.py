"""Tests of the store: `contract` holds every engine to the promises; the rest is about SQLite."""
