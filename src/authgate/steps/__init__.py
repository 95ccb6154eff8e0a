"""The steps, once each: register, authorize, sign in, consent, token, revoke, introspect.

Each step is load -> decide -> commit: it loads the facts that cannot change any more, asks one rule
of `protocol`, and makes one call to the store whose first statement settles every race. Faces
(`endpoints`, `pages`, `tools`) parse before and answer after; a tool is another face of the same
step, not another implementation. Never here: HTTP, HTML, SQL, settings.
"""
