use std::net::TcpListener;

use aws_credential_types::provider::future;
use plan::verdict::Outcome;
use plan::{Account, CredentialsId, Delete, UserId};

use super::*;
use crate::UserApi;

/// A provider of credentials for a test.
#[derive(Clone, Debug)]
enum Provider {
    Silent,
    Failing(&'static str),
    Given,
}

impl ProvideCredentials for Provider {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        match self {
            Self::Silent => future::ProvideCredentials::new(std::future::pending()),
            Self::Failing(why) => {
                future::ProvideCredentials::ready(Err(CredentialsError::provider_error(*why)))
            }
            Self::Given => {
                future::ProvideCredentials::ready(Ok(Credentials::new("id", "secret", None, None, "test")))
            }
        }
    }
}

/// A port with this provider, and an endpoint at which the test would notice a connection.
fn aws(provider: Provider, change: impl FnOnce(&mut aws_config::SdkConfig)) -> (Aws, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("a listener that does not wait");
    let mut shared = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .endpoint_url(format!("http://{}", listener.local_addr().expect("an address")))
        .region(Region::new("eu-west-1"))
        .credentials_provider(SharedCredentialsProvider::new(provider))
        .build();
    change(&mut shared);
    let timeouts = Timeouts {
        call: Duration::from_millis(300),
        read: Duration::from_millis(200),
        ..Timeouts::default()
    };
    (Aws::new(&shared, timeouts), listener)
}

#[tokio::test]
async fn a_call_that_was_never_sent_has_a_known_outcome() {
    let user_id = UserId::parse("app").expect("a user ID");
    let fips = |shared: &mut SdkConfig| *shared = shared.to_builder().use_fips(true).build();
    let rows: [(&str, Provider, bool, &str); 3] = [
        (
            "a silent provider",
            Provider::Silent,
            false,
            "NoCredentials: the provider gave none: it took too long.",
        ),
        (
            "a failing provider",
            Provider::Failing("no\n such role at 10.0.0.1:80"),
            false,
            "NoCredentials: the provider gave none: no such role at [address].",
        ),
        (
            "settings that do not go together",
            Provider::Given,
            true,
            "NotSent: Invalid Configuration: FIPS and custom endpoint are not supported.",
        ),
    ];
    for (claim, provider, with_fips, said) in rows {
        let (aws, listener) = aws(provider, |shared| {
            if with_fips {
                fips(shared)
            }
        });
        for _ in 0..3 {
            let Outcome::Failed(fault) =
                aws.delete(&Delete { user_id: user_id.clone() }, CredentialsId(1)).await
            else {
                panic!("{claim} fails")
            };
            assert_eq!(fault.error().to_string(), said, "{claim}");
            assert!(!fault.outcome_unknown(), "{claim}");
        }
        let (_, source) = aws.describe(&user_id).await;
        assert_eq!((source.credentials, source.account), (CredentialsId(0), Account::NotAsked), "{claim}");
        let source = aws.identify().await;
        assert_eq!(source.credentials, CredentialsId(0), "{claim}");
        assert!(matches!(source.account, Account::Failed(_)), "{claim}: {source:?}");
        let connection = listener.accept().map_err(|error| error.kind());
        assert!(matches!(connection, Err(std::io::ErrorKind::WouldBlock)), "{claim}: nothing was sent");
    }
}
