# What can be done here; every target works in a fresh clone.

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
VERSION     := $(shell git describe --tags --always --dirty 2>/dev/null || echo development)
DAY         :=
BINARY      := imapsync
FUZZTIME    := 20s
SEEDS       := 20000

.PHONY: build demo test sim lint golden fuzz bench dist clean

# One static binary, without a C library, nor what turns help texts into manuals.
build:
	CGO_ENABLED=0 go build -trimpath -tags urfave_cli_no_docs -ldflags "-s -w -X main.version=$(VERSION) -X main.day=$(DAY)" -o $(BINARY) ./cmd/imapsync

# The whole thing against an embedded server: no account, no network.
demo: build
	./imapsync demo

# Everything this machine can test. What it cannot is named at the end, and is
# a failure where CI=true or IMAPSYNC_REQUIRE=1. What takes long and would take a
# multiple of it is done without the race detector: the tests that run the program
# as users do, save those for which a program with the detector is built (the tag
# raced), and most of what is simulated. The former are never taken from the cache,
# which does not know of the program.
test: lint
	scripts/test-packages dovecot-imapd notmuch mutt isync offlineimap3 zsh fish groff mandoc
	go run ./internal/testsummary -race -timeout 25m $$(go list ./... | grep -v -e /internal/e2e -e /internal/sweep)
	go run ./internal/testsummary -tags raced -count=1 -timeout 25m ./internal/e2e ./internal/sweep
	go test ./syncer -run '^TestScenariosKilledAtEveryStep$$'
	$(MAKE) sim

# Random histories of a simulated world, on all cores. SEEDS=100000 plays that
# many, FROM=20001 others than the first; FAILURES=5 ends at the fifth failure.
sim:
	SEEDS=$(SEEDS) GOGC=400 go test ./syncer -run '^TestHistories(FindFaults)?$$' -count=1 -timeout 0 -v

lint:
	@files=$$(gofmt -l .); if [ -n "$$files" ]; then echo "not formatted by gofmt:" >&2; echo "$$files" >&2; exit 1; fi
	go vet ./...
	go run $(STATICCHECK) ./...

# Rewrites the golden files. Commit only differences you understand.
golden:
	go test $$(grep -rl --include='*_test.go' 'flag.Bool("update"' . | xargs -n1 dirname | sort -u) -update

# Every fuzz target for a short while; FUZZTIME=10m for a longer one.
fuzz:
	scripts/fuzz $(FUZZTIME)

# imapsync, mbsync and a bare client in turn on the same server, against the
# targets of docs/performance.md. BENCH="-short -json bench.json" passes options.
bench: build
	scripts/test-packages dovecot-imapd isync
	go run ./internal/bench -imapsync ./imapsync $(BENCH)

# What a release consists of, in dist: static binaries, Debian packages, their
# checksums. TARGETS="linux/amd64 linux/arm64" builds for those alone.
dist:
	scripts/dist "$(VERSION)" $(TARGETS)
	scripts/check-dist

clean:
	rm -rf imapsync dist
