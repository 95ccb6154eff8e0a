"""HTTP as every face needs it: a bounded request, one answer writer, cross-origin rules, deadlines.

Below `endpoints`, `pages`, `tools` and `gateway`, which may not import each other; above `steps`,
which know no HTTP. Never here: a rule of OAuth, a page's text.
"""
