#!/usr/bin/env bash
# Has the vendors' own npm libraries sign and verify webhooks (test/vendors), and first
# gets them: those that test/vendors/package-lock.json names by version and digest, from
# whichever registry npm is set up for, into test/vendors/node_modules (some 400 MB).
# Without Node, npm or a registry it says so, and is content. Arguments go to go test.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=hack/env.sh
. hack/env.sh

say() { echo "vendors: $*" >&2; }

# ready reports whether there is a Node that is new enough, and an npm.
ready() { node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' && npm --version; }

# unreachable reports whether npm's log says that it is the registry that is missing.
unreachable() { grep -qE 'npm (error|ERR!) code (E[45][0-9][0-9]|ENOTFOUND|EAI_AGAIN|ECONN[A-Z]+|E[A-Z]*TIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT)' "$1"; }

# install does what npm ci does, unless that was done for this very lockfile.
install() {
  local dir=test/vendors log
  cmp -s $dir/package-lock.json $dir/node_modules/.installed && return
  say "getting the libraries"
  log=$(mktemp)
  if ! npm ci --prefix $dir --prefer-offline >"$log" 2>&1; then
    cat "$log" >&2
    if unreachable "$log"; then
      rm -f "$log"
      say "npm can't reach a registry: nothing is tried"
      exit 0
    fi
    rm -f "$log"
    return 1
  fi
  rm -f "$log"
  cp $dir/package-lock.json $dir/node_modules/.installed
}

if ! ready >/dev/null 2>&1; then
  say "there is no Node 20 or newer with npm here: nothing is tried"
  exit 0
fi
install
hack/redis.sh >&2
KUBEBUILDER_ASSETS=$(hack/controlplane.sh) exec go test -tags vendors -count=1 ./test/vendors "$@"
