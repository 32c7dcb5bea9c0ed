use super::*;

fn password(text: &str) -> Password {
    Password::parse(text.as_bytes()).expect("a password")
}

/// Each row has a claim, AWS's message, and the sanitized message.
fn check_stable(rows: &[(&str, &str, &str)]) {
    for &(claim, said, expected) in rows {
        assert_eq!(stable(said, &[]), expected, "{claim}");
        assert_eq!(stable(expected, &[]), expected, "{claim}: a sanitized message must stay unchanged");
    }
}

#[test]
fn request_ids_and_other_parts_that_change_are_removed_from_messages_of_aws() {
    let rows = [
        (
            "a request id in brackets goes with its label",
            "Rate exceeded (Service: ElastiCache, Status Code: 400, Request ID: 6ad6b4c1-9f8a-4a3e-9d8b-0123456789ab)",
            "Rate exceeded (Service: ElastiCache, Status Code: 400).",
        ),
        (
            "the text after a request id stays",
            "Bad (Service: AmazonElastiCache; Request ID: abc-1; Proxy: null)",
            "Bad (Service: AmazonElastiCache; Proxy: null).",
        ),
        ("alone in its brackets", "Bad value (Request ID: abc-1).", "Bad value."),
        ("in lower case", "Bad value, status code: 400, request id: abc", "Bad value, status code: 400."),
        ("in one word", "Bad value. RequestId: abc-1", "Bad value."),
        ("glued to its value", "Bad value RequestID=abc-1", "Bad value."),
        (
            "attempts",
            "Bad value (Status Code: 400, Request ID: a, Extended Request ID: b) (SDK Attempt Count: 3)",
            "Bad value (Status Code: 400).",
        ),
        ("attempts in words", "Gave up, attempt 3", "Gave up."),
        (
            "an encoded authorization message",
            "You are not authorized to perform this operation. Encoded authorization failure message: 4wYXZ-b_c",
            "You are not authorized to perform this operation.",
        ),
        (
            "a session's name, which may contain a time",
            "User: arn:aws:sts::111122223333:assumed-role/operator/web-identity-token-1732423423123 is not authorized to perform: elasticache:DeleteUser on resource: arn:aws:elasticache:us-east-1:111122223333:user:app",
            "User: arn:aws:sts::111122223333:assumed-role/operator is not authorized to perform: elasticache:DeleteUser on resource: arn:aws:elasticache:us-east-1:111122223333:user:app.",
        ),
        (
            "times",
            "Signature expired: 20261124T044128Z is now earlier than 20261124T044628Z (20261124T050128Z - 15 min.)",
            "Signature expired: [time] is now earlier than [time] ([time] - 15 min.).",
        ),
        (
            "times in another form",
            "The token expired at 2026-11-24T04:41:28.123Z",
            "The token expired at [time].",
        ),
        (
            "the canonical string of the request",
            "The request signature does not match. The Canonical String for this request should have been 'POST",
            "The request signature does not match.",
        ),
        ("access keys", "No such key: ASIAIOSFODNN7EXAMPLE", "No such key: [access key]."),
        (
            "an id of a request without a label",
            "Call 6ad6b4c1-9f8a-4a3e-9d8b-0123456789ab failed",
            "Call [id] failed.",
        ),
        ("sockets", "Connection to 10.1.2.3:40222 refused", "Connection to [address] refused."),
    ];
    check_stable(&rows);
}

#[test]
fn a_sanitized_message_of_aws_is_a_sentence() {
    let rows = [
        ("white space", "  The   access-string\n is\tinvalid. ", "The access-string is invalid."),
        ("what nobody can print", "a\u{1b}[31mred\0 word", "a [31mred word."),
        ("nothing", "  ", "AWS gives no explanation."),
        ("a question is a sentence too", "Really?", "Really?"),
        ("a colon at the end", "Because:", "Because."),
        (
            "everything else stays as AWS wrote it",
            "User app has status modifying. Only active users can be modified.",
            "User app has status modifying. Only active users can be modified.",
        ),
    ];
    check_stable(&rows);
}

#[test]
fn a_password_is_redacted_wherever_a_message_of_aws_repeats_it() {
    let one = password("hunter2-hunter2-hunter2");
    let longer = password("hunter2-hunter2-hunter2-and-more");
    let spaced = password("two  spaces  and  more");
    let rows = [
        ("alone", "hunter2-hunter2-hunter2 is bad", "[redacted] is bad."),
        ("within a word", "xhunter2-hunter2-hunter2y", "x[redacted]y."),
        ("one within the other", "'hunter2-hunter2-hunter2-and-more' is bad", "'[redacted]' is bad."),
        ("with white space of its own", "bad: two  spaces  and  more", "bad: [redacted]."),
        (
            "percent-encoded",
            "Passwords.member.1=two%20%20spaces%20%20and%20%20more",
            "Passwords.member.1=[redacted].",
        ),
        ("as a form has it", "two++spaces++and++more", "[redacted]."),
        (
            "escaped, and in small digits",
            "a%3eb%26c-sixteen-16 or a&gt;b&amp;c-sixteen-16",
            "[redacted] or [redacted].",
        ),
        ("twice", "hunter2-hunter2-hunter2 hunter2-hunter2-hunter2", "[redacted] [redacted]."),
    ];
    let passwords = [one, longer, spaced, password("a>b&c-sixteen-16")];
    for (claim, said, expected) in rows {
        assert_eq!(stable(said, &passwords), expected, "{claim}");
    }
    assert_eq!(code("hunter2-hunter2-hunter2", &passwords), "redacted");
}

#[test]
fn a_message_of_aws_has_a_bounded_length_and_a_code_is_a_word() {
    let long = stable(&"é".repeat(1000), &[]);
    assert!(long.len() <= LONGEST && long.ends_with("..."), "{long}");
    assert!(stable(&"x".repeat(LONGEST), &[]).len() <= LONGEST);
    assert_eq!(code("Invalid Parameter\n<Value>", &[]), "InvalidParameterValue");
    assert_eq!(code(&"A".repeat(100), &[]).len(), LONGEST_CODE);
}

proptest::proptest! {
    #[test]
    fn whatever_aws_says_becomes_one_bounded_sentence(text in "(?s).{0,700}") {
        let once = stable(&text, &[]);
        proptest::prop_assert!(once.len() <= LONGEST);
        proptest::prop_assert!(once.ends_with(['.', '!', '?']), "{once}");
        proptest::prop_assert!(!once.contains('\n'));
    }
}
