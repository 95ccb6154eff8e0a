"""GitHub, Google or the hosted AuthKit page as a way to sign in to authgate's own issuer.

WorkOS says who somebody is to it. Whom of ours that makes them is for `linking`, where the people
are in Supabase; elsewhere they are WorkOS's own. `directory` is the contract's face, `social` the
way there and back, `pending` the steps that WorkOS asks for in between, `errors` the table of
reactions. Uses `authgate.workos` for every call. Never here: AuthKit as the issuer (`issuers`).
"""

from __future__ import annotations

from authgate.directories.workos.directory import Home, WorkOSDirectory, WorkOSDirectoryPolicy

__all__ = ["Home", "WorkOSDirectory", "WorkOSDirectoryPolicy"]
