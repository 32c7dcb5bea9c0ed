use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::failure::Failure;
use plan::classify::Answer;

fn password(text: &str) -> Password {
    Password::parse(text.as_bytes()).expect("a password")
}

/// The name of an encoding, and the encoding, as a server might use it.
type Encoding = (&'static str, fn(&str) -> String);

const ENCODINGS: [Encoding; 12] = [
    ("as it is", str::to_owned),
    ("in upper case", str::to_uppercase),
    ("in lower case", str::to_lowercase),
    ("percent-encoded", |text| text.bytes().map(|byte| format!("%{byte:02X}")).collect()),
    ("percent-encoded twice", |text| text.bytes().map(|byte| format!("%25{byte:02x}")).collect()),
    ("as a form value", |text| text.replace('%', "%25").replace('+', "%2B").replace(' ', "+")),
    ("as decimal entities", |text| text.chars().map(|c| format!("&#{};", u32::from(c))).collect()),
    ("as hexadecimal entities", |text| text.chars().map(|c| format!("&#x{:x};", u32::from(c))).collect()),
    ("escaped as in JSON", |text| text.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect()),
    ("in hexadecimal", |text| text.bytes().map(|byte| format!("{byte:02x}")).collect()),
    ("in base64", |text| encoded(text, false)),
    ("in base64 for URLs", |text| encoded(text, true)),
];

fn encoded(text: &str, for_urls: bool) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let three = |three: &[u8]| {
        let bits =
            (0..3).fold(0_usize, |bits, at| bits << 8 | usize::from(three.get(at).copied().unwrap_or(0)));
        let digits = (0..=three.len()).map(|at| char::from(DIGITS[bits >> (18 - 6 * at) & 63]));
        digits.collect::<String>()
    };
    let text: String = text.as_bytes().chunks(3).map(three).collect();
    if for_urls { text.replace('+', "-").replace('/', "_") } else { text }
}

fn shown(code: &str, message: String, password: &Password) -> String {
    let refused = Failure::Refused { code: code.to_owned(), message, status: 400 };
    let Answer::Fault(fault) = refused.answer(std::slice::from_ref(password), plan::classify::classify)
    else {
        panic!("a fault")
    };
    fault.error().to_string()
}

proptest! {
    /// Passwords have a digit at least at every sixth place, so that no ordinary word is a part of a password.
    #[test]
    fn no_part_of_a_password_is_shown_in_whatever_encoding_aws_repeats_it(
        secret in "[a-z]([a-zA-Z%+<>&#' ~]{1,4}[0-9]){8,25}",
        (cut, length) in (0_usize..100, 8_usize..128),
        (encoding, encode) in select(ENCODINGS.to_vec()),
    ) {
        let password = password(&secret);
        let cut = cut % (secret.len() - 7);
        let part = &secret[cut..(cut + length).min(secret.len())];
        for said in [format!("Invalid value: {}", encode(part)), format!("'{}' is bad", encode(&format!("x{part}y")))] {
            let shown = shown("InvalidParameterValue", said.clone(), &password);
            prop_assert!(!shown.contains(&encode(part)), "{encoding}: a part of the password is visible: AWS said {said}, and the operator shows {shown}");
            for run in part.as_bytes().windows(8) {
                let run = String::from_utf8_lossy(run).into_owned();
                prop_assert!(!shown.contains(&encode(&run)), "{encoding}: a part of the password is visible: AWS said {said}, and the operator shows {shown}");
            }
            prop_assert!(shown.contains("InvalidParameterValue"), "{encoding}: the code is gone: {shown}");
        }
    }
}

#[test]
fn a_message_of_aws_that_repeats_no_password_is_shown_unchanged() {
    let passwords =
        ["a-long-enough-passphrase", "Incorrect-Password-Parameter-1", "3fN8kq_Zr5tUv0Xy"].map(password);
    for said in [
        "Passwords length must be between 16-128 characters.",
        "Invalid parameter: the access string has an unknown category.",
        "User app has status modifying. Only active users can be modified.",
    ] {
        for password in &passwords {
            assert!(shown("InvalidParameterValue", said.to_owned(), password).contains(said), "{said}");
        }
    }
}

#[test]
fn a_message_of_aws_that_is_withheld_still_tells_which_parameter_is_wrong() {
    let secret = password("3fN8kq_Zr5tUv0Xy");
    let rows = [
        ("Bad access-string: 3FN8KQ_ZR5TUV0XY", "AWS's explanation of the access string is not shown"),
        ("Bad password: 3FN8KQ_ZR5TUV0XY", "AWS's explanation is not shown"),
    ];
    for (said, expected) in rows {
        let shown = shown("InvalidParameterValue", said.to_owned(), &secret);
        assert!(shown.contains(expected), "{shown}");
    }
    // A code that is not AWS's could be a part of a password.
    let shown = shown("kq_Zr5tUv0", "Bad.".to_owned(), &secret);
    assert!(!shown.contains("Zr5tUv"), "{shown}");
}
