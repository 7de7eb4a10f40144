#!/usr/bin/env bash
# Runs every benchmark of the repository for a moment: their numbers mean nothing
# then, but whoever needs some finds the benchmarks at work. Ends with an error if
# one fails. Real numbers: go run ./test/bench NAME, and go test -bench.
set -euo pipefail
cd "$(dirname "$0")/.."
. hack/env.sh

dir=$(mktemp -d)
finish() {
  local left
  left=$(jobs -p)
  [ -z "$left" ] || kill $left 2>/dev/null || true
  wait
  rm -rf "$dir"
}
trap finish EXIT
go build -o "$dir/bench" ./test/bench

# moment NAME FLAGS... runs one benchmark of test/bench.
moment() {
  local from=$SECONDS
  if timeout 120 "$dir/bench" "$@" >"$dir/$1.out" 2>&1; then
    echo "bench: $1 ran for a moment ($((SECONDS - from)) s)"
  else
    echo "bench: $* FAILED" >&2
    cat "$dir/$1.out" >&2
    return 1
  fi
}

# The least that makes sense of each. Most of the time they wait for something, so
# they run side by side.
store() {
  moment accept -rounds 1 -duration 200ms -connections 8 &&
    moment latency -rounds 1 -duration 300ms &&
    moment drain -queued 300 -rounds 1 -duration 300ms
}
isolation() { moment isolation -queued 300 -rounds 1 -drain-rounds 1 -duration 300ms; }
memory() { moment memory -events 300; }
plane() {
  moment apply -endpoints 2 -edits 1 &&
    moment scale -endpoints 4 -namespaces 2 -edits 1 -quiet 500ms
}

# Every benchmark that the program has must be here.
covered="accept apply drain isolation latency memory scale"
known=$({ "$dir/bench" 2>&1 || true; } | sed -n 's/^bench: say what to measure: //p' | tr -d ,)
[ "$known" = "$covered" ] || { echo "bench: this script runs $covered, but there are $known" >&2; exit 1; }

# packages runs each benchmark of the packages once.
packages() {
  local from=$SECONDS list
  mapfile -t list < <(grep -rl --include='*_test.go' '^func Benchmark' receiver controllers | xargs -n1 dirname | sort -u | sed 's|^|./|')
  if go test -vet=off -run '^$' -bench . -benchtime 1x "${list[@]}" >"$dir/go.out" 2>&1; then
    echo "bench: $(grep -c 'ns/op' "$dir/go.out") benchmarks of ${#list[@]} packages ran once ($((SECONDS - from)) s)"
  else
    echo "bench: a benchmark of a package FAILED" >&2
    cat "$dir/go.out" >&2
    return 1
  fi
}

lanes=() failed=
for lane in store isolation memory plane packages; do
  "$lane" & lanes+=($!)
done
for lane in "${lanes[@]}"; do wait "$lane" || failed=yes; done
[ -z "$failed" ]
