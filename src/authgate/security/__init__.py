"""Secrets and brakes: signing keys, secrets at rest, cookies and form tokens, throttles.

Never here: a rule of OAuth (that is `protocol`) or a page.
"""
