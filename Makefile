# Keep targets short: each one calls cargo or a script.
.DEFAULT_GOAL := help
.PHONY: help demo unit test lint advisories docs crds manifests dev size bench soak fuzz rights gitops faults mutants allmutants

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Create, change and delete a user on a local control plane and emulator; for example DEMO=--use-cluster
	@hack/demo $(DEMO)

dev: ## Run control plane, emulator and operator until Ctrl-C; for example DEV="-- --log-format json"
	@cargo build --workspace --bins
	@cargo run --quiet -p demo -- dev $(DEV)

unit: ## Tests that need no control plane: less than a minute once compiled
	@cargo test -p elasticache-user-plan -p elasticache-emulator --test '*'
	@cargo test --workspace --lib --exclude chart --exclude cluster --exclude demo

test: ## Run all tests, on a control plane that is built once
	@cargo test --workspace --no-run
	@cargo run --quiet -p cluster -- build
	@cargo test --workspace

lint: ## Check formatting, clippy, documentation, licences and unused dependencies
	@cargo fmt --all --check
	@cargo clippy --workspace --all-targets -- -D warnings
	@RUSTDOCFLAGS="-D warnings" cargo doc --quiet --workspace --no-deps
	@"$$(hack/tool cargo-deny 0.20.2)" --log-level error --locked check licenses bans sources
	@"$$(hack/tool cargo-shear 1.13.0)" --deny-warnings --locked --color never

advisories: ## Compare the locked crates with RustSec's database (needs the network)
	@"$$(hack/tool cargo-deny 0.20.2)" --log-level error --locked check advisories

docs: ## Regenerate what tests write: parts of docs/src, IAM policies of other partitions
	@UPDATE=1 cargo test --test it -- reference:: transcript:: the_reference_lists iam::files::

crds: ## Regenerate crds/ from the Rust types, then `make manifests`
	@cargo run --quiet -- crd > crds/elasticacheusers.yaml.new
	@mv crds/elasticacheusers.yaml.new crds/elasticacheusers.yaml
	@$(MAKE) --no-print-directory manifests

manifests: ## Regenerate what comes from the chart: deploy/, the chart's README
	@cargo run --quiet -p chart -- manifests

size: ## Measure the release binary: its size, and its memory while idle
	@cargo build --release
	@cargo build --workspace --bins
	@cargo run --quiet -p demo -- size

bench: ## Measure what the operator costs; for example BENCH="--objects 2000 --json FILE"
	@cargo build --release
	@cargo build --workspace --bins
	@cargo run --quiet -p demo -- bench --release $(BENCH)

soak: ## Disturb 300 objects for 10 minutes, then all must converge; for example SOAK="--seconds 60 --seed 7"
	@cargo build --workspace --bins
	@cargo run --quiet -p demo -- soak $(SOAK)

fuzz: ## Read spoilt answers of AWS, objects and Secrets: each for FUZZ_SECONDS, 60 if not set
	@FUZZ_SECONDS=$${FUZZ_SECONDS:-60} RUST_BACKTRACE=0 cargo test --test it fuzzing:: -- --nocapture --test-threads=1

rights: ## Run tests/it once with each of the chart's RBAC settings: takes half an hour
	@cargo build --workspace --bins
	@for rights in namespaced cluster-secrets roles-only limited; do RIGHTS=$$rights cargo test --test it || exit 1; done

gitops: ## Run tests with Flux's kustomize-controller, which is built once: some 7 minutes, then 2
	@cargo build --workspace --bins
	@cargo run --quiet -p cluster -- build control-plane helm-4 kustomize-controller
	@cargo test --test it gitops:: -- --ignored

faults: ## Inject each kind of fault at every call of each scenario, at real pace: takes 10 minutes
	@cargo build --workspace --bins
	@FAULTS=full cargo test --test it whatever_fails -- --nocapture

mutants: ## Take each guard of the crate plan away, and run its test: takes 10 minutes
	@hack/mutants $(MUTANTS)

allmutants: ## Mutation-test the crate plan, line by line: takes some hours
	@"$$(hack/tool cargo-mutants 27.1.0)" mutants -p elasticache-user-plan -j1 --exclude 'src/plan/pass*' --exclude 'src/plan/pass/**'
	@"$$(hack/tool cargo-mutants 27.1.0)" mutants -p elasticache-user-plan -j1 --config .cargo/mutants-pass.toml
