//! The chart refuses values that cannot work, with a message that says what to do.

use cluster::Tool;

use crate::fixture::{RELEASE, helm};

fn refused(tool: Tool, arguments: &[&str]) -> String {
    format!("{:#}", helm(tool).template(RELEASE, "system", arguments).unwrap_err())
}

#[test]
fn an_unknown_chart_value_is_refused_by_name() {
    let rows = [
        ("--set=aws.regoin=eu-west-1", "at '/aws': additional properties 'regoin' not allowed"),
        ("--set=region=eu-west-1", "additional properties 'region' not allowed"),
        (
            "--set=operator.defaultDeletionPolicy=Keep",
            "'/operator/defaultDeletionPolicy': value must be one of",
        ),
        ("--set=operator.concurrency=0", "'/operator/concurrency': minimum: got 0, want 1"),
        ("--set=image.digest=latest", "'/image/digest'"),
        ("--set=aws.roleARN=admin", "'/aws/roleARN'"),
    ];
    for (argument, expected) in rows {
        for tool in [Tool::Helm3, Tool::Helm4] {
            let said = refused(tool, &["--set=aws.region=eu-west-1", argument]);
            assert!(said.contains(expected), "{argument}: {said}");
        }
    }
}

/// Values, and the message that refuses them.
const CONFLICTS: [(&[&str], &str); 14] = [
    (
        &[],
        "aws.region is needed: the AWS region whose ElastiCache users are managed, for example --set aws.region=",
    ),
    (&["--set=aws.region=eu-west-1,rbac.rolesOnly=true"], "rbac.rolesOnly needs watch.namespaces"),
    (
        &["--set=aws.region=eu-west-1,rbac.rolesOnly=true,watch.namespaces={a}"],
        "rbac.rolesOnly needs operator.clusterID",
    ),
    (
        &[
            "--set=aws.region=eu-west-1,rbac.rolesOnly=true,watch.namespaces={a},operator.clusterID=x,secrets.clusterWide=true",
        ],
        "rbac.rolesOnly and secrets.clusterWide exclude each other",
    ),
    (&["--set=aws.region=eu-west-1,secrets.names={a}"], "secrets.names needs secrets.namespaces"),
    (
        &["--set=aws.region=eu-west-1,watch.namespaces={a},secrets.namespaces={b}"],
        "secrets.namespaces has \"b\", which watch.namespaces lacks",
    ),
    (
        &["--set=aws.region=eu-west-1,leaderElection=false"],
        "leaderElection is needed with more than one replica",
    ),
    (
        &["--set=aws.region=eu-west-1,metrics.podMonitor.enabled=true,metrics.podMonitor.mode=fail"],
        "metrics.podMonitor is enabled, but the cluster does not serve monitoring.coreos.com/v1/PodMonitor: install",
    ),
    (
        &["--set=aws.region=eu-west-1,secrets.namespaces={a},secrets.named.a={x}"],
        "secrets.named and secrets.namespaces both have \"a\"",
    ),
    (
        &["--set=aws.region=eu-west-1,watch.namespaces={a},secrets.named.b={x}"],
        "secrets.named has \"b\", which watch.namespaces lacks",
    ),
    (
        &["--set=aws.region=eu-west-1,operator.healthPort=8080"],
        "operator.httpPort and operator.healthPort must differ",
    ),
    (
        &["--set=aws.region=eu-west-1,metrics.secure.enabled=true"],
        "metrics.secure.enabled needs metrics.secure.certSecret",
    ),
    (
        &[
            "--set=aws.region=eu-west-1,metrics.secure.enabled=true,metrics.secure.certSecret=tls,metrics.podMonitor.enabled=true",
        ],
        "metrics.podMonitor with metrics.secure needs metrics.secure.tokenSecret",
    ),
    (
        &["--set=aws.region=eu-west-1,serviceAccount.create=false"],
        "serviceAccount.name is needed where serviceAccount.create is false",
    ),
];

#[test]
fn chart_values_that_conflict_are_refused_with_an_explanation() {
    for (arguments, expected) in CONFLICTS {
        for tool in [Tool::Helm3, Tool::Helm4] {
            let said = refused(tool, arguments);
            assert!(said.contains(expected), "{arguments:?}: {said}");
        }
    }
}
