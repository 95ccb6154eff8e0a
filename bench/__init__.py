"""Speed and size of authgate, measured beside its peers in one run: `make bench`.

The servers run one at a time under load, each a process of its own pinned to one core; the load
comes from this process on another core, over real loopback connections. Within a round every
measurement goes from server to server before the next one begins, so a noisy minute hits all of
them; what is reported is the median of the rounds. It reports and asserts nothing about time.
"""
