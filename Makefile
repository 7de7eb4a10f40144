# Everything that is done to this repository, by name. `make` prints the list.
# hack/env.sh holds the Go settings, so that scripts and targets share one build cache.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

export CGO_ENABLED := $(shell . hack/env.sh; echo "$$CGO_ENABLED")
export GOFLAGS := $(shell . hack/env.sh; echo "$$GOFLAGS")

# What vet, lint, test and bench look at, and more flags for go test (-run, -count).
PACKAGES ?= ./...
RACE_PACKAGES ?= ./receiver/... ./controllers/... ./eventsapi ./provider
TESTFLAGS ?=
# How long each fuzz target runs.
FUZZTIME ?= 30s
# How many runs of random crashes; SALLYPORT_CRASH_SEED repeats one.
CRASHES ?= 3
# DEMO=once shows everything and stops; without it the demo stays up to play with.
DEMO ?=

KUBECTL ?= kubectl
# The images are $(IMAGE)-manager:$(TAG) and $(IMAGE)-receiver:$(TAG).
IMAGE ?= sallyport
TAG ?= latest

# A release: its VERSION, for example v0.1.0, and where people find the repository.
VERSION ?=
SOURCE ?= https://sallyport.dev/sallyport
# More flags for hack/release, for example "-platforms linux/amd64 -plugins linux/amd64".
RELEASEFLAGS ?=

# What the API server of the tests and the demo is made of. It is asked for in
# the recipes that need it, where a failure stops make.
ASSETS = KUBEBUILDER_ASSETS=$$(hack/controlplane.sh); export KUBEBUILDER_ASSETS

##@ General

.PHONY: help
help: ## Print this list.
	@awk 'BEGIN {FS = ":.*## "} \
	  /^##@ / {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z][a-z0-9-]*:.*## / {printf "  make %-14s %s\n", $$1, $$2}' Makefile

##@ Development

.PHONY: build
build: ## Build the programs into bin/.
	go build -ldflags "-s -w" -o bin/ ./cmd/...

.PHONY: generate
generate: bin/controller-gen ## Write deep copies, apply configurations, CRDs, roles and docs/providers from their sources.
	rm -rf api/v1alpha1/applyconfiguration # so that a removed type leaves nothing behind
	bin/controller-gen object crd applyconfiguration paths=./api/... output:crd:artifacts:config=config/crd/bases
	bin/controller-gen rbac:roleName=sallyport-manager "paths={./controllers/...,./eventsapi/...,./cmd/manager/...}" output:rbac:artifacts:config=config/rbac/manager
	bin/controller-gen rbac:roleName=sallyport-receiver "paths={./receiver/...,./cmd/receiver/...}" output:rbac:artifacts:config=config/rbac/receiver
	go run ./hack/providerdocs # writes docs/providers from config/providers

.PHONY: fmt
fmt: bin/golangci-lint ## Format the Go files and group their imports.
	bin/golangci-lint fmt

.PHONY: vet
vet: ## Run go vet.
	go vet $(PACKAGES)
	go vet -tags e2e ./test/e2e/...
	go vet -tags vendors ./test/vendors

.PHONY: lint
lint: bin/golangci-lint bin/actionlint ## Check style, architecture, the conventions of Kubernetes APIs (.golangci.yml), and workflows.
	GOGC=400 bin/golangci-lint run $(PACKAGES)
	cd hack/release && GOGC=400 ../../bin/golangci-lint run ./...
	bin/actionlint -shellcheck= -pyflakes= # the same everywhere, whatever is installed beside it

.PHONY: verify
verify: ## Check that generated files and go.mod files are up to date.
	hack/verify.sh

.PHONY: clean
clean: ## Remove what the other targets made here.
	rm -rf bin dist .demo cover.out test/vendors/node_modules

##@ Test

.PHONY: test
test: ## Run every test (units, a real API server, a real Redis) and then the demo once.
	hack/redis.sh >&2
	$(ASSETS); go test $(TESTFLAGS) $(PACKAGES)
	$(MAKE) demo DEMO=once

.PHONY: test-race
test-race: ## Run the tests of what runs concurrently under the race detector (needs a C compiler).
	hack/redis.sh >&2
	$(ASSETS); CGO_ENABLED=1 go test -race $(TESTFLAGS) $(RACE_PACKAGES)

.PHONY: vendors
vendors: ## Have the vendors' own npm libraries sign and verify (needs Node 20 and npm; docs/vendors.md).
	hack/vendors.sh $(TESTFLAGS)

.PHONY: bench
bench: ## Run the benchmarks.
	hack/redis.sh >&2
	$(ASSETS); go test -run '^$$' -bench . -benchmem $(TESTFLAGS) $(PACKAGES)

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME.
	hack/fuzz.sh $(FUZZTIME)

.PHONY: crash
crash: ## Kill receivers and Redis at random moments, CRASHES runs of it, and look for what was lost.
	hack/redis.sh >&2
	$(ASSETS); go test -run AtRandomMoments -count=$(CRASHES) -v ./test/system

.PHONY: e2e
e2e: ## Install into the current cluster, put it to work and to trouble, and remove it (docs/kind.md).
	go test -tags e2e -count=1 -timeout 30m -v $(TESTFLAGS) ./test/e2e

.PHONY: demo
demo: ## Start a control plane, Redis, manager and receiver here, and send signed webhooks through them.
	go build -o bin/demo ./hack/demo
	$(ASSETS); DEMO=$(DEMO) exec bin/demo

##@ Cluster

.PHONY: docker-build
docker-build: ## Build the images of the manager and the receiver.
	for program in manager receiver; do \
	  docker build --build-arg PROGRAM=$$program --tag $(IMAGE)-$$program:$(TAG) .; \
	done

.PHONY: install
install: ## Install the CRDs into the current cluster.
	$(KUBECTL) apply --server-side -k config/crd

.PHONY: uninstall
uninstall: ## Remove the CRDs, and with them every endpoint.
	$(KUBECTL) delete --ignore-not-found -k config/crd

.PHONY: deploy
deploy: ## Install everything into the current cluster.
	$(KUBECTL) apply --server-side -k config/default

.PHONY: undeploy
undeploy: ## Remove everything from the current cluster.
	$(KUBECTL) delete --ignore-not-found -k config/default

##@ Release

.PHONY: release
release: ## Make release VERSION in dist/: images, install.yaml, the plugin, SBOMs (docs/release.md).
	$(ASSETS); go -C hack/release run . -version "$(VERSION)" -image $(IMAGE) -source $(SOURCE) \
	  -out $(CURDIR)/dist -kubectl "$$KUBEBUILDER_ASSETS/kubectl" $(RELEASEFLAGS)

.PHONY: release-push
release-push: ## Publish the images of the release in dist/, with the credentials of docker login.
	go -C hack/release run . push -from $(CURDIR)/dist

.PHONY: release-check
release-check: ## Make a release for this platform in two folders, compare the two, and look at one.
	$(ASSETS); cd hack/release && go vet ./... && go test $(TESTFLAGS) ./...

# The tools, at the versions of hack/tools/go.mod.

bin/controller-gen: PACKAGE = sigs.k8s.io/controller-tools/cmd/controller-gen
# golangci-lint with the API linter in it.
bin/golangci-lint: PACKAGE = sigs.k8s.io/kube-api-linter/cmd/golangci-lint-kube-api-linter
bin/controller-gen bin/golangci-lint: hack/tools/go.mod hack/tools/go.sum
	@echo "building $@ (once)" >&2
	@cd hack/tools && GOGC=400 go build -p 4 -ldflags "-s -w" -o $(CURDIR)/$@ $(PACKAGE)
	@touch $@

# Not of hack/tools: golangci-lint wants a later YAML library than it can do with.
bin/actionlint: hack/release/go.mod hack/release/go.sum
	@echo "building $@ (once)" >&2
	@cd hack/release && go build -ldflags "-s -w" -o $(CURDIR)/$@ github.com/rhysd/actionlint/cmd/actionlint
	@touch $@
