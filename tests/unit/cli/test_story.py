"""The demo's story goes on in the same folder, and begins anew where that makes no sense."""

from itertools import islice

from pipeline.cli.story import HISTORY_MS, LONGEST_MS, OVERLAP_MS, Story, go_on, keep
from tests.builders import T0


def new(now: int, **more) -> Story:
    return Story(
        **{
            "rate": 25.0,
            "seed": 7,
            "bootstrap": "",
            "start_ms": now - HISTORY_MS,
            "told_ms": now - HISTORY_MS,
        }
        | more
    )


def test_the_first_story_begins_with_twenty_minutes_of_history(tmp_path):
    assert go_on(tmp_path / "story.json", new(T0)) == new(T0)


def test_the_next_run_goes_on_with_the_same_story(tmp_path):
    file = tmp_path / "folder" / "story.json"
    keep(file, new(T0), T0 + 60_000)
    assert go_on(file, new(T0 + 3_600_000)) == new(T0, told_ms=T0 + 60_000)


def test_another_rate_seed_or_kafka_is_another_story(tmp_path):
    file = tmp_path / "story.json"
    keep(file, new(T0), T0)
    for wanted in (new(T0 + 1, rate=5.0), new(T0 + 1, seed=8), new(T0 + 1, bootstrap="elsewhere:1")):
        assert go_on(file, wanted) == wanted


def test_a_story_of_yesterday_and_an_unreadable_one_begin_anew(tmp_path):
    file = tmp_path / "story.json"
    keep(file, new(T0), T0)
    assert go_on(file, new(T0 + LONGEST_MS)).start_ms == new(T0).start_ms
    assert go_on(file, new(T0 + LONGEST_MS + 1)) == new(T0 + LONGEST_MS + 1)
    file.write_bytes(b"{")
    assert go_on(file, new(T0)) == new(T0)


def test_what_is_still_to_be_told_is_the_rest_of_the_same_events():
    told = T0 + 60_000
    whole = new(T0, start_ms=T0, told_ms=T0 + OVERLAP_MS)
    rest = list(islice(new(T0, start_ms=T0, told_ms=told).untold(), 200))
    assert rest[0].deliver_at_ms >= told - OVERLAP_MS
    later = [each for each in islice(whole.untold(), 5000) if each.deliver_at_ms >= told - OVERLAP_MS]
    assert later[:200] == rest
