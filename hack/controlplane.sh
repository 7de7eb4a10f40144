#!/usr/bin/env bash
# Prints the folder with the kube-apiserver, etcd and kubectl that envtest and
# the demo use, and first gets them if need be: from $KUBEBUILDER_ASSETS, from
# setup-envtest's own cache (which every clone shares), by setup-envtest's
# download, or, where only Go modules can be fetched, by compiling them (about
# five minutes on two cores, once). stdout: the folder. stderr: progress.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=hack/env.sh
. "$root/hack/env.sh"

programs="kube-apiserver etcd kubectl"
version=$(sed -n 's|^\tk8s.io/kubernetes v\([0-9.]*\).*|\1|p' "$root/hack/controlplane/go.mod")
minor=${version%.*}
platform=$(go env GOHOSTOS)-$(go env GOHOSTARCH)
data=${XDG_DATA_HOME:-$HOME/.local/share}/kubebuilder-envtest
cache=$data/k8s/$version-$platform
lock=$cache.lock

say() { echo "controlplane: $*" >&2; }

complete() {
  local program
  for program in $programs; do [ -x "$1/$program" ] || return 1; done
}

# cached prints the complete folder of this minor version: the exact patch
# first, else whichever setup-envtest has downloaded.
cached() {
  local dir
  for dir in "$cache" "$data/k8s/$minor."*"-$platform"; do
    if complete "$dir"; then echo "$dir"; return; fi
  done
  return 1
}

# bounded SECONDS COMMAND... runs the command and kills it when time is up
# (macOS has no timeout).
bounded() {
  local seconds=$1 pid
  shift
  "$@" & pid=$!
  while kill -0 "$pid" 2>/dev/null; do
    if [ "$seconds" -le 0 ]; then kill "$pid"; wait "$pid" || true; return 124; fi
    seconds=$((seconds - 1))
    sleep 1
  done
  wait "$pid"
}

# download asks for the index first, and briefly: it answers in a second or,
# behind a closed network, never.
download() {
  local setup=$work/setup-envtest
  (cd "$root/hack/tools" && go build -o "$setup" sigs.k8s.io/controller-runtime/tools/setup-envtest) >&2 || return 1
  bounded 20 "$setup" list --remote-only --bin-dir "$data" "$minor.x" >"$work/index" 2>"$work/log" || return 1
  grep -q "$minor" "$work/index" || return 1
  say "downloading Kubernetes $minor"
  bounded 600 "$setup" use --bin-dir "$data" --print path "$minor.x" >/dev/null 2>"$work/log"
}

# compile builds the three programs into $work/bin and moves them into place
# one by one: a rename is atomic, so nobody ever runs half a program.
compile() {
  local stamp="-s -w" started=$SECONDS pid
  local package=k8s.io/component-base/version
  stamp+=" -X $package.gitVersion=v$version -X $package.gitMajor=1 -X $package.gitMinor=${minor#1.}"
  stamp+=" -X $package.gitTreeState=clean -X $package.gitCommit=unknown"
  say "compiling Kubernetes $version from Go modules into $cache (once; minutes)"
  mkdir -p "$work/bin"
  (cd "$root/hack/controlplane" && GOGC=400 exec go build -v -p 4 -ldflags "$stamp" -o "$work/bin/" tool) 2>"$work/log" & pid=$!
  building=$pid
  while kill -0 "$pid" 2>/dev/null; do
    progress "$started"
    sleep 1
  done
  building=
  wait "$pid" || return 1
  mv "$work/bin/server" "$work/bin/etcd" || return 1 # named after the last element of its path
  mkdir -p "$cache" || return 1
  local program
  for program in $programs; do mv -f "$work/bin/$program" "$cache/$program" || return 1; done
  say "compiled in $((SECONDS - started)) s"
  cached
}

# progress says every ten seconds what the compiler has done so far.
progress() {
  local elapsed=$((SECONDS - $1))
  [ $((elapsed % 10)) -eq 0 ] && [ "$elapsed" -ne "${reported:-0}" ] || return 0
  reported=$elapsed
  say "$elapsed s: $(grep -c '^go: downloading' "$work/log" || true) modules downloaded," \
    "$(grep -vc '^go: ' "$work/log" || true) packages compiled"
}

# acquire waits for another run that is getting the same files. The lock only
# saves work, the renames are what keeps files whole; so a lock whose owner has
# died, or that is older than half an hour, is simply taken over.
acquire() {
  local waited=0 owner
  mkdir -p "$(dirname "$lock")"
  until mkdir "$lock" 2>/dev/null; do
    owner=$(cat "$lock/pid" 2>/dev/null || true)
    if [ "$waited" -ge 1800 ] || { [ "$waited" -ge 5 ] && ! kill -0 "${owner:-0}" 2>/dev/null; }; then
      rm -rf "$lock"
      continue
    fi
    [ $((waited % 30)) -eq 0 ] && say "waiting for process ${owner:-?}, which is getting the same files"
    sleep 1
    waited=$((waited + 1))
  done
  echo $$ >"$lock/pid"
}

cleanup() {
  [ -z "${building:-}" ] || kill "$building" 2>/dev/null || true
  [ -z "${work:-}" ] || rm -rf "$work" "$lock"
}

if [ -n "${KUBEBUILDER_ASSETS:-}" ] && complete "$KUBEBUILDER_ASSETS"; then
  echo "$KUBEBUILDER_ASSETS"
  exit
fi
if cached; then exit; fi

trap cleanup EXIT
trap 'exit 130' INT TERM
acquire
work=$(mktemp -d "$cache.XXXXXX") # beside the cache: mv must not cross file systems
if cached; then exit; fi # another run has just done it

download || say "setup-envtest's download can't be reached"
cached || compile || {
  tail -n 20 "$work/log" >&2
  say "can't get Kubernetes $version: neither setup-envtest's download nor the Go module proxy answered (above)."
  say "Put $programs into a folder and set KUBEBUILDER_ASSETS to it."
  exit 1
}
