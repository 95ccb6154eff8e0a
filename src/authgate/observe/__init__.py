"""What operators see: structured logs now; metrics, traces and audit export join here later.

Never here: a secret. Log lines name reasons and identifiers, not what somebody sent.
"""
