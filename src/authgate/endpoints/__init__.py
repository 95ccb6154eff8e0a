"""Machine-facing HTTP, one module per URL family: each parses, calls one step, and answers.

Never here: a rule, a statement, a page. `app` mounts what these modules build.
"""
