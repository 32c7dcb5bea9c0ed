//! Pure: commands that a person reads and runs in a shell. Other people may have written their words, so each word is quoted.

use crate::{Arn, CLUSTER_TAG, NAME_TAG, NAMESPACE_TAG, UID_TAG};

/// Removes the owner tags of an AWS user, so that another owner may have it. `None`: the ARN is not known, so the person
/// fills in the words in capitals.
#[must_use]
pub fn remove_tags_command(user: Option<&Arn>) -> String {
    let arn = user.map_or_else(|| "ARN".to_owned(), |arn| quoted(&arn.to_string()));
    let region = user.map_or_else(|| "REGION".to_owned(), |arn| quoted(arn.region()));
    let keys = [CLUSTER_TAG, NAMESPACE_TAG, NAME_TAG, UID_TAG].join(" ");
    format!(
        "aws elasticache remove-tags-from-resource --resource-name {arn} --tag-keys {keys} --region {region}"
    )
}

/// The word for a POSIX shell, in quotes if any sign of it could mean something else.
#[must_use]
pub fn quoted(word: &str) -> String {
    let plain = |sign: char| sign.is_ascii_alphanumeric() || "-_./:".contains(sign);
    if !word.is_empty() && !word.starts_with('-') && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_text_is_exactly_one_word_for_the_shell() {
        for (word, expected) in [
            ("app", "app"),
            ("arn:aws:x/y.z_1-2", "arn:aws:x/y.z_1-2"),
            ("", "''"),
            ("-x", "'-x'"),
            ("a b", "'a b'"),
            ("$(reboot)", "'$(reboot)'"),
            ("a'b", r"'a'\''b'"),
        ] {
            assert_eq!(quoted(word), expected, "{word}");
        }
    }
}
