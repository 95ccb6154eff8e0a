"""The rules of OAuth as authgate keeps them: pure functions and frozen records.

Standard library only. Nothing here waits, reads a clock, draws a random number, logs, or opens a
file: `now` is an argument, so every rule can be tested without a fixture. Neighbours: `steps`
loads the facts and calls these rules; `store` keeps the records and settles the races.
"""
