# Short names for the commands in CONTRIBUTING.md. Nothing happens here that
# those do not say.

VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
IMAGE    ?= sallyport:dev
BUILDER  ?= docker
FUZZTIME ?= 30s

.PHONY: help build test race lint fuzz demo e2e image ci clean

help: ## show this
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "  %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## the stripped binary, as bin/sallyport
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/sallyport ./cmd/proxy

test: ## all tests
	go test ./...

race: ## all tests, with the race detector (needs a C compiler)
	CGO_ENABLED=1 go test -race ./...

lint: ## gofmt, go vet, staticcheck
	@test -z "$$(gofmt -l .)" || { gofmt -l .; exit 1; }
	go vet ./...
	go tool -modfile=tools/go.mod staticcheck ./...

fuzz: ## each fuzz target for FUZZTIME (30s)
	@go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' ./... | while read -r pkg; do \
		for target in $$(go test -list '^Fuzz' "$$pkg" | grep '^Fuzz'); do \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$pkg" </dev/null || exit 1; \
		done; \
	done

demo: ## the demo, with everything it needs, on this machine
	go run ./cmd/proxy demo

e2e: ## the tests on a real Kubernetes that they start; as root; RUN names some
	go -C e2e test -v -count=1 -timeout 25m -run '$(RUN)' ./scenarios

image: ## the container image, as IMAGE (sallyport:dev), with BUILDER (docker)
	$(BUILDER) build --build-arg VERSION='$(VERSION)' -t '$(IMAGE)' .

ci: ## everything that must pass before a change lands
	.ci/run

clean: ## remove what make build and make e2e left
	rm -rf bin e2e/bin
