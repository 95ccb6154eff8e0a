"""Secrets and limits: signing keys, secrets at rest, cookies and form tokens, throttles.

`keys` is the key ring, `vault` seals, `session` is a browser's. Throttles begin in `limits`, which
the steps ask. Below it `brakes` is one limit, `windows` counts it in this process, and `turns` are
those being judged now. `shared_limits` counts for all nodes, in one call of `shared_script`.

Never here: a rule of OAuth (that is `protocol`) or a page.
"""
