#!/usr/bin/env bash
# Installs what `make test` needs of the system, where it is missing and may be installed; otherwise says
# what to install and fails: a missing part is a failure, never a skipped test.
set -euo pipefail

declare -A package_of=(
  [promtool]=prometheus
  [prometheus]=prometheus
  [amtool]=prometheus-alertmanager
  [prometheus-alertmanager]=prometheus-alertmanager
  [chromium]=chromium
  [chromedriver]=chromium-driver
  [java]=openjdk-17-jre-headless
  [mvn]=maven
  [wget]=wget
  [gcc]=gcc
)
python=${1:-python3}

missing_packages() {
  {
    for command in "${!package_of[@]}"; do
      command -v "$command" >/dev/null || echo "${package_of[$command]}"
    done
    # For the compiled core: the headers of C, and those of the Python that runs the tests.
    echo '#include <stdio.h>' | gcc -E - >/dev/null 2>&1 || echo libc6-dev
    "$python" -c 'import os, sys, sysconfig; sys.exit(not os.path.isfile(sysconfig.get_path("include") + "/Python.h"))' || echo python3-dev
  } | sort -u
}

mapfile -t packages < <(missing_packages)
[ ${#packages[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if sudo -n true 2>/dev/null; then as_root=(sudo -n); else as_root=(false); fi
fi
if ! command -v apt-get >/dev/null || [ "${as_root[*]-}" = false ]; then
  echo "The tests need these and cannot install them here: ${packages[*]}" >&2
  echo "On Debian or Ubuntu: sudo apt-get update && sudo apt-get install --no-install-recommends ${packages[*]}" >&2
  echo "Elsewhere put promtool, prometheus, amtool, prometheus-alertmanager, chromium, chromedriver, java (17 or newer), mvn, wget and gcc on the PATH, and the headers of C and of Python beside them." >&2
  exit 1
fi

echo "Installing for the tests: ${packages[*]}"
"${as_root[@]}" apt-get update -qq
# `env`: sudo does not hand the caller's variables on.
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}"

mapfile -t packages < <(missing_packages)
if [ ${#packages[@]} -gt 0 ]; then
  echo "Still missing after the installation: ${packages[*]}. Put their commands on the PATH; python3-dev is of the system's Python alone." >&2
  exit 1
fi
