"""The live page in a real browser: what it shows, that it moves by itself, and how it says it is stale."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

from pipeline.board.server import wall_ms
from pipeline.metrics.definitions import declare
from tests.board.conftest import Stage
from tests.board.log import simulated
from tests.builders import T0, event

SCREENSHOTS = Path(__file__).parent.parent.parent / ".pytest_cache" / "screenshots"
DEFINITIONS = declare({"tenants": {"globex": {"tz": "America/New_York"}}})


class Page:
    """The page as one looks at it. The browser is driven beside the loop that serves it."""

    def __init__(self, browser: webdriver.Chrome, stage: Stage) -> None:
        self._browser = browser
        self._stage = stage

    async def open(self, width: int = 1920, height: int = 1080, scheme: str = "light") -> None:
        def go() -> None:
            metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
            self._browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
            media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
            self._browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
            self._browser.get(self._stage.board.url)

        await asyncio.to_thread(go)
        await self.until(lambda: self.state() not in {"connecting", None})

    def state(self) -> str | None:
        return self._browser.find_element(By.TAG_NAME, "body").get_attribute("data-state")

    def text(self, selector: str) -> str:
        return self._browser.execute_script(
            "const found = document.querySelector(arguments[0]); return found ? found.innerText.trim() : ''",
            selector,
        )

    def ask(self, script: str):
        return self._browser.execute_script(f"return {script}")

    async def said(self, selector: str) -> str:
        return " ".join((await asyncio.to_thread(self.text, selector)).split())

    async def until(self, holds: Callable[[], bool], seconds: float = 8.0) -> None:
        async with asyncio.timeout(seconds):
            while not await asyncio.to_thread(holds):
                await asyncio.sleep(0.05)

    async def shot(self, name: str) -> None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        await asyncio.to_thread(self._browser.save_screenshot, str(SCREENSHOTS / f"{name}.png"))


@pytest.fixture
async def stage():
    found = Stage(T0 + 60_000, DEFINITIONS)
    await found.board.start()
    yield found
    await found.board.stop()


@pytest.fixture
def page(browser, stage):
    return Page(browser, stage)


def line(queue: str, kind: str, tenant: str = "t") -> str:
    return f'[data-tenant="{tenant}"] [data-queue="{queue}"] td.{kind}'


def answered(contact: str, at: float, wait: float, **more):
    return [
        event("queued", at - wait, contact=contact, **more),
        event("answered", at, contact=contact, answered_by="human", **more),
    ]


async def test_a_page_without_calls_says_so(stage, page):
    stage.board.fold.caught_up(stage.workers[0].source)
    stage.show()
    await page.open()
    assert await page.said("#empty") == "No calls yet. The first one shows here by itself."
    assert await page.said("#status") == "Live no data yet"


async def test_the_page_shows_each_mean_over_its_n(stage, page):
    stage.tell([*answered("a", 40, 30, queue_id="sales"), *answered("b", 50, 95, queue_id="sales")])
    stage.show()
    await page.open()
    assert await page.said(line("sales", "asa-5m")) == "1:03 n 2"
    assert await page.said(line("sales", "asa-today")) == "1:03 n 2"
    assert await page.said(line("sales", "answered")) == "2"
    assert await page.said(line("sales", "waiting")) == "0"
    assert await page.said(line("sales", "oldest")) == "no one"
    assert await page.said(line("sales", "rate")) == "0.0 % 0.0 % to 66 %, n 2"


async def test_no_answered_call_is_said_in_words_and_never_0(stage, page):
    stage.tell([event("queued", 55, contact="a", queue_id="sales")])
    stage.show()
    await page.open()
    assert await page.said(line("sales", "asa-today")) == "no calls yet"
    assert await page.said(line("sales", "asa-1m")) == "–"
    assert await page.said(line("sales", "answered")) == "0"


async def test_the_page_moves_when_a_commit_is_folded(stage, page):
    stage.tell(answered("a", 40, 30, queue_id="sales"))
    await page.open()
    await page.until(lambda: page.text(line("sales", "answered")) == "1")
    stage.tell([*answered("b", 50, 10, queue_id="sales"), *answered("c", 55, 5, queue_id="billing")])
    await page.until(lambda: page.text(line("sales", "answered")) == "2")
    assert await page.said(line("sales", "asa-1m")) == "0:20 n 2"
    assert await page.said(line("billing", "asa-1m")) == "0:05 n 1"
    assert await page.said('[data-tenant="t"] .total td.asa-1m') == "0:15 n 3"


async def test_the_oldest_waiting_ticks_by_itself_on_the_servers_clock(stage, page):
    stage.tell([event("queued", 0, contact="a", queue_id="sales")])
    stage.show()
    await page.open()
    first = await page.said(line("sales", "oldest"))
    assert first in {"1:00", "1:01"}
    await page.until(lambda: page.text(line("sales", "oldest")) != first, 3)
    assert (await page.said(line("sales", "oldest")))[:3] == "1:0"


async def test_stale_numbers_are_greyed_and_the_reason_is_told(stage, page):
    stage.tell(answered("a", 40, 30))
    stage.show()
    await page.open()
    assert await asyncio.to_thread(page.state) == "live"
    stage.now += 120_000
    stage.show()
    await page.until(lambda: page.state() == "stale")
    assert await page.said("#notice-title") == "These numbers are not current"
    assert "no commit for 120 s" in await page.said("#faults")
    await page.shot("stale")
    assert "grayscale" in await asyncio.to_thread(
        page.ask, "getComputedStyle(document.querySelector('main')).filter"
    )


async def test_a_board_that_is_gone_is_noticed(stage, page):
    stage.tell(answered("a", 40, 30))
    stage.show()
    await page.open()
    await stage.board.stop()
    # As if the silence had lasted: nobody waits twelve seconds for a test.
    await asyncio.to_thread(page.ask, "heardAt -= 13000")
    await page.until(lambda: page.state() == "offline")
    assert await page.said("#notice-title") == "Disconnected: these numbers stand still"


async def test_names_are_text_whatever_they_hold(stage, page):
    name = '<img src=x onerror=alert(1)>"&'
    stage.tell(answered("a", 40, 30, queue_id=name))
    stage.show()
    await page.open()
    assert await page.said("[data-queue] th") == name


async def test_a_screen_reader_finds_a_table_and_one_quiet_summary(stage, page):
    stage.tell(answered("a", 40, 30, queue_id="sales"))
    stage.show()
    await page.open(390, 844)
    roles = "[...document.querySelectorAll('.tenant table, .tenant tr, .tenant td')].every(e => e.getAttribute('role'))"
    assert await asyncio.to_thread(page.ask, roles)
    assert await asyncio.to_thread(page.ask, "document.querySelectorAll('[aria-live]').length") == 1
    assert await asyncio.to_thread(page.ask, "document.querySelector('#summary').textContent") == (
        "Live. t: 0 waiting, answered after 0:30 in the last 5 minutes"
    )


@pytest.mark.parametrize(
    ("width", "scheme"),
    [(390, "light"), (390, "dark"), (768, "dark"), (1280, "light"), (1920, "light"), (1920, "dark")],
)
async def test_a_busy_centre_fits_the_screen(browser, width, scheme):
    now = wall_ms()
    stage = Stage(now, DEFINITIONS)
    await stage.board.start()
    page = Page(browser, stage)
    try:
        stage.tell(busy(now))
        stage.show()
        height = {390: 2400, 768: 2000}.get(width, 1000)
        await page.open(width, height, scheme)
        await page.until(lambda: page.text(line("billing", "answered", "acme")) != "")
        await page.shot(f"{width}-{scheme}")
        overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert await asyncio.to_thread(page.ask, overflow) == 0
        clipped = "[...document.querySelectorAll('.tenant td, .tenant th')].filter(e => e.scrollWidth > e.clientWidth + 1 && e.offsetParent && !e.closest('thead')).length"
        assert await asyncio.to_thread(page.ask, clipped) == 0
    finally:
        await stage.board.stop()


_BUSY: list = []


def busy(now: int):
    if not _BUSY or _BUSY[0] < now - 60_000:
        _BUSY[:] = [now, simulated(now - 3_000_000, now)]
    return _BUSY[1]
