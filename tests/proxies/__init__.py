"""authgate behind the reverse proxies of `deploy/`: real nginx and Caddy, one node and several."""
