# Short names for the commands in CONTRIBUTING.md. Nothing happens here that
# those do not say.

VERSION   ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
IMAGE     ?= sallyport:dev
E2E_IMAGE ?= sallyport-e2e:dev
BUILDER   ?= docker
FUZZTIME  ?= 30s

.PHONY: help build test race lint fuzz bench bench-floods bench-micro soak fleet demo e2e e2e-slow e2e-browser e2e-image image ci clean

help: ## show this
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

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

fuzz: ## each fuzz target for FUZZTIME (30s); FUZZ='FuzzPath FuzzRules' for some
	.ci/fuzz $(FUZZTIME) $(FUZZ)

bench: ## Sallyport beside other proxies, in figures (an hour); FLAGS='-scenarios one,rate' for some, PEERS=name=path,... for more
	go -C bench run ./compare -peers '$(PEERS)' $(FLAGS)

bench-floods: ## what floods of bad tokens do to callers, in figures (25 minutes); FLAGS='-mode hybrid' for some
	go -C bench run ./floods $(FLAGS)

# What a request passes through, and nothing that waits.
MICRO     = ^Benchmark(BearerToken|Decode|Verify|Hit|KnownToken|Observe|Gate|Rewrite|Bare)$$
MICRO_IN  = ./cmd/proxy ./internal/authn ./internal/authn/jwt ./internal/authn/oidc ./internal/cache ./internal/proxy

bench-micro: ## Go benchmarks, held against bench/baseline.txt (2 minutes); bin/micro.txt is the next baseline
	@mkdir -p bin
	go test -run '^$$' -bench '$(MICRO)' -benchmem -benchtime 0.2s -count 8 $(MICRO_IN) >bin/micro.txt
	go tool -modfile=tools/go.mod benchstat bench/baseline.txt bin/micro.txt

soak: ## ten minutes of changes, faults and attacks, and nothing may leak; FLAGS='-duration 1h' for more
	go -C bench run ./soak $(FLAGS)

fleet: ## what 10,000 gates ask of the API server, simulated (a minute); draws docs/fleet.svg
	go -C bench test -count=1 -v ./fleet -args -gates 400 -draw '$(CURDIR)/docs/fleet.svg'

demo: ## the demo, with everything it needs, on this machine
	go run ./cmd/proxy demo

# Said here, KUBECONFIG names the cluster to use. That of the shell does not
# count: nobody's cluster is to be tested by accident.
ifeq ($(origin KUBECONFIG),command line)
E2E_ON = -kubeconfig='$(abspath $(KUBECONFIG))' -image='$(IMAGE)' -tools-image='$(E2E_IMAGE)'
endif

e2e: ## the tests on a real Kubernetes, their own (as root) or KUBECONFIG's; RUN names some
	go -C e2e test -v -count=1 -timeout 25m -run '$(RUN)' ./scenarios -args $(E2E_ON)

e2e-slow: ## those that take ten minutes and more
	go -C e2e test -v -count=1 -timeout 40m -run '$(RUN)' ./scenarios -args -slow $(E2E_ON)

e2e-browser: ## the status page in Debian's chromium (a minute); FLAGS=-update for the pictures of README.md, -pictures=DIR for all
	go -C e2e test -v -count=1 -timeout 5m -parallel 6 -run '$(RUN)' ./browser -args $(FLAGS)

e2e-image: ## the image with the tests' own programs, as E2E_IMAGE (sallyport-e2e:dev)
	CGO_ENABLED=0 go -C e2e build -trimpath -o bin/ ./cmd/...
	$(BUILDER) build -t '$(E2E_IMAGE)' -f e2e/Dockerfile e2e/bin

image: ## the container image, as IMAGE (sallyport:dev), with BUILDER (docker)
	$(BUILDER) build --build-arg VERSION='$(VERSION)' -t '$(IMAGE)' .

ci: ## everything that must pass before a change lands
	.ci/run

clean: ## remove what make build and make e2e left
	rm -rf bin e2e/bin
