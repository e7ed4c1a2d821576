"""A seeded business as an endless stream of events of all seven streams. Knows no clock and no broker."""

from collections.abc import Iterator

from pipeline.sources.business.care import Care
from pipeline.sources.business.customers import Customers
from pipeline.sources.business.gaming import plant
from pipeline.sources.business.params import Business
from pipeline.sources.business.staff import Staff
from pipeline.sources.business.subscriptions import Subscriptions
from pipeline.sources.business.surveys import Surveys
from pipeline.sources.business.tickets import Tickets
from pipeline.sources.business.usage import Usage
from pipeline.sources.business.world import World
from pipeline.sources.delivery import Simulated


def simulate_business(params: Business, seed: int, start_ms: int) -> Iterator[Simulated]:
    """Records of all streams in one order of time, for ever; the same arguments give the same records.

    `simulate` adds the crowd of a large contact centre, which has no part in this story: whatever its
    rate, the business is the same. What `params.gaming` plants, and where, is said in gaming.py. Memory
    is that of the accounts that ever came. Runs of another seed or start share no ids.
    """
    world = World(seed, start_ms)
    staff = Staff(world, params.tenants)
    surveys = Surveys(world, params.links)
    customers = Customers(world, params, staff)
    subscriptions = Subscriptions(world, params, customers.leave, customers.come_back)
    tickets = Tickets(world, params, staff, surveys, subscriptions.invoice)
    care = Care(world, params, staff, surveys)
    customers.concerns = (Usage(world), subscriptions, tickets, care, surveys)
    customers.open()
    if params.gaming is not None:
        plant(params.gaming, world, customers, params.tenants)
    told = world.told
    while True:
        world.agenda.step()
        if told:
            yield from told
            told.clear()
