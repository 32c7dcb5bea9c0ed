use super::selector_rules::CATEGORIES;
use super::*;
use proptest::prelude::*;

#[test]
fn an_access_string_is_returned_in_its_canonical_form() {
    for (sent, returned) in [
        ("", "off -@all"),
        ("on", "on -@all"),
        ("ON", "on -@all"),
        ("on off", "off -@all"),
        ("~objects:* ~items:* ~public:*", "off ~objects:* ~items:* ~public:* -@all"),
        ("off +get ~keys*", "off ~keys* -@all +get"),
        ("+get on ~a", "on ~a -@all +get"),
        ("on allkeys allcommands", "on ~* +@all"),
        ("on  ~a\t~a", "on ~a -@all"),
        ("on ~a ~*", "on ~* -@all"),
        ("on ~* allkeys", "on ~* -@all"),
        ("on ~a %RW~* ~b", "on ~* -@all"),
        ("on %RW~a %R~b %w~c", "on ~a %R~b %W~c -@all"),
        ("on %R~a %W~a", "on ~a -@all"),
        ("on %R~* ~a", "on %R~* ~a -@all"),
        ("on ~a allchannels", "on ~a &* -@all"),
        ("on +get &a:* ~k &b &a:*", "on ~k &a:* &b -@all +get"),
        ("on &a &*", "on &* -@all"),
        ("on allchannels &*", "on &* -@all"),
        ("on +@all", "on +@all"),
        ("on +get +@all -flushall", "on +@all -flushall"),
        ("on +get -@all", "on -@all"),
        ("on +get nocommands +set", "on -@all +set"),
        ("on -@all +@all", "on +@all"),
        ("on +GET +@READ", "on -@all +get +@read"),
        ("on +get -get", "on -@all -get"),
        ("on +get +set +get", "on -@all +set +get"),
        ("on +config|get +config|set -config", "on -@all -config"),
        ("on +config +config|get", "on -@all +config +config|get"),
        ("on sanitize-payload ~a", "on ~a -@all"),
        ("skip-sanitize-payload on sanitize-payload", "on -@all"),
        ("on sanitize-payload skip-sanitize-payload ~a", "on skip-sanitize-payload ~a -@all"),
        ("on (~a +get) ~b", "on ~b -@all (~a -@all +get)"),
        ("on (+get ~a &c) ()", "on -@all (~a &c -@all +get) (-@all)"),
        ("on (~a +get) clearselectors ~b (~c)", "on ~b -@all (~c -@all)"),
        ("on ( ~a +@all )", "on -@all (~a +@all)"),
        ("on ~key) +get", "on ~key) -@all +get"),
        ("on (~a)~b)", "on -@all (~a)~b -@all)"),
        ("on (~a)~b &c)d +get)", "on -@all (~a)~b &c)d -@all +get)"),
        ("on\u{b}~a\u{c}+get\r\n", "on ~a -@all +get"),
        ("on ~a\u{a0}~b", "on ~a\u{a0}~b -@all"),
        ("on ~a\u{2003}b +get", "on ~a\u{2003}b -@all +get"),
    ] {
        assert_eq!(canonical(sent).as_deref(), Ok(returned), "sent {sent:?}");
    }
}

#[test]
fn a_canonical_access_string_is_returned_unchanged() {
    for text in [
        "on ~* +@all",
        "on ~app::* -@all +@read +@hash +@bitmap +@geo -setbit -bitfield -hset -hsetnx -hmset -hincrby \
         -hincrbyfloat -hdel -bitop -geoadd -georadius -georadiusbymember",
    ] {
        assert_eq!(canonical(text).as_deref(), Ok(text));
    }
}

#[test]
fn every_command_category_is_accepted_in_access_strings() {
    assert_eq!(CATEGORIES.split(' ').count(), 21);
    for category in CATEGORIES.split(' ') {
        let text = format!("on ~* -@all +@{category}");
        assert_eq!(canonical(&text).as_ref(), Ok(&text));
    }
}

#[test]
fn words_that_elasticache_refuses_in_access_strings_are_refused() {
    for (text, why) in [
        ("on resetpass ~*", Invalid::PasswordRule),
        ("on NOPASS ~*", Invalid::PasswordRule),
        ("on >secret", Invalid::PasswordRule),
        ("on <secret", Invalid::PasswordRule),
        ("on #abc", Invalid::PasswordRule),
        ("on !abc", Invalid::PasswordRule),
        ("reset on", Invalid::ResetRule),
        ("on resetkeys", Invalid::ResetRule),
        ("on resetchannels", Invalid::ResetRule),
        ("on +@nothing", Invalid::Category),
        ("on -@", Invalid::Category),
        ("on banana", Invalid::Word),
        ("on +", Invalid::Word),
        ("on ~", Invalid::Word),
        ("on &", Invalid::Word),
        ("on %~a", Invalid::Word),
        ("on %X~a", Invalid::Word),
        ("on %Ra", Invalid::Word),
        ("on +config|", Invalid::Word),
        ("on +config|get|more", Invalid::Word),
        ("on (~a +get", Invalid::Word),
        ("on (~a (+get))", Invalid::Word),
        ("on (on ~a)", Invalid::Word),
        ("on (~a))", Invalid::Word),
        ("on ~a +get)", Invalid::Word),
        ("on ~* ~a", Invalid::Word),
        ("on ~* %R~a", Invalid::Word),
        ("on allkeys ~a", Invalid::Word),
        ("on &* &a", Invalid::Word),
        ("on allchannels &a", Invalid::Word),
        ("on (~* ~a)", Invalid::Word),
        ("on (&* &a)", Invalid::Word),
        ("on (sanitize-payload)", Invalid::Word),
        ("on\u{a0}~a", Invalid::Word),
    ] {
        assert_eq!(canonical(text), Err(why), "{text:?}");
    }
}

/// Any word of the grammar. Its patterns contain the grammar's own signs.
fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("on".to_owned()),
        Just("off".to_owned()),
        Just("allkeys".to_owned()),
        Just("allchannels".to_owned()),
        Just("allcommands".to_owned()),
        Just("nocommands".to_owned()),
        Just("clearselectors".to_owned()),
        Just("sanitize-payload".to_owned()),
        Just("skip-sanitize-payload".to_owned()),
        "(~|%R~|%W~|%RW~|&)[a-c*()|~:]{1,3}",
        "[+-](get|set|config|config\\|get|config\\|set|@read|@write|@all|GET)",
        "\\([~+][a-c*]{1,2}( [+&-][a-c]{1,2}){0,2}\\)",
    ]
}

proptest! {
    #[test]
    fn the_canonical_form_of_a_canonical_access_string_is_the_same(words in prop::collection::vec(word(), 0..12)) {
        let sent = words.join(" ");
        if let Ok(once) = canonical(&sent) {
            prop_assert_eq!(canonical(&once), Ok(once.clone()), "sent {:?}", sent);
        }
    }

    #[test]
    fn key_patterns_may_stand_before_or_after_commands(
        keys in prop::collection::vec("~[a-c]{1,2}", 0..4),
        commands in prop::collection::vec("[+-][a-c]{1,2}", 0..4),
    ) {
        let first = canonical(&format!("on {} {}", keys.join(" "), commands.join(" ")));
        let last = canonical(&format!("{} {} on", commands.join(" "), keys.join(" ")));
        prop_assert_eq!(first, last);
    }

    #[test]
    fn no_text_makes_the_parser_of_access_strings_panic(text in "\\PC{0,40}") {
        if let Ok(once) = canonical(&text) {
            prop_assert_eq!(canonical(&once), Ok(once.clone()));
        }
    }
}
