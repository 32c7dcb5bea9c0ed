//! Pure: converts the types of `plan` to those of the SDK, and back.

use aws_sdk_elasticache::types::{self, AuthenticationMode, InputAuthenticationType};
use plan::{Arn, AuthenticationType, Lifecycle, Password, RemoteUser, Tags};

/// The user in an answer. `None` if it is another user, or if a required member is missing. A macro, because DescribeUsers
/// lists users of one type, and each mutation has the user's members in a type of its own.
macro_rules! answered_user {
    ($answer:expr, $user_id:expr) => {{
        let answer = $answer;
        crate::convert::remote_user(
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
pub(crate) use answered_user;

/// `None` if it is another user, or if a required member is missing.
pub(crate) fn remote_user(user: types::User, user_id: &str) -> Option<RemoteUser> {
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

/// `None` if a tag has no key. AWS may leave out a value (B95), and an empty list.
pub(crate) fn answered_tags(tags: Option<Vec<types::Tag>>) -> Option<Tags> {
    let tags = tags.unwrap_or_default();
    tags.into_iter().map(|tag| Some((tag.key?, tag.value.unwrap_or_default()))).collect()
}

/// `None` if there are no tags, because AWS refuses an empty list.
pub(crate) fn sent_tags(tags: &Tags) -> Option<Vec<types::Tag>> {
    let tags = tags.iter().map(|(key, value)| types::Tag::builder().key(key).value(value).build());
    Some(tags.collect::<Vec<_>>()).filter(|tags| !tags.is_empty())
}

pub(crate) fn authentication_mode(kind: AuthenticationType, passwords: &[Password]) -> AuthenticationMode {
    let passwords: Vec<String> = passwords.iter().map(Password::expose).map(str::to_owned).collect();
    AuthenticationMode::builder()
        .r#type(InputAuthenticationType::from(kind.input()))
        // AWS refuses an empty list.
        .set_passwords(Some(passwords).filter(|passwords| !passwords.is_empty()))
        .build()
}
