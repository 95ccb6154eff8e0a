"""What authgate remembers: clients, requests, codes, grants, sessions, links, keys, people, audit.

`contract` says what every engine promises; `schema` and `statements` are shared by the engines;
`sqlite` is the embedded engine. Never here: a decision about OAuth (that is `protocol`), a secret
in readable form (that is `security.vault`), or HTTP.
"""
