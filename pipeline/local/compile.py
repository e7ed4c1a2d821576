"""Compile the hot part of the core with mypyc: `make compiled`, or `python -m pipeline.local.compile`.

Needs a C compiler, Python's headers and the extra `compiled`; takes under a minute. The sources stay
what is read, tested and true: a build serves only the sources it was made of (`pipeline/core.py`).
"""

import contextlib
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from pipeline.core import COMPILED, FOLDERS, LIBRARY, MADE_BY, PACKAGE, fingerprint, tools_of

GROUP: Final = LIBRARY.removesuffix("__mypyc")


def main() -> None:
    """Exit code 1: cannot be compiled here, and standard error says why."""
    if lacking := missing():
        sys.exit(f"The core cannot be compiled here and runs interpreted: {lacking}.")
    build, made_by = PACKAGE / "_compiled" / fingerprint(), tools()
    if tools_of(build) == made_by:
        say(f"core: compiled already, of these sources, by {made_by}")
        return
    with TemporaryDirectory(prefix="pulse-compile-") as folder:
        compile_into(Path(folder))
        put(Path(folder) / "lib", build, made_by)
    say(f"core: compiled, {len(COMPILED)} modules, by {made_by}, into {build}")


def say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - a command of its own


def compiler() -> str:
    """The C compiler setuptools takes: that of the variable CC, or the one this Python was made with."""
    command: str = os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc"
    return command.split(maxsplit=1)[0]


def tools() -> str:
    """What would compile here, with versions: a build by others is made anew."""
    version = subprocess.run([compiler(), "-dumpfullversion"], capture_output=True, text=True, check=False)
    named = f"{Path(compiler()).name} {version.stdout.strip()}".strip()
    return f"mypyc {metadata.version('mypy')}, {named}, Python {platform.python_version()}"


def missing() -> str:
    """What this machine lacks to compile; empty when it can."""
    if not shutil.which(compiler()):
        return f"there is no C compiler {compiler()} (Debian and Ubuntu: apt install gcc libc6-dev)"
    if not Path(sysconfig.get_path("include"), "Python.h").is_file():
        return "Python's headers are not installed (Debian and Ubuntu: apt install python3-dev)"
    for library in ("mypyc", "setuptools"):
        if find_spec(library) is None:
            return f"{library} is not installed (pip install 'pulse-pipeline[compiled]')"
    return ""


def compile_into(folder: Path) -> None:
    """Compile a copy of the core in `folder`; what comes of it lies in `folder/lib`."""
    from mypyc.build import mypycify
    from setuptools import Distribution
    from setuptools.command.build_ext import build_ext

    package = folder / "pipeline"
    package.mkdir()
    (package / "__init__.py").touch()
    for name in FOLDERS:
        shutil.copytree(PACKAGE / name, package / name, ignore=shutil.ignore_patterns("__pycache__"))
    with contextlib.chdir(folder):
        files = [f"pipeline/{name.replace('.', '/')}.py" for name in COMPILED]
        # Types are `make types`' business, with the project's settings: here none are read.
        extensions = mypycify(["--config-file=", *files], opt_level="3", debug_level="0", group_name=GROUP)
        command = build_ext(Distribution({"name": GROUP, "ext_modules": extensions}))
        command.build_lib, command.build_temp = str(folder / "lib"), str(folder / "temp")
        command.ensure_finalized()
        command.run()


def put(made: Path, build: Path, made_by: str) -> None:
    """Bring a build to its place in one move, and remove those of other sources."""
    arriving = build.with_name(f"{build.name}.new")
    shutil.rmtree(arriving, ignore_errors=True)
    shutil.copytree(made, arriving)
    (arriving / MADE_BY).write_text(made_by, encoding="utf-8")
    shutil.rmtree(build, ignore_errors=True)
    arriving.rename(build)
    for other in build.parent.iterdir():
        if other != build:
            shutil.rmtree(other)


if __name__ == "__main__":
    main()
