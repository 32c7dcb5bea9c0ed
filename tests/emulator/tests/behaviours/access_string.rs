//! B31-B41 and B105: the access string over the wire. The table of its canonical form is in `src/access_string/tests.rs`.

use crate::fixture::{EmulatorFixture, Refused, SECRET, quick, refused};

/// Checks what CreateUser, ModifyUser and DescribeUsers return for an access string.
async fn comes_back_as(sent: &str, returned: &str) {
    let fixture = EmulatorFixture::start(quick());
    let created = fixture.user("a").access_string(sent).passwords(SECRET).send().await.unwrap();
    assert_eq!(created.access_string(), Some(returned));
    assert_eq!(fixture.see("a").await.access_string(), Some(returned));
    fixture.create("b").await;
    let modified = fixture.sdk.modify_user().user_id("b").access_string(sent).send().await.unwrap();
    assert_eq!(modified.access_string(), Some(returned));
}

/// Checks how CreateUser and ModifyUser refuse an access string.
async fn is_refused(sent: &str, sentence: &str) {
    let fixture = EmulatorFixture::start(quick());
    let expected = || Refused::new(400, "InvalidParameterValue", sentence);
    assert_eq!(refused(fixture.user("a").access_string(sent).passwords(SECRET).send().await), expected());
    fixture.create("b").await;
    assert_eq!(refused(fixture.sdk.modify_user().user_id("b").access_string(sent).send().await), expected());
    assert_eq!(
        refused(fixture.sdk.modify_user().user_id("b").append_access_string(sent).send().await),
        expected()
    );
    assert_eq!(fixture.see("b").await.access_string(), Some("on ~* +@all"));
}

const PASSWORD_RULES: &str = "Password rules are not supported in Elasticache access string. \
                              Please use Passwords parameter to set/modify user password.";

/// The service's message for every word that is no rule.
const INVALID: &str = "The access-string is invalid.";

#[tokio::test]
async fn b31_neither_on_nor_off_is_off() {
    comes_back_as("~objects:* ~items:* ~public:*", "off ~objects:* ~items:* ~public:* -@all").await;
}

#[tokio::test]
async fn b32_without_all_commands_none_comes_first() {
    comes_back_as("on ~app:* +get", "on ~app:* -@all +get").await;
}

#[tokio::test]
async fn b33_words_are_ordered_state_keys_commands() {
    comes_back_as("off +get ~keys*", "off ~keys* -@all +get").await;
}

#[tokio::test]
async fn b34_allkeys_and_allcommands_come_back_as_signs() {
    comes_back_as("on allkeys allcommands", "on ~* +@all").await;
}

#[tokio::test]
async fn b35_on_everything_comes_back_unchanged() {
    comes_back_as("on ~* +@all", "on ~* +@all").await;
}

#[tokio::test]
async fn b36_a_canonical_string_comes_back_unchanged() {
    let text = "on ~app::* -@all +@read +@hash +@bitmap +@geo -setbit -bitfield -hset -hsetnx -hmset -hincrby \
                -hincrbyfloat -hdel -bitop -geoadd -georadius -georadiusbymember";
    comes_back_as(text, text).await;
}

#[tokio::test]
async fn b37_password_rules_are_refused_in_access_strings() {
    for rule in ["resetpass", "nopass", ">secret", "<secret", "#0123"] {
        is_refused(&format!("on {rule} ~* +@all"), PASSWORD_RULES).await;
    }
}

#[tokio::test]
async fn b38_reset_is_refused_in_access_strings() {
    for rule in ["reset", "resetkeys", "resetchannels"] {
        is_refused(&format!("on {rule} ~* +@all"), "reset rule is not supported in Elasticache user api")
            .await;
    }
}

#[tokio::test]
async fn b39_an_unknown_word_is_refused_in_access_strings() {
    is_refused("on banana", INVALID).await;
}

#[tokio::test]
async fn b40_an_unknown_category_is_refused() {
    is_refused("on ~* +@fruit", "Access string contains invalid category(s)").await;
}

#[tokio::test]
async fn b39_a_pattern_after_every_key_is_refused() {
    for sent in ["on ~* ~a +@all", "on allkeys ~a +@all", "on ~* %R~a +@all", "on ~b -@all (~* ~a)"] {
        is_refused(sent, INVALID).await;
    }
    comes_back_as("on ~a ~* +@all", "on ~* +@all").await;
}

#[tokio::test]
async fn b39_a_pattern_after_every_channel_is_refused() {
    for sent in ["on ~b &* &a +@all", "on ~b allchannels &a +@all", "on ~b -@all (&* &a)"] {
        is_refused(sent, INVALID).await;
    }
    comes_back_as("on ~b &a &* +@all", "on ~b &* +@all").await;
}

#[tokio::test]
async fn b105_sanitize_payload_is_not_echoed() {
    comes_back_as("on sanitize-payload ~a +get", "on ~a -@all +get").await;
    comes_back_as("on skip-sanitize-payload ~a sanitize-payload +get", "on ~a -@all +get").await;
}

#[tokio::test]
async fn b105_command_rules_stay_in_the_order_in_which_they_were_sent() {
    comes_back_as("on ~a +set +get -@write +set|x", "on ~a -@all +set +get -@write +set|x").await;
    comes_back_as("on ~a +get +set -@all", "on ~a -@all").await;
}

#[tokio::test]
async fn b105_a_later_rule_of_its_command_replaces_a_sub_command() {
    comes_back_as("on ~a +config|get +config", "on ~a -@all +config").await;
    comes_back_as("on ~a +@all -config|get +config", "on ~a +@all +config").await;
    comes_back_as("on ~a +@all -config +config|get", "on ~a +@all -config +config|get").await;
}

#[tokio::test]
async fn b105_read_and_write_of_one_pattern_are_a_plain_pattern() {
    comes_back_as("on %R~a %W~a -@all (%W~b %R~b)", "on ~a -@all (~b -@all)").await;
}

#[tokio::test]
async fn b105_a_no_break_space_belongs_to_its_pattern() {
    comes_back_as("on ~a\u{a0}~b +get", "on ~a\u{a0}~b -@all +get").await;
}

#[tokio::test]
async fn b105_a_selector_ends_at_a_word_that_ends_in_a_parenthesis() {
    comes_back_as("on ~k (~a)~b +get)", "on ~k -@all (~a)~b -@all +get)").await;
}

#[tokio::test]
async fn b41_append_access_string_extends_what_is_stored() {
    let fixture = EmulatorFixture::start(quick());
    fixture.user("a").access_string("off ~app:* +get").passwords(SECRET).send().await.unwrap();
    let user =
        fixture.sdk.modify_user().user_id("a").append_access_string("on ~b +set").send().await.unwrap();
    assert_eq!(user.access_string(), Some("on ~app:* ~b -@all +get +set"));
    let both = fixture.sdk.modify_user().user_id("a").access_string("on").append_access_string("~c");
    assert_eq!(refused(both.send().await).kind(), (400, "InvalidParameterCombination"));
}
