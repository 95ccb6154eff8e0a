"""One suite for every engine, written against `store.contract` alone; `engines` lists the engines.

A promise is tested here and nowhere else, so that an engine added to the list is held to all of
them. What only one engine can suffer (a locked file, a full disk) is in `tests/store`.
"""
