//! What people do on a stage: objects and Secrets are made, changed and deleted.

use std::sync::atomic::{AtomicUsize, Ordering};

use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};

use super::{Stage, Vanished, asks, is_ready, manifest};
use crate::{secrecy, world};

impl Stage {
    /// The objects.
    pub(crate) fn users(&self) -> Api<DynamicObject> {
        users(&self.client, &self.ns)
    }

    /// Creates an object with this spec.
    pub(crate) async fn create(&self, name: &str, spec: Value) -> Value {
        let object = manifest(name, spec);
        let created =
            self.users().create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await;
        serde_json::to_value(created.unwrap()).unwrap()
    }

    /// Creates an object, and waits until it is Ready.
    pub(crate) async fn ready(&self, name: &str, spec: Value) -> Value {
        self.create(name, spec).await;
        self.is_ready(name).await
    }

    /// Changes the object by a merge patch, and waits until the watch shows it: what was there before is no answer to it.
    pub(crate) async fn patch(&self, name: &str, patch: Value) {
        let patched = self.users().patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
        let number = |version: &str| version.parse::<u64>().unwrap();
        let written = number(&patched.resource_version().unwrap());
        self.observe(&format!("{name}: the patch"), |seen| {
            let gone = seen.vanished.lock().unwrap().iter().any(|vanished| vanished.name == name);
            let versions = seen.versions.lock().unwrap();
            let newest = versions.get(name).and_then(|versions| versions.last());
            let shown = newest.and_then(|newest| newest["metadata"]["resourceVersion"].as_str()).map(number);
            (gone || shown >= Some(written)).then_some(())
        })
        .await;
    }

    /// Asks for a pass now, where the object is still there.
    pub(crate) async fn nudge(&self, name: &str) {
        let patch = Patch::Merge(asks("now"));
        match self.users().patch(name, &PatchParams::default(), &patch).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => self.fail(&format!("failed to annotate {name}: {error}")),
        }
    }

    /// Asks for a pass and waits until it is acknowledged with the object Ready: whatever there was to do is done.
    pub(crate) async fn looked_at(&self, name: &str) -> Value {
        static TIMES: AtomicUsize = AtomicUsize::new(0);
        let request = format!("request-{}", TIMES.fetch_add(1, Ordering::Relaxed));
        self.patch(name, asks(&request)).await;
        let echoed = |object: &Value| {
            object["status"]["lastHandledReconcileAt"] == request.as_str() && is_ready(object)
        };
        self.shows(name, "Ready after another look", echoed).await
    }

    /// Asks for the object's deletion.
    pub(crate) async fn delete(&self, name: &str) {
        self.users().delete(name, &DeleteParams::default()).await.unwrap();
    }

    /// Asks for the object's deletion, and waits until it is gone.
    pub(crate) async fn deleted(&self, name: &str) -> Vanished {
        self.delete(name).await;
        self.gone(name).await
    }

    /// Makes a Secret with `password` under the key `password`.
    pub(crate) async fn secret(&self, name: &str, password: &str) {
        self.secret_with(name, json!({ "password": password })).await;
    }

    /// Makes, or replaces the data of, a Secret.
    pub(crate) async fn secret_with(&self, name: &str, data: Value) {
        secrecy::remember(&data);
        let secrets: Api<k8s_openapi::api::core::v1::Secret> = Api::namespaced(self.client.clone(), &self.ns);
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name }, "stringData": data,
        });
        let params = PatchParams::apply("test").force();
        secrets.patch(name, &params, &Patch::Apply(&secret)).await.unwrap();
    }
}

pub(super) fn users(client: &Client, ns: &str) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), ns, &world::resource())
}
