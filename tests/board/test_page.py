"""The live page in a real browser: what it shows, that it moves by itself, and how it says it is stale."""

import asyncio

import pytest

from pipeline.metrics.definitions import declare
from tests.board.company import company
from tests.board.conftest import Stage
from tests.board.pages import Page
from tests.builders import T0, event

DEFINITIONS = declare({"tenants": {"globex": {"tz": "America/New_York"}}})


@pytest.fixture
async def stage():
    found = Stage(T0 + 60_000, DEFINITIONS)
    await found.board.start()
    yield found
    await found.board.stop()


@pytest.fixture
def page(browser, stage, tmp_path):
    return Page(browser, stage, tmp_path)


def line(queue: str, kind: str, tenant: str = "t") -> str:
    return f'[data-tenant="{tenant}"] [data-queue="{queue}"] td.{kind}'


def tile(key: str, tenant: str = "t") -> str:
    return f'[data-tenant="{tenant}"] .tile[data-tile="{key}"]'


def answered(contact: str, at: float, wait: float, **more):
    return [
        event("queued", at - wait, contact=contact, **more),
        event("answered", at, contact=contact, answered_by="human", **more),
    ]


TWO_QUEUES = [
    *answered("a", 40, 30, queue_id="sales"), *answered("b", 50, 95, queue_id="sales"),
    *answered("c", 55, 5, queue_id="billing"),
]  # fmt: skip


async def test_a_page_without_calls_says_so(stage, page):
    stage.board.fold.caught_up(stage.workers[0].source)
    stage.show()
    await page.open()
    assert await page.said("#empty") == "No calls yet. The first one shows here by itself."
    assert await page.said("#status") == "Live no data yet"


async def test_the_page_shows_each_mean_over_its_n(stage, page):
    stage.tell(TWO_QUEUES)
    stage.show()
    await page.open()
    await page.until_said(line("sales", "asa"), "1:03 few, n 2")
    assert await page.said(line("sales", "answered")) == "2"
    assert await page.said(line("sales", "waiting")) == "0"
    assert await page.said(line("sales", "oldest")) == "no one"
    assert await page.said(line("sales", "abandon-rate")) == "0.0 % few, 0.0 % to 66 %, n 2"
    assert await page.said(tile("asa") + " > .value") == "0:43"
    assert await page.said(tile("asa") + " > .note") == "few, n 3, 9 of 10 within 1:51"


async def test_no_answered_call_is_said_in_words_and_never_0(stage, page):
    stage.tell([event("queued", 55, contact="a", queue_id="sales"), event("queued", 56, contact="b")])
    stage.show()
    await page.open()
    await page.until_said(tile("asa") + " > .value", "no calls answered")
    assert await page.said(line("sales", "asa")) == "–"
    assert await page.said(line("sales", "answered")) == "0"
    assert await page.asked("document.querySelector('[data-queue=sales] .asa .value').ariaLabel") == (
        "no calls in this window"
    )


async def test_the_page_moves_when_a_commit_is_folded(stage, page):
    stage.tell(answered("a", 40, 30, queue_id="sales"))
    await page.open("/?window=1m")
    await page.until_said(tile("asa") + " > .value", "0:30")
    stage.tell([*answered("b", 50, 10, queue_id="sales"), *answered("c", 55, 5, queue_id="billing")])
    await page.until_said(line("sales", "asa"), "0:20 few, n 2")
    assert await page.said(line("billing", "asa")) == "0:05 few, n 1"
    assert await page.said(tile("asa") + " > .value") == "0:15"


async def test_the_oldest_waiting_ticks_by_itself_on_the_servers_clock(stage, page):
    stage.tell([event("queued", 0, contact="a", queue_id="sales")])
    stage.show()
    await page.open()
    value = tile("oldest") + " > .value"
    await page.until(lambda: page.text(value) in {"1:00", "1:01"})
    first = await page.said(value)
    await page.until(lambda: page.text(value) != first, 3)
    assert (await page.said(value))[:3] == "1:0"


async def test_stale_numbers_are_greyed_and_the_reason_and_since_when_are_told(stage, page):
    stage.tell([*answered("a", 40, 30), event("queued", 50, contact="b")])
    stage.show()
    await page.open()
    assert await asyncio.to_thread(page.state) == "live"
    ink = await page.asked("getComputedStyle(document.querySelector('.tile > .value')).color")
    stage.now += 120_000
    stage.show()
    await page.until(lambda: page.state() == "stale")
    since = await page.asked(f"new Date({T0 + 60_000}).toLocaleTimeString('en-GB')")
    assert await page.said("#notice-title") == f"These numbers are not current since {since}"
    assert "no commit for 120 s" in await page.said("#faults")
    assert await page.said("#age") == "data 2:00 old"
    assert await page.said(tile("oldest") + " > .value") == "0:10", "as of the last commit"
    await page.shot("stale")
    assert "grayscale" in await page.asked("getComputedStyle(document.querySelector('main')).filter")
    assert await page.asked("getComputedStyle(document.querySelector('.tile > .value')).color") != ink


async def test_a_board_that_is_gone_is_noticed(stage, page):
    stage.tell(answered("a", 40, 30))
    stage.show()
    await page.open()
    await stage.board.stop()
    # As if the silence had lasted: nobody waits twelve seconds for a test.
    await page.asked("(now => { performance.now = () => now() + 13000 })(performance.now.bind(performance))")
    await page.until(lambda: page.state() == "offline")
    assert (await page.said("#notice-title")).startswith("Disconnected: these numbers stand still since ")


async def test_names_are_text_whatever_they_hold(stage, page):
    name = '<img src=x onerror=alert(1)>"&'
    stage.tell([*answered("a", 40, 30, queue_id=name), *answered("b", 40, 30, queue_id="sales")])
    stage.show()
    await page.open("/?tenant=t")
    await page.until_said("[data-queue] th", name)
    assert await page.asked("document.querySelector('[data-queue]').dataset.queue") == name
    await page.until(lambda: page.ask("document.querySelector('#queue').options[1]?.textContent") == name)


async def test_a_screen_reader_finds_landmarks_tables_and_one_quiet_summary(stage, page):
    stage.tell(TWO_QUEUES)
    stage.show()
    await page.open(width=390, height=844)
    await page.until_said(line("sales", "answered"), "2")
    # On a phone tables are laid out as cards, and a browser then forgets what they are.
    parts = "'table:not(#freshness), table:not(#freshness) :is(tbody, tr, td, th)'"
    assert await page.asked(f"document.querySelectorAll({parts}).length") > 30
    unsaid = (
        f"[...document.querySelectorAll({parts})].filter(e => !e.getAttribute('role')).map(e => e.outerHTML)"
    )
    assert await page.asked(unsaid) == []
    assert (
        await page.asked("['header', 'nav', 'main', 'footer'].map(e => document.querySelectorAll(e).length)")
        == [1] * 4
    )
    assert await page.asked("document.querySelectorAll('[aria-live]').length") == 1
    unnamed = "[...document.querySelectorAll('button, select, input, summary')].filter(e => !(e.labels?.length || e.ariaLabel || e.textContent.trim())).length"
    assert await page.asked(unnamed) == 0
    await page.until_said("#summary", "Live. t: 0 waiting, answered after 0:43 in the last 5 min")


async def test_parts_of_the_company_show_when_the_board_was_told_of_them(stage, page):
    stage.tell(answered("a", 40, 30, tenantid="acme"))
    stage.show()
    await page.open()
    await page.until_said(tile("asa", "acme") + " > .value", "0:30")
    parts = "[...document.querySelectorAll('.part:not([hidden])')].map(e => e.dataset.part)"
    assert await page.asked(parts) == []
    assert not await page.asked("document.querySelector('#period').checkVisibility()")
    stage.tell_all(company(stage.now))
    stage.show()
    await page.until(lambda: page.ask(parts) == ["tickets", "voice", "success", "people"])
    assert await page.said(tile("headcount", "acme") + " > .value") == "22"


async def test_the_page_shows_what_the_api_and_prometheus_tell(stage, page):
    stage.tell(TWO_QUEUES)
    stage.tell_all(company(stage.now, "t"))
    stage.show()
    await page.open("/?period=90d")
    await page.until(lambda: page.text(tile("csat")) != "")
    shown = await page.said(tile("csat"))
    _, answer = await stage.json("/api/metrics?metric=csat&by=tenant&window=90d")
    (row,) = answer["metrics"]
    assert f" {row['value']:.0%}".replace("%", " %") in shown
    assert f"{row['low']:.0%} to {row['high']:.0%}, n {row['n']}".replace("%", " %") in shown
    _, text, _ = await stage.get("/metrics")
    parts = [
        line
        for line in text.splitlines()
        if line.startswith("support_csat_answers_satisfied{") and '"90d"' in line
    ]
    assert sum(float(line.split()[-1]) for line in parts) == row["value"] * row["n"]


async def test_sparklines_are_told_in_words_too(stage, page):
    stage.tell(TWO_QUEUES)
    stage.show()
    await page.open()
    await page.until(lambda: page.ask("!!document.querySelector('.hour svg')?.getAttribute('aria-label')"))
    assert await page.asked("document.querySelector('.hour svg').getAttribute('aria-label')") == (
        "Average speed of answer per minute over the last hour: from 0:43 to 0:43, last full minute 0:43."
    )
