"""The demo's story goes on in the same folder, and begins anew where that makes no sense."""

from itertools import islice

from pipeline.cli.story import CROWD_MS, LONGEST_CROWD_MS, OVERLAP_MS, Story, begun, go_on, keep
from pipeline.sources.business.params import DAY_MS, Business
from pipeline.sources.business.world import STREAMS
from tests.builders import T0

HOUR_MS = 3_600_000


def new(now: int, **more) -> Story:
    wanted = {
        "rate": 25.0,
        "seed": 7,
        "bootstrap": "",
        "business": Business(accounts=30),
        "history_ms": 20 * DAY_MS,
    }
    return begun(now_ms=now, **wanted | more)


def told(file, story: Story, at: int) -> Story:
    keep(file, story, at, at)
    return story


def test_a_story_begins_with_a_past_of_customers_and_twenty_minutes_of_the_crowd():
    story = new(T0)
    assert (story.start_ms, story.crowd_ms) == (T0 - 20 * DAY_MS, T0 - CROWD_MS)
    assert next(story.calls()).deliver_at_ms < T0 - 19 * DAY_MS


def test_without_a_past_the_business_begins_with_the_crowd():
    assert new(T0, history_ms=0).start_ms == T0 - CROWD_MS


def test_the_next_run_goes_on_with_the_same_story(tmp_path):
    file = tmp_path / "folder" / "story.json"
    story = told(file, new(T0), T0 + 60_000)
    again = go_on(file, new(T0 + HOUR_MS))
    assert (again.start_ms, again.crowd_ms) == (story.start_ms, story.crowd_ms)
    assert (again.calls_told_ms, again.others_told_ms) == (T0 + 60_000, T0 + 60_000)


def test_another_business_seed_or_kafka_is_another_story(tmp_path):
    file = tmp_path / "story.json"
    told(file, new(T0), T0)
    for wanted in (
        new(T0 + 1, business=Business(accounts=31)),
        new(T0 + 1, seed=8),
        new(T0 + 1, bootstrap="elsewhere:1"),
    ):
        assert go_on(file, wanted) == wanted


def test_another_rate_is_another_crowd_beside_the_same_business(tmp_path):
    file = tmp_path / "story.json"
    told(file, new(T0), T0)
    again = go_on(file, new(T0 + 1, rate=5.0))
    assert (again.start_ms, again.rate) == (new(T0).start_ms, 5.0)
    assert again.crowd_ms == new(T0 + 1).crowd_ms


def test_a_crowd_of_yesterday_goes_home_and_the_business_goes_on(tmp_path):
    file = tmp_path / "story.json"
    told(file, new(T0), T0)
    assert go_on(file, new(T0 + LONGEST_CROWD_MS)).crowd_ms == new(T0).crowd_ms
    late = go_on(file, new(T0 + LONGEST_CROWD_MS + 1))
    assert late.crowd_ms == new(T0 + LONGEST_CROWD_MS + 1).crowd_ms
    assert late.start_ms == new(T0).start_ms


def test_an_unreadable_story_begins_anew(tmp_path):
    file = tmp_path / "story.json"
    file.write_bytes(b"{")
    assert go_on(file, new(T0)) == new(T0)


def test_what_is_still_to_be_told_is_the_rest_of_the_same_events(tmp_path):
    file = tmp_path / "story.json"
    for name in ("calls", "others"):
        whole = getattr(new(T0), name)
        rest = getattr(go_on(told(file, new(T0), T0) and file, new(T0 + 1)), name)
        wanted = () if name == "calls" else (STREAMS,)
        later = (each for each in whole(*wanted) if each.deliver_at_ms >= T0 - OVERLAP_MS)
        assert list(islice(later, 200)) == list(islice(rest(*wanted), 200))


def test_calls_are_told_apart_from_the_other_streams():
    assert {each.stream for each in islice(new(T0).calls(), 3000)} == {"call"}
    assert "call" not in {each.stream for each in islice(new(T0).others(STREAMS), 3000)}


def test_all_streams_go_on_where_the_one_further_back_was(tmp_path):
    file = tmp_path / "story.json"
    story = new(T0)
    keep(file, story, T0, T0 - HOUR_MS)
    first = next(go_on(file, new(T0 + HOUR_MS)).rest(STREAMS))
    assert T0 - HOUR_MS - OVERLAP_MS <= first.deliver_at_ms < T0 - HOUR_MS + 600_000
    assert not list(tmp_path.glob("*.half"))
