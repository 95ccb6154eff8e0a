"""Many nodes: several authgates on one PostgreSQL behind one nginx, and what may happen to them."""
