"""Names of events, and one shared object for each text that comes again and again.

Source: events.md §1. In the path of every event of every stream.
"""

import re
from typing import Final

from xxhash import xxh3_64_intdigest

_TENANT: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)
_CACHE_SIZE: Final = 1 << 17
_words: dict[str, str] = {}
_tenants: dict[str, str] = {}
known_word: Final = _words.get
known_tenant: Final = _tenants.get
"""What `word` and `tenant_word` look up first, without a call of theirs: the hot path asks here."""


def event_name(source: str, event_id: str) -> int:
    """60-bit name of (source, id), never 0; the tenant is part of the entity's key."""
    # The length keeps "a" + "bc" apart from "ab" + "c", whatever a source is made of. An integer of 60 bits
    # is two digits to CPython, one of 64 three: a third less memory for each fact there is.
    return xxh3_64_intdigest(f"{len(source)} {source}{event_id}") >> 4 or 1


def word(text: str) -> str:
    """One shared object per repeated text (queues, agents): less memory, hashed once."""
    known = _words.get(text)
    if known is None:
        if len(_words) >= _CACHE_SIZE:
            _words.clear()
        known = _words[text] = text
    return known


def tenant_word(text: str) -> str | None:
    """The tenant's shared text, or None when it is no tenant id."""
    known = _tenants.get(text)
    if known is None and _TENANT.fullmatch(text):
        if len(_tenants) >= _CACHE_SIZE:
            _tenants.clear()
        known = _tenants[text] = word(text)
    return known
