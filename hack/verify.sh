#!/usr/bin/env bash
# Fails if generated files or a go.mod are not what their sources say: runs the
# generators and compares the tree before and after.
set -euo pipefail
cd "$(dirname "$0")/.."
. hack/env.sh

tree() {
  git status --porcelain --untracked-files=all
  git diff
}

before=$(tree)
make --no-print-directory generate
after=$(tree)
if [ "$before" != "$after" ]; then
  diff <(echo "$before") <(echo "$after") || true
  echo "verify: generated files are not up to date: run make generate and commit the result" >&2
  exit 1
fi

for module in . hack/tools hack/controlplane hack/release; do
  (cd "$module" && go mod tidy -diff) || {
    echo "verify: $module/go.mod is not tidy: run go mod tidy in $module and commit the result" >&2
    exit 1
  }
done
echo "verify: generated files and go.mod files are up to date"
