#!/usr/bin/env bash
# Prints the path of a redis-server or valkey-server, which the tests and the
# demo start themselves, and first installs one if the machine has none and can
# (apt-get or dnf as root, brew). With --check it only looks.
set -euo pipefail

find_server() {
  # Debian keeps servers in sbin or bin, which a user's PATH may lack.
  PATH="$PATH:/usr/sbin:/usr/local/sbin" command -v redis-server || PATH="$PATH:/usr/sbin:/usr/local/sbin" command -v valkey-server
}

have() { command -v "$1" >/dev/null 2>&1; }

# from_debian keeps the package from starting a service of its own: a server on
# the standard port is nothing that we need, or may leave behind.
from_debian() {
  local policy=/usr/sbin/policy-rc.d made=
  if [ ! -e "$policy" ]; then printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy" && made=yes; fi
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends redis-server
  local status=$?
  [ -z "$made" ] || rm -f "$policy"
  return $status
}

install_server() {
  if [ "$(id -u)" = 0 ] && have apt-get; then from_debian
  elif [ "$(id -u)" = 0 ] && have dnf; then dnf install -y -q valkey || dnf install -y -q redis
  elif have brew; then brew install --quiet redis
  else return 1; fi
}

if find_server; then exit; fi
if [ "${1:-}" != --check ]; then
  echo "redis: no redis-server or valkey-server here, installing one" >&2
  install_server >&2 || true
  if find_server; then exit; fi
fi
cat >&2 <<'EOF'
redis: no redis-server (6.2 or newer) or valkey-server on PATH. Install one, then run this again:
  Debian, Ubuntu   sudo apt-get install redis-server
  Fedora           sudo dnf install valkey
  macOS            brew install redis
EOF
exit 1
