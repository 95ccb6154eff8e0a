"""What operators see: the log, metrics and traces, and the findings of `authgate doctor`.

`about` is what is known of the request that is being answered; `log`, `metrics` and `tracing` are
called by everybody and cost next to nothing where nobody asked for them. `prometheus` and `otel`
keep the numbers and send the spans, and are imported only where they are configured; `app` decides
that. `outbound` tells both of a call to somebody else. Metrics are served by `cli.scraping`.

Never here: a secret. Lines, labels and spans name reasons and identifiers, not what somebody sent.
"""
