"""How the core runs: compiled only from the very sources that stand there, and never on the quiet."""

import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from msgspec import Struct

from pipeline.core import COMPILED, FOLDERS, MADE_BY, PACKAGE, CoreError, build_files, choose, fingerprint


@pytest.fixture
def package(tmp_path):
    """A copy of the core's sources, without a build."""
    copy = tmp_path / "pipeline"
    for name in FOLDERS:
        shutil.copytree(PACKAGE / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("__init__.py", "core.py"):
        shutil.copy(PACKAGE / name, copy)
    return copy


@pytest.fixture
def built(package):
    """The same with a build of them, of empty files."""
    build = package / "_compiled" / fingerprint(package)
    for file in build_files(build).values():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    (build / MADE_BY).write_text("mypyc 9, gcc 9")
    return package


def kind(wish, package):
    return choose(wish, package)[0].kind


def test_sources_without_a_build_are_interpreted(package):
    core, files = choose("", package)
    assert (core.kind, files) == ("interpreted", {})
    assert core.why == "there is no build"


def test_a_build_of_these_sources_is_taken(built):
    core, files = choose("", built)
    assert str(core) == "core: compiled (of these sources, by mypyc 9, gcc 9)"
    assert {name.removeprefix("pipeline.") for name in files} > set(COMPILED)


@pytest.mark.parametrize("file", ["state/ledger.py", "events/call.py", "metrics/families.py", "core.py"])
def test_a_build_of_other_sources_is_left_aside(built, file):
    """Also when an interpreted module changed: what is compiled holds its constants."""
    with (built / file).open("a") as source:
        source.write("# \n")
    assert kind("", built) == "interpreted"


def test_a_source_that_came_or_went_makes_other_sources(built):
    (built / "state" / "new.py").touch()
    assert kind("", built) == "interpreted"
    (built / "state" / "new.py").unlink()
    assert kind("", built) == "compiled"
    (built / "state" / "tickets.py").unlink()
    assert kind("", built) == "interpreted"


def test_a_build_for_another_python_or_half_a_build_is_left_aside(built):
    files = choose("", built)[1]
    files["pipeline.state.ledger"].unlink()
    assert kind("", built) == "interpreted"


def test_a_build_can_be_left_aside_by_wish(built):
    assert kind("interpreted", built) == "interpreted"


def test_who_wants_it_compiled_gets_it_compiled_or_an_error(built):
    assert kind("compiled", built) == "compiled"
    with (built / "state/ledger.py").open("a") as source:
        source.write("# \n")
    with pytest.raises(CoreError, match="make compiled"):
        choose("compiled", built)


def test_a_wish_nobody_knows_is_an_error(built):
    with pytest.raises(CoreError, match="PULSE_CORE=fast"):
        choose("fast", built)


@pytest.mark.parametrize("wish", ["compiled", "fast"])
def test_a_process_that_cannot_run_as_wished_ends_with_one_line_and_the_code_of_wrong_settings(built, wish):
    with (built / "state/ledger.py").open("a") as source:
        source.write("# \n")
    done = subprocess.run(
        [sys.executable, "-c", "import pipeline"],
        cwd=built.parent, env={"PULSE_CORE": wish},
        capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"PULSE_CORE={wish}")


@pytest.mark.parametrize("name", COMPILED)
def test_nothing_compiled_defines_a_struct(name):
    """Compiled, a msgspec Struct forgets the types of its fields, and decodes nothing."""
    module = import_module(f"pipeline.{name}")
    classes = [each for each in vars(module).values() if isinstance(each, type)]
    assert [each for each in classes if issubclass(each, Struct) and each.__module__ == module.__name__] == []
    assert "defstruct" not in Path(PACKAGE, *name.split(".")).with_suffix(".py").read_text()
