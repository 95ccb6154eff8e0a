"""Hours of use in minutes: three nodes behind nginx under the traffic of people and clients.

`make soak` starts PostgreSQL, Redis, three nodes, nginx and a small MCP server behind them, sends
mixed traffic at a fixed modest rate (open loop: requests come when they are due, whether or not the
ones before were answered), rotates the keys and restarts a node in the middle, and watches what
grows. Every answer is checked. It ends with 1 if anything was answered otherwise than it should be,
or if memory, file descriptors, connections, rows or keys grew beyond their bounds.
"""
