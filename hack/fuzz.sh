#!/usr/bin/env bash
# Runs every fuzz target of the repository, or of one folder of it, for the given
# time each, or so many times (2000x): go test -fuzz takes one package and one
# target at a time.
#
#   hack/fuzz.sh [TIME [FOLDER]]
set -euo pipefail
cd "$(dirname "$0")/.."
. hack/env.sh
time=${1:-30s}
folder=${2:-.}

targets() {
  grep -rHo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' "$folder" | sed 's|/[^/]*_test.go:func | |' | sort -u
}

found=
while read -r package target; do
  found=yes
  echo "fuzz: $target in $package for $time"
  go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$package" </dev/null
done < <(targets)
[ -n "$found" ] || { echo "fuzz: no fuzz target found" >&2; exit 1; }
