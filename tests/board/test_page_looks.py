"""How the page looks: on a phone and on a wall, in light and dark."""

import asyncio

import pytest

from pipeline.board.server import wall_ms
from pipeline.metrics.definitions import declare
from tests.board.company import company
from tests.board.conftest import Stage
from tests.board.log import simulated
from tests.board.pages import Page

DEFINITIONS = declare({"tenants": {"acme": {"tz": "Europe/Bucharest"}, "globex": {"tz": "America/New_York"}}})
SIZES = [(390, "light"), (390, "dark"), (768, "dark"), (1280, "light"), (1920, "light"), (1920, "dark")]
# Contrast by WCAG 2.2 (1.4.3) of every text that is seen, against the nearest background that is not transparent.
CONTRASTS = """(() => {
  const light = v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const parts = colour => colour.match(/[\\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => 0.2126 * light(r) + 0.7152 * light(g) + 0.0722 * light(b);
  const behind = node => {
    for (let at = node; at; at = at.parentElement) {
      const colour = parts(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
  };
  const found = {};
  for (const node of document.querySelectorAll('body *')) {
    const isText = [...node.childNodes].some(each => each.nodeType === 3 && each.textContent.trim());
    if (!isText || !node.checkVisibility() || node.closest('.unseen, .skip, option, :disabled')) continue;
    const [one, other] = [luminance(parts(getComputedStyle(node).color)), luminance(behind(node))];
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    const name = `${node.tagName} ${node.className}`;
    found[name] = Math.min(found[name] ?? 99, ratio);
  }
  return found;
})()"""
_BUSY: list = []


def busy(now: int):
    """An hour of calls up to about now, made once."""
    if not _BUSY or _BUSY[0] < now - 60_000:
        _BUSY[:] = [now, simulated(now - 3_400_000, now)]
    return _BUSY[1]


@pytest.fixture
async def stage():
    now = wall_ms()
    found = Stage(now, DEFINITIONS)
    await found.board.start()
    found.tell(busy(now))
    found.tell_all(company(now))
    found.show()
    yield found
    await found.board.stop()


@pytest.fixture
def page(browser, stage, tmp_path):
    return Page(browser, stage, tmp_path)


@pytest.mark.parametrize(("width", "scheme"), SIZES)
async def test_a_busy_centre_fits_the_screen(page, width, scheme):
    await page.open("/?compare=1", width=width, height={390: 9000, 768: 4200}.get(width, 2600), scheme=scheme)
    await page.until(lambda: page.text('[data-queue="billing"] td.answered') != "")
    await page.until(lambda: page.ask("!!document.querySelector('.line')?.getAttribute('d')"))
    await page.shot(f"{width}-{scheme}")
    assert (
        await page.asked("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    )
    clipped = """[...document.querySelectorAll('main :is(td, th, h4, p, dd, dt, span)')].filter(
        e => e.scrollWidth > e.clientWidth + 1 && e.clientWidth && e.offsetParent && !e.closest('thead')
        && getComputedStyle(e).display !== 'inline').map(e => e.className + ': ' + e.textContent)"""
    assert await page.asked(clipped) == []


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1920, "dark")])
async def test_the_wall_fits_the_screen(page, width, scheme):
    await page.open("/?tenant=acme&wall=1", width=width, height={390: 1800}.get(width, 1080), scheme=scheme)
    await page.until(lambda: page.text('[data-tile="waiting"] .value') != "")
    await page.shot(f"wall-{width}-{scheme}")
    assert (
        await page.asked("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    )
    if width == 1920:
        assert await page.asked("document.documentElement.scrollHeight") == 1080
    # Every row is full: the last tile ends where the wall does.
    right = "Math.round(document.querySelector('{}').getBoundingClientRect().right)"
    assert await page.asked(right.format(".wall-tile:last-child")) == await page.asked(right.format(".wall"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/?compare=1", "/?wall=1&tenant=acme"])
async def test_every_text_can_be_read(page, scheme, path):
    await page.open(path, height=2600, scheme=scheme)
    await page.until(lambda: page.text(".value") != "")
    found = await page.asked(CONTRASTS)
    assert len(found) >= 8
    assert {name: round(ratio, 2) for name, ratio in found.items() if ratio < 4.5} == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_stale_numbers_are_grey_but_can_be_read(stage, page, scheme):
    await page.open("/?wall=1&tenant=acme", scheme=scheme)
    stage.now += 200_000
    stage.show()
    await page.until(lambda: page.state() == "stale")
    await page.shot(f"stale-wall-{scheme}")
    assert await page.asked("document.documentElement.scrollHeight") == 1080
    found = await page.asked(CONTRASTS)
    assert {name: round(ratio, 2) for name, ratio in found.items() if ratio < 4.5} == {}


async def test_a_theme_chosen_holds_against_the_systems(page):
    paper = "getComputedStyle(document.body).backgroundColor"
    await page.open("/", scheme="dark")
    dark = await page.asked(paper)
    await page.choose("#theme", "light")
    light = await page.asked(paper)
    assert light != dark
    await page.open("/?theme=dark", scheme="light")
    assert await page.asked(paper) == dark


async def test_nothing_moves_for_those_who_asked_for_that(page):
    await page.open()
    assert await page.asked("getComputedStyle(document.querySelector('.dot')).animationName") == "breathe"
    media = {"features": [{"name": "prefers-reduced-motion", "value": "reduce"}]}
    await asyncio.to_thread(page.browser.execute_cdp_cmd, "Emulation.setEmulatedMedia", media)
    assert await page.asked("getComputedStyle(document.querySelector('.dot')).animationName") == "none"
