"""Where files that are no Python code lie: topics, schemas, migrations, the broker's pom."""

from pathlib import Path

_PACKAGE = Path(__file__).parent


def shared_file(name: str) -> Path:
    """The path of `schemas/…` or `deploy/…`, from an installed wheel or from a working copy.

    Raises FileNotFoundError, which means a broken installation.
    """
    for root in (_PACKAGE / "_share", _PACKAGE.parent):
        if (root / name).exists():
            return root / name
    raise FileNotFoundError(f"{name} is missing: install pulse-pipeline again, or run from a whole clone")
