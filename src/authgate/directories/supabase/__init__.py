"""The people of a Supabase project, asked over its Auth REST API and never copied.

`directory` is the contract's face, `api` the REST client, `errors` the table of reactions; the rest
has one matter a module. Never here: our sessions, consent or tokens. Uses `fetch` for every call.
"""

from __future__ import annotations

from authgate.directories.supabase.directory import SupabaseDirectory
from authgate.directories.supabase.policy import SupabasePolicy

__all__ = ["SupabaseDirectory", "SupabasePolicy"]
