# The two commands of the README are `make run` and `make test`.
.PHONY: run help generate build pages onair loadtest demo local-stack test test-redis lint bench bench-fanout bench-million bench-redis bench-rolling fuzz release

# The version is that of the checkout: Go stamps it.
BUILD = CGO_ENABLED=0 go build -trimpath -ldflags "-s -w"

run: build ## build everything and start the server on its embedded default
	./bin/onair

help: ## this list
	@awk -F ':[^#]*## ' '/^[a-z-]+:.*## / {printf "%-14s %s\n", $$1, $$2}' Makefile

generate: ## the files that are generated: docs/metrics.md, deploy/onair.yaml
	go test ./server/config -run TestSampleFile -update
	go test ./server/node -run TestMetricsPage -update

build: pages onair ## the server with its pages: needs Node.js and npm beside Go

onair: ## the server alone, with whatever pages are built
	$(BUILD) -o bin/onair ./server

loadtest: ## simulated anchors and viewers
	$(BUILD) -o bin/loadtest ./loadtest

pages: web/dist/index.html ## the pages that the server shows

web/dist/index.html: web/node_modules/.installed $(shell find web/pages web/sdk -name node_modules -prune -o -name dist -prune -o -type f -print)
	npm run build --prefix web --silent
	touch $@

web/node_modules/.installed: web/package-lock.json
	npm ci --prefix web --prefer-offline --no-audit --no-fund --loglevel error
	touch $@

demo: build ## a broadcast's life with a real media server, encoder and player: needs nginx with RTMP, and ffmpeg
	go run ./deploy/demo

local-stack: build loadtest ## deploy/compose.yaml without containers: needs redis-server, haproxy, nginx with RTMP and prometheus
	go run ./deploy/localstack

test: ## install what the tests need, if it is missing, and run all of them
	.ci/install
	$(MAKE) build
	go test -vet=off -race -shuffle=on -timeout 15m ./server ./loadtest ./... # the longest first; .ci/lint vets
	go test -vet=off -race -tags portable ./hub/socket ./hub
	go test -vet=off -count=1 ./server/simulator # not built with -race: its doc.go
	npm test --prefix web
	.ci/fuzz

# The first redis-server in PATH is the one that tests start.
test-redis: build ## the tests that start a Redis, with another server: SERVER=path/to/valkey-server
	@test -x "$(SERVER)" || { echo "give the server's program: make test-redis SERVER=path/to/valkey-server" >&2; exit 2; }
	.ci/install
	mkdir -p bin/redis
	ln -sf "$(abspath $(SERVER))" bin/redis/redis-server
	bin/redis/redis-server --version
	PATH="$(CURDIR)/bin/redis:$$PATH" go test -vet=off -race -count=1 -timeout 15m ./presence/redislog/... ./deploy/grafana
	PATH="$(CURDIR)/bin/redis:$$PATH" go test -vet=off -race -count=1 -timeout 15m \
		-run "^($$(sed -n 's/^func \(Test[A-Za-z]*\).*/\1/p' server/redis_*_test.go | paste -sd '|' -))$$" ./server

lint: ## formatting, static analysis, modernisers, tidy modules
	.ci/lint

bench: ## every benchmark, with allocations
	go test -run '^$$' -bench . -benchmem ./...

bench-fanout: ## what the fan-out costs, against its bars: four minutes on two quiet cores, Linux
	go run ./hub/fanbench

bench-million: ## a million viewers in one process, over connections in memory: half a minute, 3 GiB
	go test -run '^$$' -bench 'Million|ViewsAtScale' -benchtime 1x -timeout 10m ./hub

bench-redis: ## a million beating anchors on Redis, by nodes, and snapshots: seven minutes, 6 GiB; needs redis-server
	go test -run '^$$' -bench 'MillionAnchors|ManyNodes|Snapshot' -benchtime 1x -timeout 20m ./presence/redislog

bench-rolling: ## three nodes restarted under 3,000 anchors and 6,000 viewers, and how fast starts are told: four minutes on two quiet cores
	go test -run '^$$' -bench 'RollingRestart|Starts' -benchtime 1x -timeout 20m -v ./loadtest

fuzz: ## each fuzz target for FUZZTIME (3000x)
	.ci/fuzz

# Each can be built on any of them: there is no C in it.
PLATFORMS = linux/amd64 linux/arm64 darwin/amd64 darwin/arm64

release: pages ## static binaries of the tag that is checked out, with checksums, in release/
	.ci/release $(PLATFORMS)
