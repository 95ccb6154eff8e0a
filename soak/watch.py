"""What is held, looked at every few seconds: memory, files, connections, keys, CPU."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from soak.book import Book
from soak.processes import Taken, taken
from soak.world import World

LOOK_EVERY = 5.0


@dataclass(frozen=True, slots=True)
class Look:
    """One look. `nodes` are told apart by place and process; CPU in seconds so far."""

    at: float
    nodes: dict[tuple[int, int], Taken]
    connections: int
    limit_keys: int
    bytes: int
    cpu: dict[str, float] = field(default_factory=dict)


class Watch:
    """The looks of one run."""

    def __init__(self, world: World, book: Book, own: int, nginx: int) -> None:
        self.looks: list[Look] = []
        self._world = world
        self._book = book
        self._others = {
            "PostgreSQL": world.cluster.pid,
            "MCP server": world.upstream.process.pid,
            "traffic": own,
            "nginx": nginx,
        }

    async def keep(self) -> None:
        """Look until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY)

    async def look(self) -> Look:
        """One look now."""
        look = await asyncio.to_thread(self._look)
        self.looks.append(look)
        return look

    def _look(self) -> Look:
        world = self._world
        nodes = {
            (place, node.pid): taken(node.pid)
            for place, node in enumerate(world.nodes, 1)
            if node.up
        }
        cpu = {name: taken(pid).cpu for name, pid in self._others.items()}
        return Look(
            self._book.now,
            nodes,
            world.connections(),
            world.limit_keys(),
            sum(world.sizes().values()),
            cpu,
        )
