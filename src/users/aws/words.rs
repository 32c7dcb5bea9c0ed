//! Pure: forms in and out, `plan`'s words as the SDK's, and the other way round.

use aws_sdk_elasticache::types::{self, AuthenticationMode, InputAuthenticationType};
use plan::{Arn, AuthenticationChange, Lifecycle, Password, RemoteUser, Tags};

/// A user in an answer: `DescribeUsers` lists it as a type of its own, the mutations have its members among their own.
/// `None` where it is not the one that was asked for, or lacks what every user has.
macro_rules! answered_user {
    ($answer:expr, $user_id:expr) => {{
        let answer = $answer;
        words::remote_user(
            aws_sdk_elasticache::types::User::builder()
                .set_user_id(answer.user_id)
                .set_user_name(answer.user_name)
                .set_status(answer.status)
                .set_engine(answer.engine)
                .set_minimum_engine_version(answer.minimum_engine_version)
                .set_access_string(answer.access_string)
                .set_user_group_ids(answer.user_group_ids)
                .set_authentication(answer.authentication)
                .set_arn(answer.arn)
                .build(),
            $user_id,
        )
    }};
}
pub(super) use answered_user;

/// The user, where it is this one and whole.
pub(super) fn remote_user(user: types::User, user_id: &str) -> Option<RemoteUser> {
    let authentication = user.authentication?;
    let arn = Arn::parse(&user.arn?)?;
    let remote = RemoteUser {
        user_id: user.user_id?,
        user_name: user.user_name?,
        lifecycle: Lifecycle::parse(&user.status?),
        engine: user.engine?,
        minimum_engine_version: user.minimum_engine_version,
        access_string: user.access_string?,
        user_group_ids: user.user_group_ids.unwrap_or_default(),
        authentication_type: authentication.r#type?.as_str().to_owned(),
        password_count: authentication.password_count,
        arn,
    };
    (remote.user_id == user_id && remote.arn.user() == user_id).then_some(remote)
}

/// The tags in an answer, where each has a key. AWS may leave out a value (B95), and an empty list.
pub(super) fn answered_tags(tags: Option<Vec<types::Tag>>) -> Option<Tags> {
    let tags = tags.unwrap_or_default();
    tags.into_iter().map(|tag| Some((tag.key?, tag.value.unwrap_or_default()))).collect()
}

/// Tags to send; `None` where there are none, as AWS wants no empty list.
pub(super) fn sent_tags(tags: &Tags) -> Option<Vec<types::Tag>> {
    let tags = tags.iter().map(|(key, value)| types::Tag::builder().key(key).value(value).build());
    Some(tags.collect::<Vec<_>>()).filter(|tags| !tags.is_empty())
}

/// How the user shall authenticate.
pub(super) fn authentication_mode(change: &AuthenticationChange) -> AuthenticationMode {
    let passwords = match change {
        AuthenticationChange::Password(passwords) => {
            Some(passwords.values().iter().map(Password::expose).map(str::to_owned).collect())
        }
        AuthenticationChange::Iam | AuthenticationChange::NoPassword => None,
    };
    AuthenticationMode::builder()
        .r#type(InputAuthenticationType::from(change.kind().input()))
        .set_passwords(passwords)
        .build()
}
