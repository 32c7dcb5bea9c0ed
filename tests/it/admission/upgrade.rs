//! An upgrade makes the rules of the CRD stricter. Objects that the former CRD admitted must still take a status and be deleted.

use elasticache_user_operator::api::{self, ElastiCacheUser, FIELD_MANAGER, FINALIZER};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, CustomResourceValidation, JSONSchemaProps,
};
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::core::ApiResource;
use serde_json::{Value, json};

use super::corpus::{self, Row};
use super::{check, dry_run, same, update, users};
use crate::control_plane;
use crate::fixture::until;

/// The API server's message if a value has another type than the schema says. An upgrade cannot cover such objects: CEL cannot read
/// the value, and that error is not ratcheted, and server-side apply cannot merge it (500). So a field must never change its type
/// within a version. The operator must still be able to decode such objects.
const OTHER_TYPE: &str = "must be of type";

/// Objects that break all rules at once. Rows of the corpus break each rule alone.
const WORST: &str = r#"
- claim: every rule on values and between fields
  name: 1.default
  spec:
    userID: "Default_${-*60}"
    userName: "${x*200}"
    engine: memcached
    accessString: "nopass >x${ x*2000}"
    authentication: { type: iam, passwords: [{ secretKeyRef: { name: "A_b", key: "a/b" } }, {}, {}] }
    tags: { "aws:${1..41}": "${x*300}", elasticache-users.dev/cluster: mine, "": "" }
    deletionPolicy: Orphan
- claim: every rule on characters
  spec: { userName: "x\ny", accessString: "on ~\e*", tags: { "a\nb": "\e", " Elasticache-Users.dev/a": c } }
- claim: every rule on what must be there
  name: default
  spec: { userName: "", engine: null, accessString: null, authentication: { type: null, passwords: [{}] } }
- claim: null wherever it can stand
  whole: { userID: null, userName: null, engine: null, accessString: null, authentication: null, tags: null, deletionPolicy: null }
- claim: null wherever it can stand, further down
  whole: { authentication: { type: null, passwords: [null] }, tags: { team: null } }
"#;

#[tokio::test]
async fn a_stored_object_that_breaks_new_rules_takes_status_and_loses_its_finalizer() {
    let client = control_plane::client().await;
    let upgrade = Upgrade::begin(&client, "leaving.test").await;
    let mut rows = corpus::rows(include_str!("invalid.yaml"));
    rows.extend(corpus::rows(WORST));
    check(&rows, |number, row| upgrade.store(format!("leaving-{number}"), row.object())).await;
    upgrade.tighten().await;
    check(&rows, |number, row| leave(upgrade.users(&format!("leaving-{number}")), row)).await;
}

#[tokio::test]
async fn an_edit_of_a_stored_object_is_refused_only_if_a_changed_field_breaks_a_new_rule() {
    let client = control_plane::client().await;
    let upgrade = Upgrade::begin(&client, "edited.test").await;
    let rows = corpus::rows(include_str!("upgraded.yaml"));
    check(&rows, |number, row| upgrade.store(format!("edited-{number}"), row.object())).await;
    upgrade.tighten().await;
    check(&rows, |number, row| update(upgrade.users(&format!("edited-{number}")), row)).await;
}

#[tokio::test]
async fn a_status_that_breaks_the_schema_is_overwritten() {
    let statuses = [
        json!({ "conditions": [{ "type": "Ready" }] }),
        json!({ "conditions": [{ "type": "Ready" }, { "type": "Ready", "status": "Perhaps" }] }),
        json!({ "createRequestedAt": "yesterday" }),
        json!({ "createRequestedAt": 5 }),
        json!({ "userGroupIDs": ["a", "a"] }),
        json!({ "aMemberOfAnotherVersion": "a" }),
    ];
    let client = control_plane::client().await;
    let upgrade = Upgrade::begin(&client, "reported.test").await;
    for (number, status) in statuses.iter().enumerate() {
        let namespace = format!("reported-{number}");
        let object = corpus::rows("[{ claim: a user }]")[0].object();
        upgrade.store(namespace.clone(), object).await.expect("the object is taken");
        let patch = Patch::Merge(json!({ "status": status }));
        let written =
            upgrade.users(&namespace).patch_status("orders-api", &PatchParams::default(), &patch).await;
        written.expect("the lax CRD takes any status");
    }
    upgrade.tighten().await;
    for (number, status) in statuses.iter().enumerate() {
        let row = &corpus::rows("[{ claim: a user }]")[0];
        let left = leave(upgrade.users(&format!("reported-{number}")), row).await;
        assert_eq!(left, Ok(()), "{status}");
    }
}

/// A CRD with a group of its own, so that the shared CRD stays unchanged.
struct Upgrade {
    client: kube::Client,
    strict: CustomResourceDefinition,
    resource: ApiResource,
}

impl Upgrade {
    /// Installs a CRD that accepts every object.
    async fn begin(client: &kube::Client, group: &str) -> Self {
        let mut strict = api::crd();
        strict.metadata.name = Some(format!("{}.{group}", strict.spec.names.plural));
        strict.spec.group = group.to_owned();
        // The shared CRD has these short names too, and kubectl takes whichever CRD comes first.
        strict.spec.names.short_names = None;
        strict.spec.names.categories = None;
        let mut resource = control_plane::resource();
        resource.api_version = resource.api_version.replace(&resource.group, group);
        resource.group = group.to_owned();
        let upgrade = Self { client: client.clone(), strict, resource };

        let mut lax = upgrade.strict.clone();
        for version in &mut lax.spec.versions {
            version.schema = Some(CustomResourceValidation {
                open_api_v3_schema: Some(JSONSchemaProps {
                    type_: Some("object".into()),
                    x_kubernetes_preserve_unknown_fields: Some(true),
                    ..JSONSchemaProps::default()
                }),
            });
            version.selectable_fields = None;
        }
        upgrade.crds().create(&PostParams::default(), &lax).await.expect("the lax CRD is taken");
        let anything = upgrade.object("default", json!({ "name": "probe" }), json!({}));
        is_in_force(async || upgrade.users("default").create(&dry_run(), &anything).await.is_ok()).await;
        upgrade
    }

    /// Installs today's CRD, and waits until the API server applies its rules.
    async fn tighten(&self) {
        let patch = json!({ "spec": { "versions": self.strict.spec.versions } });
        let name = self.strict.metadata.name.as_deref().unwrap_or_default();
        let answer = self.crds().patch(name, &PatchParams::default(), &Patch::Merge(patch)).await;
        answer.expect("the strict CRD is taken");
        let nothing = self.object("default", json!({ "name": "probe" }), json!({ "spec": {} }));
        is_in_force(async || self.users("default").create(&dry_run(), &nothing).await.is_err()).await;
    }

    async fn store(&self, namespace: String, mut object: DynamicObject) -> Result<(), String> {
        control_plane::create_namespace(&self.client, &namespace).await;
        object.types = self.object("", json!({}), json!({})).types;
        let stored = self.users(&namespace).create(&PostParams::default(), &object).await;
        stored.map(drop).map_err(|error| error.to_string())
    }

    fn users(&self, namespace: &str) -> Api<DynamicObject> {
        users(self.client.clone(), namespace, &self.resource)
    }

    fn object(&self, namespace: &str, metadata: Value, data: Value) -> DynamicObject {
        let mut object = DynamicObject::new("", &self.resource).within(namespace).data(data);
        object.metadata = serde_json::from_value(metadata).expect("metadata");
        object
    }

    fn crds(&self) -> Api<CustomResourceDefinition> {
        Api::all(self.client.clone())
    }
}

/// Waits until the API server applies the rules of the new CRD.
async fn is_in_force(ready: impl AsyncFn() -> bool) {
    until("the API server goes by the new CRD", async || ready().await.then_some(())).await;
}

/// What happens to an object after the upgrade: the operator decodes it and writes its status. A person deletes it. The operator
/// writes its status again and removes the finalizer. Then the object is gone.
async fn leave(users: Api<DynamicObject>, row: &Row) -> Result<(), String> {
    let list = users.list(&ListParams::default()).await.map_err(|error| format!("list: {error}"))?;
    let [object] = list.items.as_slice() else { return Err(format!("{} objects", list.items.len())) };
    let decoded = serde_json::to_value(object).and_then(serde_json::from_value::<ElastiCacheUser>);
    decoded.map_err(|error| format!("decode: {error}"))?;
    if row.message.as_ref().is_some_and(|message| message.contains(OTHER_TYPE)) {
        return Ok(());
    }

    let name = object.metadata.name.as_deref().unwrap_or_default();
    report(&users, object, "InvalidSpec").await?;
    let deleted =
        users.delete(name, &DeleteParams::default()).await.map_err(|error| format!("delete: {error}"))?;
    let object = deleted.left().ok_or("the object went without waiting for the finalizer")?;
    let object = report(&users, &object, "DeletingUser").await?;

    let finalizers = object.metadata.finalizers.clone().unwrap_or_default();
    same("finalizers", &json!(finalizers), &json!([FINALIZER]))?;
    let patch = serde_json::from_value(json!([
        { "op": "test", "path": "/metadata/resourceVersion", "value": object.metadata.resource_version },
        { "op": "remove", "path": "/metadata/finalizers/0" },
    ]))
    .expect("a patch");
    // First the merge patch that people use, as a dry run.
    let by_hand = json!({ "metadata": { "finalizers": null } });
    let rehearsal = PatchParams { dry_run: true, ..PatchParams::default() };
    let merged = users.patch(name, &rehearsal, &Patch::Merge(by_hand)).await;
    merged.map_err(|error| format!("finalizer, merge patch: {error}"))?;
    let patched = users.patch(name, &PatchParams::default(), &Patch::<()>::Json(patch)).await;
    patched.map_err(|error| format!("finalizer, JSON patch: {error}"))?;
    match users.get_opt(name).await {
        Ok(None) => Ok(()),
        Ok(Some(_)) => Err("is still there".to_owned()),
        Err(error) => Err(format!("get: {error}")),
    }
}

/// Writes the status as the operator does.
async fn report(
    users: &Api<DynamicObject>,
    object: &DynamicObject,
    reason: &str,
) -> Result<DynamicObject, String> {
    let name = object.metadata.name.as_deref().unwrap_or_default();
    let status = json!({
        "apiVersion": object.types.as_ref().map(|types| &types.api_version),
        "kind": "ElastiCacheUser",
        "metadata": { "name": name, "resourceVersion": object.metadata.resource_version },
        "status": {
            "observedGeneration": object.metadata.generation,
            "createRequestedAt": "2026-11-24T04:57:20.123456Z",
            "userGroupIDs": ["a", "b"],
            "conditions": [{
                "type": "Ready", "status": "False", "reason": reason, "message": "..",
                "lastTransitionTime": "2026-11-24T04:57:20Z", "observedGeneration": object.metadata.generation,
            }],
        },
    });
    let apply = PatchParams::apply(FIELD_MANAGER).force();
    let answer = users.patch_status(name, &apply, &Patch::Apply(status)).await;
    let object = answer.map_err(|error| format!("status ({reason}): {error}"))?;
    same("reason", &object.data["status"]["conditions"][0]["reason"], &json!(reason))?;
    Ok(object)
}
