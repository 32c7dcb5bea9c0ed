//! GitOps with Flux's real kustomize-controller: what the documentation says about Flux. The build of the controller takes minutes, once,
//! so only `make gitops` runs these tests.

mod applying;
mod by_hand;
mod deleting;
mod examples;
mod flux;
mod forcing;
mod renaming;

use serde_json::{Value, json};

use self::flux::Flux;
use crate::fixture::{Fixture, Setup, manifest, with};
use crate::{control_plane, repository};

/// The name of the Kustomization.
const SHOP: &str = "shop";

/// A fixture, and a Kustomization that applies a repository to the fixture's namespace.
struct Shop<'a> {
    fixture: Fixture,
    flux: Flux<'a>,
}

impl Shop<'static> {
    async fn new() -> Self {
        Self::with(Setup::default(), json!({})).await
    }

    /// With these changes to the spec of the Kustomization.
    async fn with(setup: Setup, changes: Value) -> Self {
        let fixture = Fixture::with(setup).await;
        let flux = Flux::new(&fixture.client, &fixture.ns).await;
        Self::of(fixture, flux, changes).await
    }
}

impl<'a> Shop<'a> {
    async fn of(fixture: Fixture, flux: Flux<'a>, changes: Value) -> Self {
        let spec = with(spec(), json!({ "targetNamespace": fixture.ns }));
        flux.create(SHOP, with(spec, changes)).await;
        Self { fixture, flux }
    }

    /// Pushes a commit with these users and nothing else, and returns its revision.
    async fn push(&self, users: &[(&str, Value)]) -> String {
        let objects: Vec<Value> = users.iter().map(|(name, spec)| manifest(name, spec.clone())).collect();
        self.push_objects(&objects).await
    }

    /// Pushes a commit with these objects.
    async fn push_objects(&self, objects: &[Value]) -> String {
        // kustomize refuses a folder without an object.
        let always = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "always" } });
        let texts: Vec<String> = objects.iter().chain([&always]).map(Value::to_string).collect();
        self.flux.push(&[("objects.yaml", texts.join("\n---\n"))]).await
    }

    /// Pushes these users, and waits until Flux reports that all of them are ready.
    async fn deploy(&self, users: &[(&str, Value)]) -> Value {
        let revision = self.push(users).await;
        self.flux.ready(SHOP, &revision).await
    }

    async fn kubectl(&self, words: &[&str]) {
        let output = control_plane::output(self.fixture.kubectl(words)).await;
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// The object as the API server has it now.
    async fn object(&self, name: &str) -> Value {
        serde_json::to_value(self.fixture.users().get(name).await.unwrap()).unwrap()
    }

    async fn end(self) {
        // Otherwise Flux would try for ever to apply the objects to a namespace that is gone.
        self.flux.patch(SHOP, json!({ "spec": { "suspend": true } })).await;
        self.fixture.end().await;
    }
}

#[test]
fn the_documentation_names_the_version_of_flux_that_is_tested() {
    let pins = repository::read("tests/cluster/tools/kustomize-controller/go.mod");
    let pin =
        pins.lines().find_map(|line| line.trim().strip_prefix("github.com/fluxcd/kustomize-controller v"));
    let version = pin.and_then(|rest| rest.split(' ').next()).unwrap();
    let page = repository::read("docs/src/install/gitops.md");
    assert!(page.contains(&format!("kustomize-controller {version}")), "{version}");
}

/// The durations are those of the example in deploy/flux.
fn spec() -> Value {
    json!({
        "interval": "10m", "path": "./", "prune": true, "wait": true, "timeout": "5m", "retryInterval": "1m",
        "sourceRef": { "kind": "GitRepository", "name": "flux-system" },
    })
}

/// Durations of a test that shows what happens at their end.
fn impatient() -> Value {
    json!({ "timeout": "10s", "retryInterval": "2s" })
}
