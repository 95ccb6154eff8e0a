"""How hard the property tests of the rules try: enough to find things, few enough to run always."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("rules", deadline=None, max_examples=100, print_blob=True)
settings.load_profile("rules")
