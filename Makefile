# Thin lines only: each target calls cargo or a script.
.DEFAULT_GOAL := help
.PHONY: help demo test lint docs crds manifests dev size bench rights faults mutants

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## A user lives and dies on a local control plane and emulator
	@cargo build --workspace --bins
	@cargo run --quiet -p demo -- demo

dev: ## Control plane, emulator and operator stay up until Ctrl-C
	@cargo build --workspace --bins
	@cargo run --quiet -p demo -- dev

test: ## All tests
	@cargo test --workspace --no-run
	@cargo run --quiet -p cluster -- build
	@cargo test --workspace

lint: ## Formatting, clippy, documentation, licences
	@cargo fmt --all --check
	@cargo clippy --workspace --all-targets -- -D warnings
	@RUSTDOCFLAGS="-D warnings" cargo doc --quiet --workspace --no-deps
	@"$$(hack/tool cargo-deny 0.20.2)" --log-level error --locked check licenses bans sources

docs: ## Write anew what tests write: docs/src, the policies of other partitions
	@UPDATE=1 cargo test --test it -- reference:: transcript:: the_reference_lists iam::files::

crds: ## Write crds/ anew from the Rust types
	@cargo run --quiet -- crd > crds/elasticacheusers.yaml.new
	@mv crds/elasticacheusers.yaml.new crds/elasticacheusers.yaml
	@$(MAKE) --no-print-directory manifests

manifests: ## Write anew what is made from the chart: deploy/, its README
	@cargo run --quiet -p chart -- manifests

size: ## Measure the release binary: its size, and its memory when idle
	@cargo build --release
	@cargo build --workspace --bins
	@cargo run --quiet -p demo -- size

bench: ## What the operator costs; BENCH="--objects 2000 --json FILE" for more
	@cargo build --release
	@cargo build --workspace --bins
	@cargo run --quiet -p demo -- bench --release $(BENCH)

rights: ## The tests of `it` with each of the chart's rights of a namespace: takes half an hour
	@cargo build --workspace --bins
	@for rights in namespaced cluster-secrets roles-only; do RIGHTS=$$rights cargo test --test it || exit 1; done

faults: ## A fault of each kind at every call of each scenario, at real pace: takes some 10 minutes
	@cargo build --workspace --bins
	@FAULTS=full cargo test --test it whatever_fails -- --nocapture

mutants: ## Mutation testing of the pure core
	@"$$(hack/tool cargo-mutants 27.1.0)" mutants -p elasticache-user-plan -j1
