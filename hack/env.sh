# The Go settings of every build, test and lint of this repository: sourced by
# the scripts in hack/ and read by the Makefile. Source it in your own shell
# (. hack/env.sh) to share the build cache with them.
#
# One set of flags for the control plane that envtest starts, the tools, the
# programs and the tests means that k8s.io is compiled once; any other flag
# compiles all of it again.
#
#   CGO_ENABLED=0       static programs, and no C compiler needed. Only the race
#                       runs set it to 1.
#   -trimpath           the same output from every folder and machine
#   -dwarf=false        a third less to compile and link. Stack traces and pprof
#                       don't need it; a debugger does: unset GOFLAGS for it.
#   -buildvcs=false     building asks nothing of git, so it works from a tarball
export CGO_ENABLED="${CGO_ENABLED:-0}"
export GOFLAGS="-trimpath -gcflags=all=-dwarf=false -buildvcs=false"
