"""`make look`: pictures of the dashboards as Grafana's own components draw them, of a whole installation that runs.

No test: it fetches some hundred packages, and somebody has to look. Decision 0024.
"""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.support.ui import WebDriverWait

from pipeline.local.kafka import LocalKafka
from pipeline.settings import Kafka
from tests.conftest import BROWSER_FLAGS, ROOT
from tests.deploy.rig import Rig, installation
from tests.deploy.test_dashboard_queries import asked, of_late, opened
from tests.deploy.test_dashboards import FILES

FOLDER = ROOT / ".pulse" / "look"
SOURCES = ROOT / "deploy" / "grafana" / "look"
SECONDS = 120
"""How much of Prometheus' past there is to draw."""


def answer(rig: Rig, board: str, panel: dict[str, Any], target: dict[str, Any], end: float) -> dict[str, Any]:
    """`end`: of the time shown, one for all, since points of a stack must meet."""
    if "expr" in target:
        expr = asked(opened(board, target["expr"]))
        series = rig.instant(expr) if panel["type"] == "stat" else rig.range(expr, SECONDS, end)
        return {"legend": target["legendFormat"], "series": series}
    query = of_late(target["rawSql"], rig.now + 60)
    types = {row[0]: row[1] for row in rig.sql(f"DESCRIBE ({query})")["rows"]}
    return {**rig.sql(query), "types": types}


def answers(rig: Rig) -> dict[str, list[dict[str, Any]]]:
    end = time.time()
    return {
        name: [
            {
                "panel": panel,
                "answers": [answer(rig, name, panel, each, end) for each in panel.get("targets", [])],
            }
            for panel in board["panels"]
        ]
        for name, board in FILES.items()
    }


def bundled() -> None:
    shutil.copytree(SOURCES, FOLDER, dirs_exist_ok=True)
    steps = (
        ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--legacy-peer-deps"],
        [
            *("node_modules/.bin/esbuild", "look.jsx", "--bundle", "--format=iife", "--outfile=bundle.js"),
            *(f"--loader:.{kind}=dataurl" for kind in ("svg", "woff", "woff2", "ttf")),
            '--define:process.env.NODE_ENV="production"',
            f"--alias:react-custom-scrollbars-2={FOLDER}/scrollbars.js",
        ],
    )
    for step in steps:
        subprocess.run(step, cwd=FOLDER, check=True, timeout=900)


def drawn(browser: webdriver.Chrome, board: str, mode: str) -> Path:
    height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in FILES[board]["panels"]) * 38
    metrics = {"width": 1800, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.get(f"file://{FOLDER}/look.html?board={board}&mode={mode}")
    WebDriverWait(browser, 30).until(lambda found: found.title == "drawn")
    picture = FOLDER / f"{board}-{mode}.png"
    browser.save_screenshot(str(picture))
    return picture


def main() -> None:
    shutil.rmtree(FOLDER / "rig", ignore_errors=True)
    (FOLDER / "rig").mkdir(parents=True)
    bundled()
    with LocalKafka(FOLDER / "rig" / "kafka", say=print) as broker:
        kafka = Kafka(bootstrap=broker.bootstrap, topic_prefix="look", group="look")
        with installation(kafka, FOLDER / "rig") as rig:
            time.sleep(SECONDS)
            told = json.dumps(answers(rig))
    (FOLDER / "answers.js").write_text(f"window.ANSWERS = {told};", encoding="utf-8")
    draw()


def draw() -> None:
    """Every dashboard of the answers that were written down."""
    programs = [shutil.which(name) for name in ("chromium", "chromedriver")]
    if None in programs:
        sys.exit("chromium or chromedriver is missing: run `make parts`")
    options = webdriver.ChromeOptions()
    options.binary_location = programs[0]
    for flag in BROWSER_FLAGS:
        options.add_argument(flag)
    with webdriver.Chrome(options=options, service=webdriver.ChromeService(programs[1])) as browser:
        for board in FILES:
            for mode in ("dark", "light"):
                print(drawn(browser, board, mode))


if __name__ == "__main__":
    main()
