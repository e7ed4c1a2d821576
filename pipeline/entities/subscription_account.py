"""An account's subscriptions as its facts tell them: the merge, and what the state log holds.

Source: events.md §3 `subscription` and §4. What the facts mean is read in `subscription.py`.
"""

from bisect import insort
from collections.abc import Iterable
from typing import Final, NamedTuple, TypeAlias

import msgspec
from msgspec import Struct

from pipeline.entities.amounts import STRETCH_MS, Amounts, amounts_of
from pipeline.entities.factset import place, rank
from pipeline.entities.subscription import STEERING
from pipeline.events.decoding import DELETED, PASSING, VOIDED, FactEvent
from pipeline.events.subscription import SubscriptionFact


class Told(Struct, array_like=True, tag="told", gc=False):
    """All but the amounts, as the state log holds it: `facts` that decide what holds, by (at, name), names
    that are void, instants of the erasure and of the latest event that is in no list (0 = none).
    """

    facts: list[SubscriptionFact]
    voids: list[int]
    deleted_at: int = 0
    passed_at: int = 0

    @property
    def touched_at(self) -> int:
        """Latest instant of all but the amounts."""
        return max(self.passed_at, self.facts[-1].at if self.facts else 0)


Part: TypeAlias = Told | Amounts
"""What one value of the state log says of an account; the parts of all keys together are the account."""


class Account(Struct, gc=False, eq=False):  # noqa: PLW1641 - changes in place, so it has no hash
    """What is known of one account's subscriptions. Both parts are held as bytes, as the state log has them,
    from `pack` until they are asked for: there are many accounts, and each is spoken of a few times a month.
    """

    told_as: Told | bytes
    amounts_as: Amounts | bytes

    @property
    def told(self) -> Told:
        """All but the amounts, to be read and changed."""
        told = self.told_as
        if isinstance(told, bytes):
            told = self.told_as = _decode_told(told)
        return told

    @property
    def amounts(self) -> Amounts:
        """The amounts, to be read and changed."""
        amounts = self.amounts_as
        if isinstance(amounts, bytes):
            amounts = self.amounts_as = _decode_amounts(amounts)
        return amounts

    def pack(self) -> None:
        """Let go of what was made to read. An erased account stays as it is: bytes are never of one."""
        if isinstance(self.told_as, Told) and not self.told_as.deleted_at:
            self.told_as = _encode(self.told_as)
        if isinstance(self.amounts_as, Amounts):
            self.amounts_as = _encode(self.amounts_as)

    def __eq__(self, other: object) -> bool:
        """Whether both say the same."""
        return isinstance(other, Account) and (self.told, self.amounts.facts()) == (
            other.told,
            other.amounts.facts(),
        )

    @property
    def facts(self) -> list[SubscriptionFact]:
        """Everything, by (at, name); amounts without the names of source and event."""
        return sorted([*self.told.facts, *self.amounts.facts()], key=place)

    @property
    def deleted_at(self) -> int:
        """Latest `deleted` event's time, 0 = none."""
        return self.told.deleted_at

    @property
    def touched_at(self) -> int:
        """Latest instant of all."""
        return max(self.told.touched_at, self.amounts.touched_at)


_encode: Final = msgspec.msgpack.Encoder().encode
_decode_told: Final = msgspec.msgpack.Decoder(Told).decode
_decode_amounts: Final = msgspec.msgpack.Decoder(Amounts).decode


class Changed(NamedTuple):
    """Which parts of an account an event has changed."""

    told: bool
    stretches: set[int]


def new_account() -> Account:
    """Nothing is known of it."""
    return Account(Told([], []), amounts_of(()))


def is_known(account: Account, event: FactEvent) -> bool:
    """Whether the event can change nothing."""
    fact, told = event.fact, account.told
    if event.voids and event.voids not in told.voids:
        return False
    if fact.kind in {PASSING, VOIDED}:
        return account.touched_at >= int(fact.at)
    if fact.kind == DELETED:
        return told.deleted_at >= int(fact.at)
    known = known_as(account, fact.name)
    return known is not None and known == _bare(fact)


def known_as(account: Account, name: int) -> SubscriptionFact | None:
    """The fact of that name that holds."""
    for fact in account.told.facts:
        if fact.name == name:
            return fact
    where = account.amounts.place(name)
    return None if where is None else account.amounts.fact(where)


def is_plain(account: Account, event: FactEvent) -> bool:
    """Whether the event states something under a name not heard of before, and nothing more."""
    fact, told, amounts = event.fact, account.told_as, account.amounts_as
    if event.voids or fact.kind >= PASSING:
        return False
    name = fact.name
    packed = _encode(name)
    # A name is 60 bits of a hash: bytes without it tell of no such fact, and nothing need be unpacked.
    if isinstance(told, Told) or packed in told:
        told = account.told
        if told.deleted_at or name in told.voids:
            return False
        for known in told.facts:
            if known.name == name:
                return False
    if isinstance(amounts, Amounts) or packed in amounts:
        return name not in account.amounts.names
    return True


def add(account: Account, fact: SubscriptionFact) -> Changed:
    """Take in a fact whose name is not there."""
    if fact.kind in STEERING:
        insort(account.told.facts, fact, key=place)
        return Changed(told=True, stretches=set())
    account.amounts.add(fact)
    return Changed(told=False, stretches={fact.at // STRETCH_MS})


def merge(account: Account, event: FactEvent) -> Changed:
    """Take in one event, in place. Law: any order, repetition and split gives an equal account."""
    fact, told = event.fact, account.told
    stretches: set[int] = set()
    if event.voids and event.voids not in told.voids:
        insort(told.voids, event.voids)
        stretches |= _forget(account, event.voids)
    if fact.kind == DELETED:
        told.deleted_at = max(told.deleted_at, fact.at)
        told.passed_at, told.facts = account.touched_at, []
        stretches |= account.amounts.stretches()
        account.amounts_as = amounts_of(())
    elif fact.kind < PASSING and not told.deleted_at and fact.name not in told.voids:
        known = known_as(account, fact.name)
        if known is None or rank(known) < rank(_bare(fact)):
            stretches |= _forget(account, fact.name)
            return Changed(told=True, stretches=stretches | add(account, fact).stretches)
    told.passed_at = max(told.passed_at, fact.at)
    return Changed(told=True, stretches=stretches)


def _forget(account: Account, name: int) -> set[int]:
    """Let go of the fact of that name, if there is one; answers the stretch of an amount."""
    known = known_as(account, name)
    if known is None:
        return set()
    told = account.told
    told.passed_at = max(told.passed_at, known.at)
    where = account.amounts.place(name)
    if where is None:
        told.facts.remove(known)
        return set()
    account.amounts.remove(where)
    return {known.at // STRETCH_MS}


def _bare(fact: SubscriptionFact) -> SubscriptionFact:
    """The fact as it is kept: of an amount no other is read before or after, so its source and id, which
    its name is made of, are not.
    """
    if fact.kind in STEERING:
        return fact
    return msgspec.structs.replace(fact, source="", event_id="")


def as_of(account: Account, at: int) -> Account:
    """The account as what takes effect at or before `at` tells it (metrics.md §1)."""
    told = account.told
    facts = _known_by(told.facts, at)
    kept = amounts_of(_known_by(account.amounts.facts(), at))
    return Account(Told(facts, told.voids, told.deleted_at, told.passed_at), kept)


def _known_by(facts: Iterable[SubscriptionFact], at: int) -> list[SubscriptionFact]:
    return [fact for fact in facts if min(fact.effective, fact.at) <= at]


def parts(account: Account) -> list[Part | msgspec.Raw]:
    """The whole account as values of the state log, or as their bytes."""
    told, amounts = account.told_as, account.amounts_as
    return [
        msgspec.Raw(told) if isinstance(told, bytes) else told,
        msgspec.Raw(amounts) if isinstance(amounts, bytes) else amounts,
    ]


def put(account: Account, part: Part) -> None:
    """What the state log says holds."""
    if isinstance(part, Told):
        account.told_as = part
    else:
        account.amounts.put(part)
