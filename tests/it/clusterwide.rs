//! An operator of the whole cluster, as the chart runs it: with the environment of the rendered Deployment, with the rendered
//! ServiceAccount and its rights, and with leader election. It has its own control plane, because otherwise it would manage the
//! objects of every other test.

mod hook;

use std::time::{Duration, Instant};

use cluster::Cluster;
use futures::join;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use serde_json::json;

use crate::deployed::Deployed;
use crate::fixture::{Fixture, PASSWORD, Setup, iam, iam_user, prevent_deletion, until, with, with_password};
use crate::rights::Rights;
use crate::{audit, control_plane};

const SECOND: &str = "second-long-passphrase";
/// What "within seconds" means on a busy machine. The next resync is a minute away.
const SECONDS: Duration = Duration::from_secs(10);

/// In which namespaces the operator may read Secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Secrets {
    Nowhere,
    InOne,
    /// In one too, and by a RoleBinding that a team makes there later.
    Bound,
    Everywhere,
}

impl Secrets {
    /// The name of the release, and its values besides the region.
    fn release(self, one: &str) -> (&'static str, Vec<String>) {
        let (name, secrets) = match self {
            Self::Nowhere => ("no-secrets", None),
            Self::Bound => ("bound", None),
            Self::InOne => ("secrets-of-one", Some(format!("secrets.namespaces={{{one}}}"))),
            Self::Everywhere => ("all-secrets", Some("secrets.clusterWide=true".to_owned())),
        };
        (name, secrets.into_iter().chain(["operator.adoptionNamespaces={*}".to_owned()]).collect())
    }
}

/// Two namespaces of the cluster with the same emulator.
struct Life {
    one: Fixture,
    two: Fixture,
    secrets: Secrets,
}

#[tokio::test]
async fn the_api_server_refuses_no_request_of_an_operator_of_the_whole_cluster() {
    let cluster = tokio::task::spawn_blocking(control_plane::own).await.unwrap();
    let mut gone = Vec::new();
    for secrets in [Secrets::Nowhere, Secrets::InOne, Secrets::Bound, Secrets::Everywhere] {
        let life = Life::begin(&cluster, secrets).await;
        let (name, values) = secrets.release(&life.one.ns);
        let release = Deployed::apply(&cluster, &life.one.client, name, &life.one.ns, &values).await;
        life.one.run(release.operator("operator-0", &life.one.aws));
        life.create_users(name).await;
        life.change_users().await;
        life.create_other_users().await;
        if secrets == Secrets::Nowhere {
            hook::holds(&cluster, &life.one, &life.two, &release).await;
        }
        join!(life.delete_users(), life.delete_namespace());
        life.assert_no_refusal(&cluster, &release);
        life.one.kill();
        gone.push((namespaces(&life.two), life.two.ns.clone()));
        life.one.end().await;
        life.two.end().await;
    }
    // The namespaces are removed some seconds after their objects.
    for (namespaces, name) in gone {
        until("the namespace is gone", async || namespaces.get_opt(&name).await.unwrap().is_none()).await;
    }
}

fn namespaces(fixture: &Fixture) -> Api<Namespace> {
    Api::all(fixture.client.clone())
}

impl Life {
    async fn begin(cluster: &Cluster, secrets: Secrets) -> Self {
        let setup = || Setup {
            leaves_users: true,
            // The operator has the rights of the release and not those of the fixture.
            rights: Some(Rights::Administrator),
            ..Setup::default()
        };
        let (one, mut two) = join!(
            Fixture::without_operator_on(cluster, setup()),
            Fixture::without_operator_on(cluster, setup())
        );
        two.aws = one.aws.clone();
        Self { one, two, secrets }
    }

    /// Users of each kind in both namespaces.
    async fn create_users(&self, release: &str) {
        let Self { one, two, secrets } = self;
        let open = json!({
            "engine": "redis", "accessString": "on ~public:* -@all +@read",
            "authentication": { "type": "no-password-required" },
        });
        join!(one.create("one-iam", iam()), two.create("two-iam", iam()), one.create("one-open", open));
        if *secrets != Secrets::Nowhere {
            join!(one.secret("pw", PASSWORD), two.secret("pw", PASSWORD));
            join!(one.create("one-pw", with_password("pw")), two.create("two-pw", with_password("pw")));
            if *secrets == Secrets::Bound {
                one.reason("one-pw", "SecretForbidden").await;
                self.bind_role(release).await;
            }
            one.wait_ready("one-pw").await;
        }
        match secrets {
            Secrets::Nowhere => {}
            Secrets::InOne | Secrets::Bound => drop(two.reason("two-pw", "SecretForbidden").await),
            Secrets::Everywhere => drop(two.wait_ready("two-pw").await),
        }
        join!(one.wait_ready("one-iam"), two.wait_ready("two-iam"), one.wait_ready("one-open"));
    }

    /// A team lets the operator of this release read its Secrets, with the RoleBinding of the documentation.
    async fn bind_role(&self, release: &str) {
        let page = crate::repository::read("docs/src/how-to/onboard-a-team.md");
        let example = page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        let binding = example.replace("elasticache-user-operator", release);
        let mut binding: RoleBinding = serde_saphyr::from_str(&binding).unwrap();
        binding.metadata.namespace = Some(self.one.ns.clone());
        let bindings: Api<RoleBinding> = Api::namespaced(self.one.client.clone(), &self.one.ns);
        bindings.create(&PostParams::default(), &binding).await.unwrap();
    }

    /// Changes the objects, their Secrets, and an AWS user without the operator.
    async fn change_users(&self) {
        let Self { one, two, .. } = self;
        join!(self.is_edited(one, "one-iam"), self.is_edited(two, "two-iam"), self.is_rotated());
        one.aws.put_user("two-iam", json!({ "AccessString": "on ~* +@all" })).await;
        two.reconcile_now("two-iam").await;
        assert_eq!(one.aws.user("two-iam").await.unwrap()["AccessString"], "on ~x:* +@all");
        two.event("two-iam", "DriftCorrected").await;
    }

    async fn is_edited(&self, fixture: &Fixture, name: &str) {
        let spec = json!({ "spec": { "accessString": "on ~x:* +@all", "tags": { "team": "red" } } });
        fixture.patch(name, spec).await;
        fixture.wait_ready(name).await;
        let user = self.one.aws.user(name).await.unwrap();
        assert_eq!(user["AccessString"], "on ~x:* +@all");
        assert_eq!(user["Tags"]["team"], "red");
    }

    async fn is_rotated(&self) {
        let Self { one, two, secrets } = self;
        match secrets {
            Secrets::Nowhere => {}
            Secrets::InOne | Secrets::Bound => self.has_new_password(one, "one-pw").await,
            Secrets::Everywhere => {
                join!(self.has_new_password(one, "one-pw"), self.has_new_password(two, "two-pw"));
            }
        }
    }

    async fn has_new_password(&self, fixture: &Fixture, name: &str) {
        fixture.secret("pw", SECOND).await;
        let written = Instant::now();
        // The passwords are compared and never shown.
        let has =
            async || self.one.aws.user(name).await.is_some_and(|user| user["Passwords"] == json!([SECOND]));
        until("AWS has the new password", has).await;
        assert!(written.elapsed() < SECONDS, "{:?} after the Secret changed", written.elapsed());
        fixture.wait_ready(name).await;
    }

    /// Objects that adopt, observe, or are suspended.
    async fn create_other_users(&self) {
        let Self { one, two, .. } = self;
        join!(one.aws.put_user("one-old", iam_user()), one.aws.put_user("one-seen", iam_user()));
        one.ready("one-old", with(iam(), json!({ "adoptionPolicy": "Adopt" }))).await;
        one.event("one-old", "Adopted").await;
        one.create("one-seen", with(iam(), json!({ "managementPolicy": "Observe" }))).await;
        one.reason("one-seen", "Observed").await;
        one.deleted("one-seen").await;
        assert!(one.aws.user("one-seen").await.is_some());
        two.patch("two-iam", json!({ "spec": { "suspend": true } })).await;
        two.reason("two-iam", "Suspended").await;
        two.patch("two-iam", json!({ "spec": { "suspend": false } })).await;
        two.wait_ready("two-iam").await;
    }

    /// Objects whose deletion is protected, delayed by AWS, retained, or ordinary.
    async fn delete_users(&self) {
        let one = &self.one;
        let with_password = async {
            if self.secrets != Secrets::Nowhere {
                one.deleted("one-pw").await;
                assert!(one.aws.user("one-pw").await.is_none());
            }
        };
        let retained = async {
            one.patch("one-open", json!({ "spec": { "deletionPolicy": "Retain" } })).await;
            one.wait_ready("one-open").await;
            one.deleted("one-open").await;
            assert!(one.aws.user("one-open").await.is_some());
        };
        join!(self.is_protected(), self.is_held_up(), retained, with_password);
    }

    async fn is_protected(&self) {
        let (one, aws) = (&self.one, &self.one.aws);
        one.patch("one-old", prevent_deletion(true)).await;
        one.delete("one-old").await;
        one.reason("one-old", "DeletionProtected").await;
        assert!(aws.user("one-old").await.is_some());
        one.patch("one-old", prevent_deletion(false)).await;
        one.gone("one-old").await;
        assert!(aws.user("one-old").await.is_none());
    }

    async fn is_held_up(&self) {
        let (one, aws) = (&self.one, &self.one.aws);
        aws.put_user("one-iam", json!({ "Status": "modifying" })).await;
        one.delete("one-iam").await;
        one.reason("one-iam", "WaitingForUserActive").await;
        aws.put_user("one-iam", json!({ "Status": "active" })).await;
        one.gone("one-iam").await;
        assert!(aws.user("one-iam").await.is_none());
    }

    /// Deletes a namespace. Its Secrets and RoleBindings go before its objects do, and nobody can create anything in it. The controller
    /// manager needs some seconds.
    async fn delete_namespace(&self) {
        let Self { one, two, secrets } = self;
        if *secrets == Secrets::Nowhere {
            two.deleted("two-iam").await;
            return;
        }
        namespaces(two).delete(&two.ns, &DeleteParams::default()).await.unwrap();
        for name in ["two-iam", "two-pw"] {
            two.gone(name).await;
            assert!(one.aws.user(name).await.is_none(), "{name}");
        }
    }

    /// Checks the audit log. It has no events of a terminating namespace, because admission refuses them.
    fn assert_no_refusal(&self, cluster: &Cluster, release: &Deployed) {
        if !cluster.is_own() {
            return;
        }
        let (log, user) = (cluster.audit_log().unwrap(), release.user());
        let led = |line: &str| line.contains(&user) && line.contains("\"resource\":\"leases\"");
        assert!(log.events_where(led).unwrap().len() > 1, "{user} did not lead");
        // Each of them reads a Secret because an object names it. Nobody lists or watches where that is not allowed.
        let closed = |line: &String| {
            let is_of =
                |fixture: &Fixture| line.contains(&format!("/namespaces/{}/secrets/pw\"", fixture.ns));
            line.starts_with("get ")
                && (is_of(&self.two) || self.secrets == Secrets::Bound && is_of(&self.one))
        };
        let (expected, refused): (Vec<String>, Vec<String>) =
            audit::refusals(&log, &user, Rights::Administrator).into_iter().partition(closed);
        assert!(
            refused.is_empty(),
            "{:?}: the chart's rights do not suffice:\n{}",
            self.secrets,
            refused.join("\n")
        );
        let some_are_closed = matches!(self.secrets, Secrets::InOne | Secrets::Bound);
        assert_eq!(!expected.is_empty(), some_are_closed, "{expected:?}");
    }
}
