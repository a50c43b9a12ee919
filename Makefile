.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.PHONY: help demo docs check test soak bench fuzz lint spelling deny advisories images clean

target := $(or $(CARGO_TARGET_DIR),target)
# An engine has addresses for some thirty networks, and a test may need three.
export RUST_TEST_THREADS ?= $(shell n=$$(nproc 2>/dev/null || echo 4); echo $$((n < 8 ? n : 8)))

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Run a whole drill on sample data, with its own store (SYSTEM=NAME for another system's, ARGS="--rows 1000000" for a larger one)
	docker/setup
	cargo build --release --locked
	env=$$(docker/obtain-images) && eval "$$env" && $(target)/release/restore-drill demo $(addprefix --system ,$(SYSTEM)) $(ARGS)

docs: ## Write the tables of docs/ that are made from code anew
	UPDATE_DOCS=1 cargo test --locked --test docs --test failures --test schemas

check: ## Run what needs no Docker: unit tests, and the program on stores of the tests' own (ARGS is passed to cargo test)
	cargo test --locked --lib --test arrows --test docs --test failures --test offline --test schemas $(ARGS)

test: ## Run every test, the ones that need Docker too (ARGS is passed to cargo test)
	docker/setup
	env=$$(docker/obtain-images --local) && eval "$$env" && cargo test --locked $(ARGS)

soak: ## Kill drills at 30 random moments, and see that reap removes what they leave (some minutes)
	docker/setup
	env=$$(docker/obtain-images --local) && eval "$$env" && \
	  cargo test --locked --test it -- --ignored --exact --nocapture \
	  soak::drills_killed_at_random_moments_leave_nothing_that_reap_does_not_remove

bench: ## Measure (BENCH=chain for one of benches/, ARGS="--rows 200000" is passed on)
	docker/setup
	env=$$(docker/obtain-images --local) && eval "$$env" && cargo bench --locked $(addprefix --bench ,$(BENCH)) -- $(ARGS)

lint: ## Check formatting, clippy and the documentation's links, warnings as errors
	cargo fmt --check
	cargo clippy --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --document-private-items --locked

fuzz: ## Fuzz the readers of dumps and of canonical JSON, a minute each (needs cargo-fuzz; ARGS="-max_total_time=600" for longer)
	for reader in toc canonical; do \
	  mkdir -p fuzz/found/$$reader; \
	  RUSTC_BOOTSTRAP=1 cargo fuzz run $$reader fuzz/found/$$reader fuzz/corpus/$$reader -- $(or $(ARGS),-max_total_time=60); \
	done

spelling: ## Check the spelling of everything in the repository
	git ls-files | xargs cargo run --quiet --locked --manifest-path tests/spelling/Cargo.toml --target-dir $(target)/spelling --

deny: ## Check licences, sources and banned crates of what is depended on (needs cargo-deny)
	cargo deny --locked check bans licenses sources

advisories: ## Check dependencies against the RustSec database, which is fetched (needs cargo-deny)
	cargo deny --locked check advisories

images: ## Build the container images of docker/ that are missing, without a registry
	docker/setup
	docker/build-images

clean: ## Remove what cargo built (images stay: docker image rm restore-drill/…)
	cargo clean
