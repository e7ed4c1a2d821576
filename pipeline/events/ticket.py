"""The `ticket` stream: bytes → FactEvent of a TicketFact | Ignored | Rejected, total on any bytes.

Source: events.md §3 `ticket`. What a fact means beside others is read by pipeline/entities/ticket.py.
"""

from typing import Any, Final

from msgspec import Struct

from pipeline.events.decoding import DELETED, VOIDED, Decoder, Fact, Shape, codes
from pipeline.events.envelope import Text
from pipeline.events.names import known_word, word

STREAM: Final = "ticket"

CREATED: Final = 1
MESSAGE_ADDED: Final = 2
BOT_HANDED_OFF: Final = 3
ASSIGNED: Final = 4
STATUS_CHANGED: Final = 5
SOLVED: Final = 6
REOPENED: Final = 7
MERGED: Final = 8
CHANGED: Final = 9

AUTHORS: Final = ("", "customer", "agent", "bot", "system", "other")
VISIBILITIES: Final = ("", "public", "internal", "other")
STATUSES: Final = ("", "new", "open", "pending", "hold", "solved", "closed", "other")


class TicketFact(Fact, array_like=True, gc=False):
    """What one event says about a ticket. Codes index the tuples above; 0 and None: not stated.

    `custom_work` None is not stated. `status` is where STATUS_CHANGED leads.
    """

    group: str | None = None
    channel: str | None = None
    author: int = 0
    visibility: int = 0
    status: int = 0
    custom_work: bool | None = None
    priority: str | None = None
    agent: str | None = None
    into: str | None = None
    customer: str | None = None
    account: str | None = None

    def restated(self) -> Any:
        """In the contract's order of fields; what is not stated is null."""
        told = AUTHORS[self.author] or None, VISIBILITIES[self.visibility] or None
        place = self.channel, self.group, self.priority, self.custom_work, self.customer
        return (*told, STATUSES[self.status] or None, *place, self.agent, self.into, self.account, self.kind)


class _Ticket(Struct, gc=False, kw_only=True):
    ticket_id: Text


class _Created(_Ticket, gc=False, kw_only=True):
    author_kind: str | None = None
    channel: Text | None = None
    group_id: Text | None = None
    priority: Text | None = None
    custom_work: bool | None = None
    customer_ref: Text | None = None


class _Message(_Ticket, gc=False, kw_only=True):
    author_kind: str | None = None
    visibility: str | None = None
    agent_id: Text | None = None


class _Assigned(_Ticket, gc=False, kw_only=True):
    agent_id: Text | None = None
    group_id: Text | None = None


class _StatusChanged(_Ticket, gc=False, kw_only=True):
    to: str


class _Merged(_Ticket, gc=False, kw_only=True):
    into: Text | None = None


class _Changed(_Ticket, gc=False, kw_only=True):
    group_id: Text | None = None
    priority: Text | None = None
    custom_work: bool | None = None


_author = codes(AUTHORS)
_visibility = codes(VISIBILITIES)
_status = codes(STATUSES)


def _word(text: str | None) -> str | None:
    return None if text is None else known_word(text) or word(text)


def _created(name: int, at: int, message: Any) -> TicketFact:
    data = message.data
    return TicketFact(
        name,
        CREATED,
        at,
        group=_word(data.group_id),
        channel=_word(data.channel),
        author=_author.get(data.author_kind, len(AUTHORS) - 1),
        custom_work=data.custom_work,
        priority=_word(data.priority),
        customer=data.customer_ref,
        account=message.accountid,
    )


def _message_added(name: int, at: int, message: Any) -> TicketFact:
    data = message.data
    return TicketFact(
        name,
        MESSAGE_ADDED,
        at,
        author=_author.get(data.author_kind, len(AUTHORS) - 1),
        visibility=_visibility.get(data.visibility, len(VISIBILITIES) - 1),
        agent=_word(data.agent_id),
        account=message.accountid,
    )


def _assigned(name: int, at: int, message: Any) -> TicketFact:
    data = message.data
    group, agent = _word(data.group_id), _word(data.agent_id)
    return TicketFact(name, ASSIGNED, at, group=group, agent=agent, account=message.accountid)


def _status_changed(name: int, at: int, message: Any) -> TicketFact:
    status = _status.get(message.data.to, len(STATUSES) - 1)
    return TicketFact(name, STATUS_CHANGED, at, status=status, account=message.accountid)


def _merged(name: int, at: int, message: Any) -> TicketFact:
    return TicketFact(name, MERGED, at, into=message.data.into, account=message.accountid)


def _changed(name: int, at: int, message: Any) -> TicketFact:
    data = message.data
    return TicketFact(
        name,
        CHANGED,
        at,
        group=_word(data.group_id),
        custom_work=data.custom_work,
        priority=_word(data.priority),
        account=message.accountid,
    )


def _plain(kind: int) -> Shape:
    return Shape(
        kind, _Ticket, lambda name, at, message: TicketFact(name, kind, at, account=message.accountid)
    )


def _ticket(message: Any) -> str:
    ticket: str = message.data.ticket_id
    return ticket


decode: Final = Decoder(
    STREAM,
    {
        "created": Shape(CREATED, _Created, _created),
        "message_added": Shape(MESSAGE_ADDED, _Message, _message_added),
        "bot_handed_off": _plain(BOT_HANDED_OFF),
        "assigned": Shape(ASSIGNED, _Assigned, _assigned),
        "status_changed": Shape(STATUS_CHANGED, _StatusChanged, _status_changed),
        "solved": _plain(SOLVED),
        "reopened": _plain(REOPENED),
        "merged": Shape(MERGED, _Merged, _merged),
        "changed": Shape(CHANGED, _Changed, _changed),
        "voided": Shape(VOIDED, _Ticket),
        "deleted": Shape(DELETED, _Ticket),
    },
    _ticket,
)
TYPES: Final = decode.types
