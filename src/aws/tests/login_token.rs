//! The script in the documentation that makes an IAM token for a login to a cache. This test lives in this crate because it compares
//! the script with AWS's own signer, which only this crate may use.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where something is wrong")]

use std::collections::BTreeMap;
use std::process::Command;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    SessionTokenMode, SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign,
};
use aws_sigv4::sign::v4::SigningParams;
use support::repository;

/// 2026-01-01T00:00:00Z
const NOW: u64 = 1_767_225_600;
const REGION: &str = "eu-central-1";

struct Case {
    claim: &'static str,
    /// As on the command line.
    cache: &'static str,
    user: &'static str,
    is_serverless: bool,
    session_token: Option<&'static str>,
}

const CASES: [Case; 4] = [
    Case {
        claim: "a serverless cache, with temporary credentials",
        cache: "shop",
        user: "orders-reader",
        is_serverless: true,
        session_token: Some("a+session/token=="),
    },
    Case {
        claim: "a replication group, with the keys of an IAM user",
        cache: "shop",
        user: "orders-reader",
        is_serverless: false,
        session_token: None,
    },
    Case {
        claim: "the name of the cache in lower case",
        cache: "Shop-Cache",
        user: "orders-reader",
        is_serverless: true,
        session_token: None,
    },
    Case {
        claim: "a user name with signs that have to be escaped",
        cache: "shop",
        user: "a b/c~d+e",
        is_serverless: false,
        session_token: None,
    },
];

fn credentials(session_token: Option<&str>) -> Credentials {
    let (id, key) = ("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
    Credentials::new(id, key, session_token.map(str::to_owned), None, "test")
}

/// The script, as a reader copies it from the page.
fn script() -> String {
    let page = repository::read("docs/src/how-to/first-login.md");
    let (_, after) = page.split_once("```python\n").unwrap();
    after.split_once("```").unwrap().0.to_owned()
}

/// What the script prints at the fixed time.
fn printed(case: &Case) -> String {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("iam-token.py"), script()).unwrap();
    // Python imports this module before it runs a script.
    let clock = format!("import time\nreal = time.gmtime\ntime.gmtime = lambda: real({NOW})\n");
    std::fs::write(folder.path().join("sitecustomize.py"), clock).unwrap();
    let credentials = credentials(case.session_token);
    let mut python = Command::new("python3");
    python.current_dir(folder.path()).env("PYTHONPATH", folder.path());
    python.args(["iam-token.py", REGION, case.cache, case.user]);
    python.args(case.is_serverless.then_some("--serverless"));
    python.env("AWS_ACCESS_KEY_ID", credentials.access_key_id());
    python.env("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key());
    python.env_remove("AWS_SESSION_TOKEN").envs(case.session_token.map(|token| ("AWS_SESSION_TOKEN", token)));
    let output = python.output().unwrap_or_else(|error| panic!("the tests need python3: {error}"));
    assert!(output.status.success(), "{}: {}", case.claim, String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// The parameters that AWS's signer adds to the request that the user guide of ElastiCache describes.
fn signed(case: &Case) -> BTreeMap<String, String> {
    let mut query = BTreeMap::from([("Action", "connect"), ("User", case.user)]);
    query.extend(case.is_serverless.then_some(("ResourceType", "ServerlessCache")));
    let encoded = form_urlencoded::Serializer::new(String::new()).extend_pairs(&query).finish();
    let url = format!("http://{}/?{}", case.cache.to_lowercase(), encoded.replace('+', "%20"));
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.session_token_mode = SessionTokenMode::Include;
    settings.expires_in = Some(Duration::from_secs(900));
    let identity = credentials(case.session_token).into();
    let params = SigningParams::builder()
        .identity(&identity)
        .region(REGION)
        .name("elasticache")
        .time(SystemTime::UNIX_EPOCH + Duration::from_secs(NOW))
        .settings(settings)
        .build()
        .unwrap();
    let request = SignableRequest::new("GET", &url, std::iter::empty(), SignableBody::Bytes(&[])).unwrap();
    let (instructions, _) = sign(request, &params.into()).unwrap().into_parts();
    let added = instructions.params().iter().map(|(name, value)| ((*name).to_owned(), value.to_string()));
    query.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).chain(added).collect()
}

#[test]
fn the_script_of_the_documentation_makes_the_token_that_awss_own_signer_makes() {
    for case in CASES {
        let token = printed(&case);
        let (cache, query) = token.split_once("/?").unwrap();
        assert_eq!(cache, case.cache.to_lowercase(), "{}", case.claim);
        assert!(!query.contains(['+', ' ']), "{}: a form's escapes are not a URL's: {query}", case.claim);
        let parsed: BTreeMap<String, String> =
            form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        assert_eq!(parsed, signed(&case), "{}", case.claim);
    }
}
