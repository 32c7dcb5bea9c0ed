//! Pairs of access strings that are known to mean the same, or not.

use plan::access_string::{same_meaning, shortcomings};

use crate::usefulness::{ROWS, Usefulness};

struct Pair {
    claim: &'static str,
    one: &'static str,
    other: &'static str,
}

macro_rules! pairs {
    ($($claim:literal: $one:literal, $other:literal;)*) => {
        [$(Pair { claim: $claim, one: $one, other: $other }),*]
    };
}

#[test]
fn access_strings_of_the_same_meaning_are_equal() {
    let pairs = pairs! {
        "a missing state is off": "~objects:* ~items:* ~public:*", "off ~objects:* ~items:* ~public:* -@all";
        "an empty string permits nothing": "", "off -@all";
        "AWS orders the words": "off +get ~keys*", "off ~keys* -@all +get";
        "words become patterns": "on allkeys allcommands", "on ~* +@all";
        "the plain one is unchanged": "on ~* +@all", "on ~* +@all";
        "blanks mean nothing": "  on\t~*\r\n +@all\u{b}\u{c}", "on ~* +@all";
        "words have no case": "ON ~* +@ALL", "on ~* +@all";
        "the last state wins": "off ~* +@all on", "on ~* +@all";
        "keys: a set": "on ~b ~a +@all", "on ~a ~b +@all";
        "keys: every key swallows those before it": "on ~a %R~b ~* +@all", "on ~* +@all";
        "keys: every key twice": "on allkeys ~* +@all", "on ~* +@all";
        "keys: both permissions in one word": "on %RW~a +@all", "on ~a +@all";
        "keys: both permissions in two words": "on %R~a %W~a +@all", "on ~a +@all";
        "keys: both permissions in two words of a selector": "on -@all (%W~a +get %r~a)", "on -@all (~a -@all +get)";
        "keys: one permission and both": "on %R~a ~a +@all", "on ~a +@all";
        "keys: both permissions of every key": "on ~a %RW~* ~b +@all", "on ~* +@all";
        "keys: permissions stand anywhere": "%R~a +@all on %W~b", "on %W~b %R~a +@all";
        "channels: by word": "on ~* allchannels +@all", "on ~* &* +@all";
        "channels: every channel swallows those before it": "on ~* &a &* allchannels +@all", "on ~* &* +@all";
        "channels: a set": "on ~* &b &a &b +@all", "on ~* &a &b +@all";
        "commands: -@all is implied": "on ~* -@all +get", "on ~* +get";
        "commands: nocommands is -@all": "on ~* +get nocommands", "on ~* -@all";
        "commands: -@all overrules what is before it": "on ~* +get -@all +set", "on ~* -@all +set";
        "commands: at the end it overrules everything": "on ~* +get +set -@all", "on ~* -@all";
        "commands: a rule sent twice": "on ~a -@all +get +get", "on ~a -@all +get";
        "commands: the later rule wins": "on ~a +get +set -get", "on ~a +set -get";
        "commands: the later rule of a category wins": "on ~a +@read -get +@read", "on ~a -get +@read";
        "commands: rules of one sign have no order": "on ~a +set +get +@read", "on ~a +@read +get +set";
        "commands: nor in a later run": "on ~a +@all -set -get +mget", "on ~a +@all -get -set +mget";
        "commands: a dropped rule joins two runs": "on ~a +get -set +mget +set", "on ~a +mget +set +get";
        "commands: a later rule covers its sub-command": "on ~a +config|get +config", "on ~a -@all +config";
        "commands: a later rule of other sign does too": "on ~a +@all -config|get +config", "on ~a +@all +config";
        "commands: the other way round": "on ~a +config|get -config", "on ~a -config";
        "commands: a sub-command after its command": "on ~a +config +config|get", "on ~a +config";
        "commands: a category that nobody knows": "on ~a +@JSON", "on ~a -@all +@json";
        "payload: checks are the default": "sanitize-payload on ~* +@all", "on ~* +@all";
        "payload: the last word wins": "on skip-sanitize-payload sanitize-payload ~*", "on ~* -@all";
        "payload: the word stands anywhere": "skip-sanitize-payload on ~* +@all", "on ~* +@all skip-sanitize-payload";
        "selectors are read too": "on -@all (+get ~a)", "on -@all (~a -@all +get)";
        "selectors: blanks inside": "on ( ~a\t+get )", "on -@all (~a -@all +get)";
        "selectors: a set": "on (~a) (~b) (~a)", "on -@all (~b -@all) (~a -@all)";
        "selectors: rules of one sign have no order": "on (~a +set +get)", "on -@all (~a -@all +get +set)";
        "selectors: clearselectors removes those before it": "on (+get ~a) clearselectors (~b)", "on -@all (~b -@all)";
        "selectors: the end is a word that ends in a parenthesis": "on (+get ~a)~b)", "on -@all (~a)~b -@all +get)";
        "a parenthesis in a pattern of the root": "on ~a) +get", "on ~a) -@all +get";
        "what cannot be read, in the same words": "on \t frobnicate ~*", "on frobnicate ~*";
    };
    for Pair { claim, one, other } in pairs {
        assert!(same_meaning(one, other), "{claim}: {one:?}, {other:?}");
        assert!(same_meaning(other, one), "{claim}, the other way round");
    }
}

#[test]
fn access_strings_of_different_rights_are_not_equal() {
    let pairs = pairs! {
        "state": "on ~* +@all", "off ~* +@all";
        "keys": "on ~a +@all", "on ~b +@all";
        "keys: patterns keep their case": "on ~a +@all", "on ~A +@all";
        "keys: read is less than both": "on %R~a +@all", "on ~a +@all";
        "keys: read is not write": "on %R~a +@all", "on %W~a +@all";
        "keys: permissions of two patterns": "on %R~a %W~b +@all", "on ~a ~b +@all";
        "keys: reading every key is not every key": "on %R~* ~a +@all", "on ~* +@all";
        "keys: a no-break space is no blank": "on ~a\u{a0}~b +@all", "on ~a ~b +@all";
        "keys: an em space is no blank": "on ~a\u{2003}+@all", "on ~a +@all";
        "channels": "on ~* +@all", "on ~* &a +@all";
        "channels: patterns keep their case": "on ~* &a +@all", "on ~* &A +@all";
        "commands": "on ~* +@all", "on ~* -@all +@read";
        "commands: one less": "on ~* -@all +get +set", "on ~* -@all +get";
        "commands: one among others": "on ~* -@all +get +set", "on ~* -@all +mget +set";
        "commands: what they begin with": "on ~* +@all -get", "on ~* -@all -get";
        "commands: -@all at the end is not -@all at the front": "on ~* +get -@all", "on ~* -@all +get";
        "commands: order matters between signs": "on ~* +@all -get +@read", "on ~* +@all +@read -get";
        "commands: a run ends at a rule of other sign": "on ~* +@read -get +@write", "on ~* +@read +@write -get";
        "commands: a category covers no command for certain": "on ~* +@all -get +@read", "on ~* +@all +@read";
        "commands: a sub-command is less": "on ~* +config|get", "on ~* +config";
        "commands: a later sub-command is not covered": "on ~* +@all -config +config|get", "on ~* +@all -config";
        "commands: names that only begin alike": "on ~* +getex +get", "on ~* +get";
        "payload": "on ~* +@all", "on ~* skip-sanitize-payload +@all";
        "selectors": "on -@all (~a +get)", "on -@all (~b +get)";
        "selectors: one more": "on -@all (~a +get)", "on -@all (~a +get) (~b +get)";
        "selectors: they are not the root": "on ~a +get", "on (~a +get)";
        "selectors: one word or two": "on (~a)~b)", "on (~a) ~b)";
        "what cannot be read": "on frobnicate", "on frobnicated";
        "what cannot be read, in another order": "on frobnicate ~*", "on ~* frobnicate";
        "what cannot be read, at other blanks": "on frobnicate\u{a0}~*", "on frobnicate ~*";
    };
    for Pair { claim, one, other } in pairs {
        assert!(!same_meaning(one, other), "{claim}: {one:?}, {other:?}");
        assert!(!same_meaning(other, one), "{claim}, the other way round");
    }
}

#[test]
fn an_access_string_that_elasticache_refuses_equals_none_that_it_accepts() {
    let pairs = pairs! {
        "resetkeys": "on ~a resetkeys ~b +@all", "on ~b +@all";
        "resetchannels": "on ~* resetchannels +@all", "on ~* +@all";
        "reset": "~a reset on", "on";
        "a password": "on >secret ~* +@all", "on ~* +@all";
        "a pattern after every key": "on ~* ~a +@all", "on ~* +@all";
        "a permission after every key": "on allkeys %R~a +@all", "on ~* +@all";
        "a pattern after every channel": "on ~* &* &a +@all", "on ~* &* +@all";
        "a pattern after every key of a selector": "on (~* ~a)", "on (~*)";
        "an empty pattern": "on ~ ~* +@all", "on ~* +@all";
        "an empty channel": "on & &* ~* +@all", "on &* ~* +@all";
        "an unknown permission": "on %X~a +@all", "on ~a +@all";
        "a permission without a pattern": "on %R ~a +@all", "on ~a +@all";
        "a sign alone": "on ~* + +@all", "on ~* +@all";
        "an unknown category, overruled": "on ~* +@fruit -@all", "on ~* -@all";
        "an unknown category in a selector that is removed": "on ~* (+@fruit) clearselectors", "on ~*";
        "no name of a command, overruled": "on ~* +g?t -@all", "on ~* -@all";
        "a sub-command of a sub-command, overruled": "on ~* +config|get|x +config", "on ~* +config";
        "an empty sub-command, overruled": "on ~* +config| +config", "on ~* +config";
        "a selector that does not end": "on (~a", "on ~a";
        "a selector in a selector": "on (~a (+get))", "on (~a +get)";
        "an end without a beginning": "on ~a +get)", "on ~a +get";
        "a state in a selector": "on (on ~a)", "on (~a)";
        "a payload word in a selector": "on (sanitize-payload ~a)", "on (~a)";
        "a pattern of a selector that ends in a parenthesis": "on (~a))", "on (~a)";
        "a pattern of a removed selector that ends in a parenthesis": "on (~a)) clearselectors", "on";
        "an unknown word": "on banana", "on";
    };
    for Pair { claim, one, other } in pairs {
        assert!(!same_meaning(one, other), "{claim}: {one:?}, {other:?}");
        assert!(!same_meaning(other, one), "{claim}, the other way round");
    }
}

#[test]
fn a_user_that_cannot_log_in_or_run_a_command_is_told_from_one_that_can() {
    for Usefulness { text, logs_in, runs_commands } in ROWS {
        let said = shortcomings(text).concat();
        assert_eq!(said.contains("cannot log in"), !logs_in, "{text}: {said}");
        assert_eq!(said.contains("may run no command"), !runs_commands, "{text}: {said}");
    }
}
