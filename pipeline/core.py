"""Whether the hot part of the core runs compiled, and that only a build of these very sources does.

A build lies in `_compiled/<fingerprint>/` beside this file; the fingerprint is of every source of the
core, so a build is never met by sources that changed after it: they run as they stand, interpreted.
Its files bear the tag of the Python they are for, and one names the tools that made them.
`local/compile.py` makes builds. Standard library only: this runs before anything else is imported.
"""

import os
import sys
from collections.abc import Mapping
from hashlib import sha256
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from typing import Final, NamedTuple

PACKAGE: Final = Path(__file__).parent
FOLDERS: Final = ("events", "metrics", "entities", "state")
"""The core. What a compiled module takes from an interpreted one is partly fixed when it is compiled."""

COMPILED: Final = (
    "entities.chain_metrics",
    "entities.contact_merge",
    "entities.contact_metrics",
    "entities.course",
    "entities.stay",
    "entities.subscription_metrics",
    "entities.subscription_steps",
    "entities.ticket",
    "entities.ticket_course",
    "entities.ticket_metrics",
    "entities.usage_steps",
    "events.call_decode",
    "events.instants",
    "events.names",
    "metrics.buckets",
    "state.contacts",
    "state.ledger",
    "state.partition",
    "state.retention",
    "state.subscriptions",
    "state.tallied",
    "state.tickets",
    "state.usages",
)
"""Where the time of an event goes. None may define a msgspec Struct: compiled, it loses its types."""
LIBRARY: Final = "pulse_core__mypyc"
"""The code itself; each compiled module is but a door to it."""
SUFFIX: Final = EXTENSION_SUFFIXES[0]
VARIABLE: Final = "PULSE_CORE"
WAYS: Final = ("", "compiled", "interpreted")
MADE_BY: Final = "made_by"
"""The file of a build that names the tools it was made with."""
HOW: Final = f"`make compiled`, or {VARIABLE}=interpreted python -m pipeline.local.compile"
_WRONG_USAGE: Final = 2
"""The exit code of wrong settings."""


class CoreError(Exception):
    """The core cannot run as it was wished."""


class Core(NamedTuple):
    """How the core runs: `kind` is compiled or interpreted, `why` says what decided."""

    kind: str
    why: str

    def __str__(self) -> str:
        return f"core: {self.kind} ({self.why})"


class _Finder:
    """Finds the compiled modules before their sources."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._files = files

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> ModuleSpec | None:
        """Part of the protocol of `sys.meta_path`."""
        file = self._files.get(name)
        return None if file is None else spec_from_file_location(name, file)


def fingerprint(package: Path = PACKAGE) -> str:
    """Of every source of the core, of the list of what is compiled, and of how it is found."""
    told = sha256()
    sources = [package / "core.py", *(file for name in FOLDERS for file in (package / name).rglob("*.py"))]
    for file in sorted(sources):
        content = file.read_bytes()
        told.update(f"{file.relative_to(package).as_posix()} {len(content)} ".encode())
        told.update(content)
    return told.hexdigest()[:24]


def build_files(build: Path) -> dict[str, Path]:
    """Where a build has each module, for the Python that runs."""
    modules = {f"pipeline.{name}": build / "pipeline" / Path(*name.split(".")) for name in COMPILED}
    return {
        name: path.with_name(path.name + SUFFIX)
        for name, path in {**modules, LIBRARY: build / LIBRARY}.items()
    }


def choose(wish: str, package: Path = PACKAGE) -> tuple[Core, dict[str, Path]]:
    """How the core shall run, and the files of it where it is compiled.

    `wish` is PULSE_CORE: empty takes a build where there is one. Raises CoreError when the wish
    cannot be granted.
    """
    if wish not in WAYS:
        raise CoreError(f"{VARIABLE}={wish}: say compiled or interpreted, or unset it")
    if wish == "interpreted":
        return Core("interpreted", f"{VARIABLE} says so"), {}
    builds = package / "_compiled"
    why = "there is no build"
    if builds.is_dir():
        build = builds / fingerprint(package)
        files = build_files(build)
        if made_by := tools_of(build):
            return Core("compiled", f"of these sources, by {made_by}"), files
        why = "the sources changed since the last build, or it is for another Python"
    if wish:
        raise CoreError(f"{VARIABLE}=compiled cannot be: {why}. To make one: {HOW}")
    return Core("interpreted", why), {}


def tools_of(build: Path) -> str:
    """What made the build; empty where it is not whole, or for another Python."""
    note = build / MADE_BY
    is_whole = note.is_file() and all(file.is_file() for file in build_files(build).values())
    return note.read_text(encoding="utf-8") if is_whole else ""


def install() -> Core:
    """Make imports find the compiled modules where they may. Once, before any of them is imported.

    Ends the process where the wish cannot be granted: there is nothing to run, and nobody yet to tell.
    """
    try:
        core, files = choose(os.environ.get(VARIABLE, ""))
    except CoreError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(_WRONG_USAGE) from None
    if files:
        sys.meta_path.insert(0, _Finder(files))
    return core


CORE: Final = install()
"""What is in force in this process."""
