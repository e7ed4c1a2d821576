"""The live page as one looks at it: the browser is driven beside the loop that serves the page."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.common.by import By

from tests.board.conftest import Stage


class Page:
    """One tab on a stage's board. What asks the browser runs in a thread; `shots` is where pictures go."""

    def __init__(self, browser: webdriver.Chrome, stage: Stage, shots: Path) -> None:
        self.browser = browser
        self._stage = stage
        self._shots = shots

    async def open(
        self, path: str = "/", *, width: int = 1920, height: int = 1080, scheme: str = "light"
    ) -> None:
        def go() -> None:
            metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
            self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
            media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
            self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
            self.browser.get(self._stage.board.url + path)

        await asyncio.to_thread(go)
        await self.until(lambda: self.state() not in {"connecting", None})

    def state(self) -> str | None:
        return self.browser.find_element(By.TAG_NAME, "body").get_attribute("data-state")

    def text(self, selector: str) -> str:
        return self.browser.execute_script(
            "const found = document.querySelector(arguments[0]); return found ? found.innerText.trim() : ''",
            selector,
        )

    def ask(self, script: str):
        return self.browser.execute_script(f"return {script}")

    async def asked(self, script: str):
        return await asyncio.to_thread(self.ask, script)

    async def said(self, selector: str) -> str:
        return " ".join((await asyncio.to_thread(self.text, selector)).split())

    async def until_said(self, selector: str, text: str, seconds: float = 8.0) -> None:
        await self.until(lambda: " ".join(self.text(selector).split()) == text, seconds)

    async def until(self, holds: Callable[[], bool], seconds: float = 8.0) -> None:
        async with asyncio.timeout(seconds):
            while not await asyncio.to_thread(holds):
                await asyncio.sleep(0.05)

    async def choose(self, selector: str, value: str) -> None:
        """Choose an option of a select, or a radio button, as a hand would."""
        await asyncio.to_thread(
            self.browser.execute_script,
            """const found = document.querySelector(arguments[0]);
            if (found.tagName === "SELECT") { found.value = arguments[1]; found.dispatchEvent(new Event("change", {bubbles: true})); }
            else found.querySelector(`input[value="${arguments[1]}"]`).click();""",
            selector,
            value,
        )

    async def press(self, *keys: str) -> None:
        def go() -> None:
            for key in keys:
                self.browser.switch_to.active_element.send_keys(key)

        await asyncio.to_thread(go)

    async def shot(self, name: str) -> None:
        await asyncio.to_thread(self.browser.save_screenshot, str(self._shots / f"{name}.png"))
