"""What the Dockerfile does, step by step where no engine is: the wheel runs away from the source tree."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.settings import Sink
from pipeline.sink.clickhouse import Remedy, open_client, remedy
from tests.conftest import ROOT
from tests.deploy.test_health_checks import free_ports

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built by the pinned backend from what the Dockerfile copies, and nothing else."""
    source = tmp_path_factory.mktemp("source")
    for line in re.findall(r"^COPY (?!--)(.+) (\S+)$", DOCKERFILE, re.MULTILINE):
        names, target = line
        for name in names.split():
            where = source / (target if target != "./" else name)
            where.parent.mkdir(parents=True, exist_ok=True)
            subprocess.run(["cp", "-r", ROOT / name, where], check=True)
    assert "pipeline/_compiled" in (ROOT / ".dockerignore").read_text()
    shutil.rmtree(source / "pipeline/_compiled", ignore_errors=True)
    target = tmp_path_factory.mktemp("wheels")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", target]
    subprocess.run(build, cwd=source, check=True, capture_output=True, timeout=120)
    (found,) = target.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """A clean environment with the wheel and its core compiled; dependencies and tools are those of this one,
    which are locked."""
    venv = tmp_path_factory.mktemp("image") / "pulse"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True, timeout=60)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", venv / "bin/python"]
    subprocess.run([*pip, "install", "--quiet", "--no-deps", "--no-index", wheel], check=True, timeout=120)
    (packages,) = venv.glob("lib/python*/site-packages")
    ours = next(path for path in sys.path if path.endswith("site-packages"))
    # A plain path: what `ours` holds of the source tree by a .pth file of its own is not followed.
    (packages / "dependencies.pth").write_text(f"{ours}\n")
    if (ROOT / "pipeline/_compiled").is_dir():
        # Half a minute saved, where the tree was compiled: the same sources are under the same hash.
        shutil.copytree(ROOT / "pipeline/_compiled", packages / "pipeline/_compiled")
    compiling = [venv / "bin/python", "-m", "pipeline.local.compile"]
    subprocess.run(compiling, cwd=venv, env=clean({"PULSE_CORE": "interpreted"}), check=True, timeout=300)
    return venv


@pytest.fixture
def run(installed, tmp_path) -> Run:
    """`pulse …` of the wheel, in an empty folder, knowing nothing of the source tree."""

    def told(*arguments: str, code: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [installed / "bin/pulse", *arguments], cwd=tmp_path, env=clean(environment), capture_output=True, text=True, timeout=90, check=False
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return done

    return told


def clean(more: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | more


def test_the_dockerfile_passes_its_linter_and_a_careless_one_would_not(tmp_path):
    def lint(path: Path) -> subprocess.CompletedProcess[str]:
        command = [Path(sys.executable).with_name("hadolint"), path]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    assert (lint(ROOT / "Dockerfile").stdout, lint(ROOT / "Dockerfile").returncode) == ("", 0)
    careless = tmp_path / "Dockerfile"
    careless.write_text(re.sub(r"3\.11\.14-slim-bookworm", "latest", DOCKERFILE))
    assert lint(careless).returncode == 1


def test_the_image_is_of_two_stages_runs_as_nobody_and_can_be_found_unwell():
    stages = re.findall(r"^FROM python:(3\.11\.\d+)(-slim)?-bookworm( AS build)?$", DOCKERFILE, re.MULTILINE)
    (version, *build), (same, *run) = stages
    assert version == same  # or what is compiled in one would not be found in the other
    assert (build, run) == (["", " AS build"], ["-slim", ""])
    last = DOCKERFILE[DOCKERFILE.rindex("\nFROM ") :]
    assert "\nUSER 10001:10001\n" in last
    assert "\nHEALTHCHECK " in last
    assert "--require-hashes --only-binary :all: -r requirements.image.lock" in DOCKERFILE
    assert not re.search(r"^ADD |curl|http", DOCKERFILE, re.MULTILINE)


def test_the_core_of_the_image_is_compiled_from_what_is_installed_by_tools_left_behind(installed, run):
    last = DOCKERFILE[DOCKERFILE.rindex("\nFROM ") :]
    assert re.findall(r"^COPY --from=build (.*)$", last, re.MULTILINE) == ["/opt/pulse /opt/pulse"]
    assert " PULSE_CORE=compiled " in last
    steps = DOCKERFILE[: DOCKERFILE.rindex("\nFROM ")].splitlines()
    # Away from /src, whose own `pipeline` would be compiled.
    assert steps[-2:] == [
        "WORKDIR /",
        "RUN PYTHONPATH=/tools PULSE_CORE=interpreted /opt/pulse/bin/python -m pipeline.local.compile",
    ]
    tools = next(line for line in steps if "requirements.compile.lock" in line and "RUN" in line)
    assert "--require-hashes --only-binary :all: --target /tools " in tools
    assert list(installed.glob("lib/python*/site-packages/pipeline/_compiled/*/made_by"))
    assert "core: compiled (of these sources, by mypyc " in run("--version", PULSE_CORE="compiled").stdout


def test_the_core_is_compiled_by_the_tools_that_are_tested():
    tools, tested = pins("requirements.compile.lock"), pins("requirements.lock")
    assert {pin: hashes for pin, hashes in tested.items() if pin in tools} == tools
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"][
        "compiled"
    ]
    assert set(extra) < set(tools)


def test_the_build_sees_what_the_dockerfile_copies_and_nothing_else():
    ignored = (ROOT / ".dockerignore").read_text().split()
    copied = {
        name
        for line in re.findall(r"^COPY (?!--)(.+) \S+$", DOCKERFILE, re.MULTILINE)
        for name in line.split()
    }
    assert ignored[ignored.index("*")] == "*"
    assert {line[1:] for line in ignored if line.startswith("!")} == copied


def pins(name: str) -> dict[str, frozenset[str]]:
    """Each pin of a lock with its hashes."""
    text = (ROOT / name).read_text(encoding="utf-8")
    found = {}
    for block in re.split(r"\n(?=[a-z0-9])", text):
        if pin := re.match(r"([\w.\-]+==[\w.!]+)", block):
            found[pin[1]] = frozenset(re.findall(r"--hash=(sha256:\w+)", block))
    return found


def test_the_image_holds_a_part_of_what_is_tested_by_the_same_hashes():
    image, tested = pins("requirements.image.lock"), pins("requirements.lock")
    assert len(image) > 40
    assert {pin: hashes for pin, hashes in tested.items() if pin in image} == image
    assert all(image.values())
    names = {pin.partition("==")[0] for pin in image}
    assert names & {"chdb", "chdb-core", "pandas", "pytest", "mypy", "grafana-foundation-sdk"} == set()


def test_every_dependency_of_the_wheel_is_in_the_image(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [each for each in archive.namelist() if each.endswith(".dist-info/METADATA")]
        told = archive.read(name).decode()
    wanted = {line.lower() for line in re.findall(r"^Requires-Dist: ([\w.\-]+==[\w.]+)$", told, re.MULTILINE)}
    assert len(wanted) > 15
    assert wanted <= set(pins("requirements.image.lock"))


def test_the_wheel_holds_what_the_program_reads_and_no_dashboards_or_tests(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert not [name for name in names if name.startswith("pipeline/_compiled")]
    for needed in (
        "pipeline/_share/schemas/topics.toml",
        "pipeline/_share/schemas/call.schema.json",
        "pipeline/_share/deploy/kafka/pom.xml",
        "pipeline/board/page/index.html",
        *(f"pipeline/_share/deploy/clickhouse/{file.name}" for file in ROOT.glob("deploy/clickhouse/*.sql")),
    ):
        assert needed in names
    assert not [name for name in names if "grafana" in name or name.startswith("tests/")]


def test_the_wheel_makes_topics_and_tables_and_serves_the_page(run, installed, own_kafka, tmp_path):
    board, _ = free_ports(2)
    environment = {
        "PULSE_CORE": "compiled",
        "PULSE_KAFKA__BOOTSTRAP": own_kafka.bootstrap or "",
        "PULSE_KAFKA__TOPIC_PREFIX": own_kafka.topic_prefix,
        "PULSE_KAFKA__GROUP": own_kafka.group,
        "PULSE_BOARD__PORT": str(board),
        "PULSE_SINK__URL": f"chdb://{tmp_path}/clickhouse?database=pulse",
    }
    where = [installed / "bin/python", "-c", "import pipeline; print(pipeline.__file__)"]
    told = subprocess.run(where, cwd=tmp_path, env=clean({}), capture_output=True, text=True, check=True)
    assert told.stdout.startswith(str(installed))
    assert "0 findings" in run("topics", "--local", **environment).stdout
    files = sorted(int(file.name[:4]) for file in ROOT.glob("deploy/clickhouse/*.sql"))
    assert f"applied {files}" in run("migrate", **environment).stdout
    check = [installed / "bin/python", "-m", "pipeline.local.ready"]
    with subprocess.Popen([installed / "bin/pulse", "run"], cwd=tmp_path, env=clean(environment)) as process:
        try:
            deadline = time.monotonic() + 60
            while (done := ready(check, environment, tmp_path)).returncode != 0:
                assert time.monotonic() < deadline, done.stdout + done.stderr
                assert process.poll() is None
                time.sleep(0.3)
            with urllib.request.urlopen(f"http://127.0.0.1:{board}/", timeout=5) as page:
                assert "<title>" in page.read().decode()
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        finally:
            process.kill()
    assert ready(check, environment, tmp_path).returncode == 1


def ready(
    check: list[str | Path], environment: dict[str, str], elsewhere: Path
) -> subprocess.CompletedProcess[str]:
    """Asked from elsewhere: beside the sources `python -m` would take them, which nobody may have compiled."""
    return subprocess.run(
        check, cwd=elsewhere, env=clean(environment), capture_output=True, text=True, check=False, timeout=30
    )


def test_without_the_embedded_engine_the_sink_says_what_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "chdb", None)
    with pytest.raises(Exception, match=r"pulse-pipeline\[embedded\]") as told:
        open_client(Sink(url="chdb://nowhere"))
    assert remedy(told.value) is Remedy.STOP
