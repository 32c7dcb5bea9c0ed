//! Follows the page about the operator's IAM role to its last line. Scripts stand for `aws` and `eksctl`: they refuse commands that do
//! not exist, answer as the real ones do, and record what they were asked.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use super::policy::{Policy, texts};
use super::{ADD, asked, keyed};
use crate::fixture::{ACCOUNT, REGION};
use crate::{control_plane, repository};

const PAGE: &str = "docs/src/how-to/iam.md";
/// The headings of the two ways on the page. A reader chooses one.
const POD_IDENTITY: &str = "With EKS Pod Identity";
const IRSA: &str = "With IRSA";
/// Every placeholder of the files in `deploy/iam`.
const PLACEHOLDERS: [&str; 10] = [
    "ACCOUNT_ID",
    "CLUSTER_ID",
    "CLUSTER_NAME",
    "GROUPS",
    "NAMESPACE",
    "OIDC_ID",
    "PREFIX",
    "REGION",
    "SERVICE_ACCOUNT",
    "TENANT",
];
const OIDC_ID: &str = "0123456789ABCDEF0123456789ABCDEF";
/// The role that the page makes.
const ROLE: &str = "elasticache-user-operator";

/// A command that the real programs know.
struct Known {
    command: &'static str,
    /// All of them are required.
    options: &'static [&'static str],
    answer: Answer,
}

enum Answer {
    Prints(&'static str),
    /// Succeeds if what it asks for is there already.
    IfThere,
}

const KNOWN: [Known; 10] = [
    Known {
        command: "aws sts get-caller-identity",
        options: &["--query", "--output"],
        answer: Answer::Prints("arn:PARTITION:sts::123456789012:assumed-role/admin/somebody"),
    },
    Known {
        command: "aws eks describe-cluster",
        options: &["--name", "--query", "--output"],
        answer: Answer::Prints(
            "https://oidc.eks.us-east-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF",
        ),
    },
    Known {
        command: "aws eks describe-addon",
        options: &["--cluster-name", "--addon-name"],
        answer: Answer::IfThere,
    },
    Known {
        command: "aws eks create-addon",
        options: &["--cluster-name", "--addon-name"],
        answer: Answer::Prints("{}"),
    },
    Known {
        command: "aws eks create-pod-identity-association",
        options: &["--cluster-name", "--namespace", "--service-account", "--role-arn"],
        answer: Answer::Prints("{}"),
    },
    Known { command: "aws iam get-role", options: &["--role-name"], answer: Answer::IfThere },
    Known {
        command: "aws iam create-role",
        options: &["--role-name", "--assume-role-policy-document"],
        answer: Answer::Prints("{}"),
    },
    Known {
        command: "aws iam put-role-policy",
        options: &["--role-name", "--policy-name", "--policy-document"],
        answer: Answer::Prints(""),
    },
    Known {
        command: "aws iam create-service-linked-role",
        options: &["--aws-service-name"],
        answer: Answer::Prints("{}"),
    },
    Known {
        command: "eksctl utils associate-iam-oidc-provider",
        options: &["--cluster", "--region", "--approve"],
        answer: Answer::Prints(""),
    },
];

/// A reader who follows the page in one shell.
struct Reader<'a> {
    way: &'static str,
    /// What the reader changes in the first block, besides the region.
    edits: &'a [(&'a str, &'a str)],
    partition: &'static str,
    /// The account and the cluster have the service-linked role and the add-on already.
    has_all: bool,
}

/// What is there after a reader has followed the page.
struct Followed {
    folder: TempDir,
    /// The arguments of each call, with the program's name first.
    calls: Vec<Vec<String>>,
    stdout: String,
}

impl Reader<'_> {
    /// The commands of the page, without those of the other way.
    fn commands(&self) -> String {
        let text = repository::read(PAGE);
        let mine =
            text.split("\n### ").filter(|part| !part.starts_with("With ") || part.starts_with(self.way));
        let blocks = mine.flat_map(|part| part.split("```sh\n").skip(1));
        let blocks = blocks.map(|block| block.split_once("```").unwrap().0);
        let region = format!("AWS_REGION={REGION}");
        let edits = self.edits.iter().copied().chain([("AWS_REGION=eu-central-1", region.as_str())]);
        edits.fold(blocks.collect(), |commands: String, (from, to)| {
            assert!(commands.contains(from), "the page has no {from}");
            commands.replace(from, to)
        })
    }

    /// A script for the programs of this name.
    fn stub(&self, program: &str) -> String {
        let known = KNOWN.iter().filter(|known| known.command.split(' ').next() == Some(program));
        let cases = known.map(|known| {
            let does = match known.answer {
                Answer::Prints(text) => format!("echo '{}'", text.replace("PARTITION", self.partition)),
                Answer::IfThere if self.has_all => "echo '{}'".to_owned(),
                Answer::IfThere => "echo 'An error occurred (NoSuchEntity)' >&2; exit 254".to_owned(),
            };
            format!("  '{}') {does} ;;\n", known.command)
        });
        format!(
            "#!/bin/sh\n{{ printf {program}; printf '\\t%s' \"$@\"; echo; }} >> calls\n\
             [ \"$AWS_REGION\" = {REGION} ] || exit 253\n\
             case \"{program} $1 $2\" in\n{}  *) echo \"{program}: invalid choice: $*\" >&2; exit 252 ;;\nesac\n",
            cases.collect::<String>()
        )
    }

    async fn follow(&self) -> Followed {
        let folder = tempfile::tempdir().unwrap();
        symlink(repository::path("deploy"), folder.path().join("deploy")).unwrap();
        let bin = folder.path().join("bin");
        std::fs::create_dir(&bin).unwrap();
        for program in ["aws", "eksctl"] {
            let file = bin.join(program);
            std::fs::write(&file, self.stub(program)).unwrap();
            std::fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).unwrap();
        }
        let plane = tokio::task::spawn_blocking(control_plane::shared).await.unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-eu", "-c", &self.commands()]).current_dir(folder.path()).env_clear();
        shell.env("PATH", format!("{}:{}:/usr/bin:/bin", bin.display(), plane.bin_dir().display()));
        shell.envs(plane.kubectl().get_envs().filter_map(|(name, value)| Some((name, value?))));
        let Output { status, stdout, stderr } = control_plane::output(shell).await;
        assert!(status.success(), "{}: {}", self.way, String::from_utf8_lossy(&stderr));
        let calls = std::fs::read_to_string(folder.path().join("calls")).unwrap();
        let calls = calls.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect();
        let followed = Followed { folder, calls, stdout: String::from_utf8(stdout).unwrap() };
        followed.calls.iter().for_each(|call| followed.check(call));
        followed
    }
}

impl Followed {
    /// Fails if the real program would refuse the call, or if something in it is not filled in.
    fn check(&self, call: &[String]) {
        let (command, rest) = call.split_at(3);
        let command = command.join(" ");
        let known = KNOWN.iter().find(|known| known.command == command).unwrap();
        let options: Vec<&str> =
            rest.iter().filter(|word| word.starts_with("--")).map(String::as_str).collect();
        assert_eq!(options, known.options, "{command}");
        for value in rest.iter().filter(|word| !word.starts_with("--")) {
            is_filled(&command, value);
            let Some(file) = value.strip_prefix("file://") else { continue };
            let text = self.file(file);
            is_filled(file, &text);
            let document: Value =
                serde_json::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
            let trusts = document["Statement"][0]["Principal"].is_object();
            assert_eq!(trusts, command == "aws iam create-role", "{command} gets {file}");
        }
    }

    fn file(&self, file: impl AsRef<Path>) -> String {
        std::fs::read_to_string(self.folder.path().join(file)).unwrap()
    }

    fn json(&self, file: &str) -> Value {
        serde_json::from_str(&self.file(format!("filled/{file}"))).unwrap()
    }

    /// The commands, without their options.
    fn commands(&self) -> Vec<String> {
        self.calls.iter().map(|call| call[..3].join(" ")).collect()
    }

    /// The value of an option in the only call of the command.
    fn option(&self, command: &str, option: &str) -> &str {
        let mut calls = self.calls.iter().filter(|call| call[..3].join(" ") == command);
        let (Some(call), None) = (calls.next(), calls.next()) else { panic!("not one call of {command}") };
        let at = call.iter().position(|word| word == option).unwrap();
        &call[at + 1]
    }
}

fn is_filled(what: &str, text: &str) {
    assert!(!text.is_empty() && !text.contains('$'), "{what}: {text}");
    let left: Vec<_> = PLACEHOLDERS.iter().filter(|word| text.contains(**word)).collect();
    assert!(left.is_empty(), "{what} still has {left:?}: {text}");
}

async fn cluster_id() -> String {
    let client = control_plane::client().await;
    let namespaces = control_plane::create_namespace(&client, "kube-system").await;
    namespaces.get("kube-system").await.unwrap().metadata.uid.unwrap()
}

const DEFAULT: Reader<'_> = Reader { way: POD_IDENTITY, edits: &[], partition: "aws", has_all: false };

#[tokio::test]
async fn the_guide_makes_a_role_for_eks_pod_identity() {
    let followed = DEFAULT.follow().await;
    let trusted = &followed.json("trust-pod-identity.json")["Statement"][0]["Condition"]["StringEquals"];
    let tag = |name: &str| trusted[format!("aws:RequestTag/{name}")].clone();
    assert_eq!(tag("eks-cluster-arn"), format!("arn:aws:eks:{REGION}:{ACCOUNT}:cluster/production"));
    let association = "aws eks create-pod-identity-association";
    assert_eq!(tag("kubernetes-namespace"), followed.option(association, "--namespace"));
    assert_eq!(tag("kubernetes-service-account"), followed.option(association, "--service-account"));
    assert_eq!(followed.option(association, "--role-arn"), format!("arn:aws:iam::{ACCOUNT}:role/{ROLE}"));
    assert_eq!(
        followed.option("aws iam create-role", "--assume-role-policy-document"),
        "file://filled/trust-pod-identity.json"
    );
    let made = ["aws eks create-addon", "aws iam create-service-linked-role"].map(str::to_owned);
    assert!(made.iter().all(|command| followed.commands().contains(command)), "{:?}", followed.commands());
}

#[tokio::test]
async fn the_guide_makes_a_role_for_irsa() {
    let followed = Reader { way: IRSA, ..DEFAULT }.follow().await;
    let statement = &followed.json("trust-irsa.json")["Statement"][0];
    let issuer = format!("oidc.eks.{REGION}.amazonaws.com/id/{OIDC_ID}");
    assert_eq!(statement["Principal"]["Federated"], format!("arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer}"));
    let trusted = &statement["Condition"]["StringEquals"];
    assert_eq!(trusted[format!("{issuer}:sub")], format!("system:serviceaccount:{ROLE}:{ROLE}"));
    assert_eq!(
        followed.option("aws iam create-role", "--assume-role-policy-document"),
        "file://filled/trust-irsa.json"
    );
    let associate = "eksctl utils associate-iam-oidc-provider";
    assert_eq!(followed.option(associate, "--cluster"), "production");
    assert!(followed.stdout.contains(&format!("aws.roleARN: arn:aws:iam::{ACCOUNT}:role/{ROLE}")));
}

#[tokio::test]
async fn the_guide_makes_nothing_that_is_there_and_knows_other_partitions() {
    let china = Reader { partition: "aws-cn", has_all: true, ..DEFAULT };
    let followed = china.follow().await;
    let made = followed.commands();
    assert!(!made.iter().any(|command| command.ends_with("create-addon") || command.contains("linked")));
    let arns = texts(&followed.json("policy.json")["Statement"][0]["Resource"]);
    assert_eq!(arns, [format!("arn:aws-cn:elasticache:{REGION}:{ACCOUNT}:user:*")]);
    let role = followed.option("aws eks create-pod-identity-association", "--role-arn");
    assert_eq!(role, format!("arn:aws-cn:iam::{ACCOUNT}:role/{ROLE}"));
}

#[tokio::test]
async fn the_policies_that_the_guide_fills_allow_the_ids_that_the_operator_allows() {
    let id = cluster_id().await;
    let none_for_groups = ("groups='shop-'", "groups=''");
    let required = |text| ("required='shop-{namespace}-'", text);
    let (ours, of_namespaces, free) =
        ([], [required("required='{namespace}-'"), none_for_groups], [required("required=''")]);
    // The edits, a user ID that the operator allows, and whether the policies allow any user and any group.
    let rows: [(&[_], &str, bool, bool); 3] = [
        (&ours, "shop-team-app", false, false),
        (&of_namespaces, "team-app", true, true),
        (&free, "app", true, false),
    ];
    for (edits, mine, any_user, any_group) in rows {
        let followed = Reader { edits, ..DEFAULT }.follow().await;
        let policy = Policy::parse(&followed.file("filled/policy.json"));
        let (none, this): (&[&str], &[&str]) = (&[], &[&id]);
        assert!(policy.allows(&asked("CreateUser", mine, this, none)).is_some(), "{edits:?}");
        assert!(policy.allows(&asked("DeleteUser", mine, none, this)).is_some(), "{edits:?}");
        assert!(policy.allows(&keyed(ADD, &["team"], this)).is_some(), "{edits:?}");
        assert!(policy.allows(&asked("CreateUser", mine, &["another"], none)).is_none(), "{edits:?}");
        let other = policy.allows(&asked("CreateUser", "other", this, none));
        assert_eq!(other.is_some(), any_user, "{edits:?}");
        let groups = Policy::parse(&followed.file("filled/user-groups.json"));
        let mut change = asked("ModifyUserGroup", "shop-cache", none, none);
        change.resource = change.resource.replace(":user:", ":usergroup:");
        assert!(groups.allows(&change).is_some(), "{edits:?}");
        change.resource = change.resource.replace("shop-cache", "web-cache");
        assert_eq!(groups.allows(&change).is_some(), any_group, "{edits:?}");
    }
}
