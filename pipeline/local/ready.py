"""`python -m pipeline.local.ready`: whether the roles of this machine are ready, for what watches containers.

Imports nothing of the roles: it runs every few seconds beside them.
"""

import json
import os
import sys
from http.client import HTTPConnection, HTTPException

TIMEOUT_SECONDS = 4.0


def unready(ports: tuple[int, ...]) -> list[str]:
    """Why the process that listens on the first answering port is not ready; empty = ready."""
    for port in ports:
        connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
        try:
            connection.connect()
        except ConnectionRefusedError:
            continue
        try:
            connection.request("GET", "/readyz")
            answer = connection.getresponse()
            reasons: list[str] = json.loads(answer.read())["reasons"]
        except (OSError, HTTPException, ValueError, KeyError, TypeError) as error:
            return [f"no answer on port {port}: {str(error) or type(error).__name__}"]
        finally:
            connection.close()
        return reasons if answer.status == 503 else []
    return [f"nobody listens on ports {', '.join(map(str, ports))}"]


if __name__ == "__main__":
    found = unready(
        (
            int(os.environ.get("PULSE_BOARD__PORT", "8470")),
            int(os.environ.get("PULSE_WORKER__HEALTH_PORT", "8471")),
        )
    )
    print("\n".join(found) or "ready")  # noqa: T201 - a command of its own
    sys.exit(bool(found))
