"""What the state must know of a stream: decode, merge, contributions, horizon. One entry each."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, TypeAlias

from pipeline.entities.contact import Chain
from pipeline.entities.contact_merge import as_of as chain_as_of
from pipeline.entities.contact_metrics import contributions as call_contributions
from pipeline.entities.factset import as_of as facts_as_of
from pipeline.entities.subscription_account import Part as SubscriptionPart
from pipeline.entities.subscription_account import as_of as subscription_as_of
from pipeline.entities.subscription_steps import Projection as SubscriptionProjection
from pipeline.entities.ticket_metrics import contributions as ticket_contributions
from pipeline.entities.usage import Part as UsagePart
from pipeline.entities.usage import as_of as usage_as_of
from pipeline.entities.usage_steps import Projection as UsageProjection
from pipeline.events import account, agent, call_decode, subscription, survey, ticket, usage
from pipeline.events.heartbeat import Heartbeat
from pipeline.events.rejects import Ignored, Rejected
from pipeline.metrics.buckets import Contribution
from pipeline.metrics.definitions import Definitions
from pipeline.state import tickets, voices
from pipeline.state.contacts import Contacts
from pipeline.state.ledger import Ledger
from pipeline.state.retention import Horizons
from pipeline.state.subscriptions import Subscriptions
from pipeline.state.usages import Usages


class Fact(Protocol):
    """What the state must see of a fact: `at`, ms UTC."""

    @property
    def at(self) -> int: ...


class Event(Protocol):
    """What the state must see of an event of any stream."""

    @property
    def key(self) -> str: ...
    @property
    def fact(self) -> Fact: ...
    @property
    def is_arrival(self) -> bool: ...


class Entities(Protocol):
    """The entities of one partition in memory. `by_key` is theirs.

    The state log holds an entity in one value or in several parts: a commit writes `take_changes`, a
    snapshot the `values` that tell an entity whole, and `load` takes either back in, in log order.
    """

    is_in_parts: bool
    next_alarm: int

    @property
    def by_key(self) -> dict[str, Any]: ...
    def apply(self, event: Any, watermark: int) -> str: ...
    def ring(self, watermark: int) -> list[str]: ...
    def take_changes(self) -> list[tuple[str, Any]]: ...
    def values(self, key: str) -> list[Any]: ...
    def load(self, key: str, value: Any) -> None: ...
    def restore(self, watermark: int) -> None: ...


Count: TypeAlias = Callable[[Any], list[Contribution]]


def _each(contributions: Callable[[Any, Definitions, str], list[Contribution]]) -> Callable[..., Count]:
    """The `counting` of entities that keep nothing of their tenant."""
    return lambda definitions, tenant: lambda entity: contributions(entity, definitions, tenant)


class Kind(NamedTuple):
    """One stream. `entity` is the type of the state log's values; `as_of` cuts an entity at an instant;
    `counting` answers, of what is declared and of a tenant, the function that says what an entity adds: ask
    once for many entities, because it may keep the tenant's calendar.
    """

    stream: str
    decode: Callable[[bytes | None, int | None], Event | Heartbeat | Ignored | Rejected]
    entity: Any
    counting: Callable[[Definitions, str], Count]
    as_of: Callable[[Any, int], Any]
    make: Callable[[Ledger, Definitions, Horizons], Entities]


CALL = Kind(
    "call",
    call_decode.decode,
    Chain,
    _each(lambda chain, definitions, _: call_contributions(chain, definitions.bounds_ms)),
    chain_as_of,
    lambda ledger, definitions, horizons: Contacts(ledger, definitions.bounds_ms, horizons),
)
TICKET = Kind(
    ticket.STREAM,
    ticket.decode,
    tickets.ENTITY,
    _each(ticket_contributions),
    facts_as_of,
    tickets.Tickets,
)
SURVEY = Kind(
    survey.STREAM,
    survey.decode,
    voices.SURVEY,
    _each(voices.survey_contributions),
    facts_as_of,
    voices.make_surveys,
)
ACCOUNT = Kind(
    account.STREAM,
    account.decode,
    voices.ACCOUNT,
    _each(voices.account_contributions),
    facts_as_of,
    voices.make_accounts,
)
AGENT = Kind(
    agent.STREAM,
    agent.decode,
    voices.AGENT,
    _each(voices.agent_contributions),
    facts_as_of,
    voices.make_agents,
)
SUBSCRIPTION = Kind(
    subscription.STREAM,
    subscription.decode,
    SubscriptionPart,
    lambda definitions, tenant: SubscriptionProjection(definitions, tenant).whole,
    subscription_as_of,
    lambda ledger, definitions, _: Subscriptions(ledger, definitions),
)
USAGE = Kind(
    usage.STREAM,
    usage.decode,
    UsagePart,
    lambda definitions, tenant: UsageProjection(definitions, tenant).whole,
    usage_as_of,
    lambda ledger, definitions, _: Usages(ledger, definitions),
)
KINDS = {kind.stream: kind for kind in (CALL, TICKET, SURVEY, ACCOUNT, AGENT, SUBSCRIPTION, USAGE)}
