"""RFC 3339 text to integer milliseconds UTC, finer digits cut off, never rounded.

Source: events.md §1 (`time`) and its rule on the range 2000-01-01 … 2100-01-01.
"""

import re
from datetime import UTC, datetime
from typing import Final

MS_2000: Final = 946_684_800_000
MS_2100: Final = 4_102_444_800_000

# `fromisoformat` alone takes +05:99 for an offset, and from Python 3.13 on 24:00:00 for tomorrow.
_CLOCK: Final = r"(?:[01]\d|2[0-3]):[0-5]\d"
_SHAPE: Final = re.compile(
    rf"(\d{{4}}-\d\d-\d\d)[Tt]({_CLOCK}:[0-5]\d)(?:\.(\d+))?([Zz]|[+-]{_CLOCK})", re.ASCII
)
_CACHE_SIZE: Final = 1 << 13
_hour_ms: dict[str, int] = {}
_rest_ms: Final = {
    f":{minute:02d}:{second:02d}": (minute * 60 + second) * 1000
    for minute in range(60)
    for second in range(60)
}
_fraction_ms: Final = {"Z": 0, **{f".{ms:03d}Z": ms for ms in range(1000)}}


class BadTimeError(ValueError):
    """The text is no RFC 3339 instant with a zone, or lies outside 2000 … 2100."""


def instant_ms(text: str) -> int:
    """Milliseconds since the Unix epoch. Raises BadTimeError."""
    hour = _hour_ms.get(text[:13])
    if hour is not None:
        rest, fraction = _rest_ms.get(text[13:19]), _fraction_ms.get(text[19:])
        if rest is not None and fraction is not None:
            return hour + rest + fraction
    return _parse(text)


def _parse(text: str) -> int:
    match = _SHAPE.fullmatch(text)
    if match is None:
        raise BadTimeError(f"{text[:40]!r} is not RFC 3339 with a zone")
    date, clock, fraction, zone = match.groups()
    zone = "+00:00" if zone in "Zz" else zone
    try:
        moment = datetime.fromisoformat(f"{date}T{clock}{zone}")
        delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise BadTimeError(f"{text[:40]!r}: {error}") from None
    seconds_ms = (delta.days * 86_400 + delta.seconds) * 1000
    if not MS_2000 <= seconds_ms < MS_2100:
        raise BadTimeError(f"{text[:40]!r} lies outside 2000-01-01 … 2100-01-01")
    if text[19:20] in {".", "Z"} and zone == "+00:00" and text[10] == "T":
        if len(_hour_ms) >= _CACHE_SIZE:
            _hour_ms.clear()
        _hour_ms[text[:13]] = seconds_ms - _rest_ms[text[13:19]]
    return seconds_ms + int((fraction or "0")[:3].ljust(3, "0"))


def instant_text(ms: int) -> str:
    """The same instant as RFC 3339 with milliseconds, `…Z`."""
    moment = datetime.fromtimestamp(ms // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{ms % 1000:03d}Z"
