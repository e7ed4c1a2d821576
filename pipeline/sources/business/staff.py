"""Who works for a tenant: hired, moving between departments, leaving, on and off shift."""

from collections.abc import Callable
from random import Random
from typing import Final, TypeAlias

from pipeline.sources.business.params import DAY_MS, HOUR_MS, OPEN_HOURS, Tenant
from pipeline.sources.business.world import World, after_mean, day_of, is_workday, next_opening, within_hours

DEPARTMENTS: Final = {"support": 6, "success": 3, "sales": 2, "engineering": 3}
"""Departments with their staff at the start, which is also the least."""
HIRE_DAYS: Final = 45.0
MOVE_DAYS: Final = 60.0
LEAVE_DAYS: Final = 60.0
VOLUNTARY_SHARE: Final = 0.75

_Step: TypeAlias = Callable[[Tenant, Random], None]


class Staff:
    """The stream `agent`. Those who hold the line (`on_the_line`) stay where they are."""

    def __init__(self, world: World, tenants: tuple[Tenant, ...]) -> None:
        self._world = world
        self._there: dict[str, dict[str, list[str]]] = {}
        self._hired: dict[str, int] = {}
        for tenant in tenants:
            self._there[tenant.name] = {department: [] for department in DEPARTMENTS}
            self._hired[tenant.name] = 0
            draw = world.chance("staff", tenant.name)
            for department, count in DEPARTMENTS.items():
                for _ in range(count):
                    self._hire(tenant, department)
            for step, days in ((self._grow, HIRE_DAYS), (self._move, MOVE_DAYS), (self._part, LEAVE_DAYS)):
                self._later(step, tenant, draw, days)

    def somebody(self, tenant: Tenant, department: str, draw: Random) -> str:
        """An agent of a department."""
        return draw.choice(self._there[tenant.name][department])

    def on_the_line(self, tenant: Tenant, agents: list[str]) -> None:
        """These hold the line: on the staff from the start, at work in opening hours."""
        for agent in agents:
            self._world.at(self._world.now, self._tell, tenant, agent, "joined", {"department": "support"})
            self._world.at(next_opening(tenant, self._world.now), self._shift, tenant, agent)

    def _later(self, step: _Step, tenant: Tenant, draw: Random, days: float) -> None:
        when = within_hours(tenant, after_mean(self._world.now, days * DAY_MS, draw), draw)
        self._world.at(when, self._again, step, tenant, draw, days)

    def _again(self, step: _Step, tenant: Tenant, draw: Random, days: float) -> None:
        self._later(step, tenant, draw, days)
        step(tenant, draw)

    def _hire(self, tenant: Tenant, department: str) -> None:
        self._hired[tenant.name] += 1
        agent = f"{tenant.name}-agent-{self._hired[tenant.name]}"
        self._there[tenant.name][department].append(agent)
        self._world.at(self._world.now, self._tell, tenant, agent, "joined", {"department": department})

    def _grow(self, tenant: Tenant, draw: Random) -> None:
        self._hire(tenant, draw.choice(list(DEPARTMENTS)))

    def _spare(self, tenant: Tenant, draw: Random) -> tuple[str, str] | None:
        """Somebody of a department that has more than it needs, and the department."""
        there = self._there[tenant.name]
        found = [(agent, name) for name, agents in there.items() for agent in agents[DEPARTMENTS[name] :]]
        drawn = draw.random()
        return found[int(drawn * len(found))] if found else None

    def _move(self, tenant: Tenant, draw: Random) -> None:
        target = draw.choice(list(DEPARTMENTS))
        spare = self._spare(tenant, draw)
        if spare is not None and spare[1] != target:
            agent, origin = spare
            self._there[tenant.name][origin].remove(agent)
            self._there[tenant.name][target].append(agent)
            self._tell(tenant, agent, "moved", {"from_department": origin, "to_department": target})

    def _part(self, tenant: Tenant, draw: Random) -> None:
        is_voluntary = draw.random() < VOLUNTARY_SHARE
        spare = self._spare(tenant, draw)
        if spare is not None:
            self._there[tenant.name][spare[1]].remove(spare[0])
            self._tell(tenant, spare[0], "left", {"voluntary": is_voluntary})

    def _shift(self, tenant: Tenant, agent: str) -> None:
        now = self._world.now
        self._world.at(now + DAY_MS, self._shift, tenant, agent)
        if is_workday(day_of(now)):
            self._tell(tenant, agent, "state_changed", {"to": "available"})
            self._world.at(
                now + OPEN_HOURS * HOUR_MS, self._tell, tenant, agent, "state_changed", {"to": "offline"}
            )

    def _tell(self, tenant: Tenant, agent: str, what: str, data: dict[str, object]) -> None:
        self._world.tell(f"agent.{what}", tenant, agent, {"agent_id": agent, **data})
