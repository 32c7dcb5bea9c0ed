//! I/O: makes the password of a user whose passwords somebody else sets from then on.

use plan::{AwsError, Fault, Password};

const SYMBOLS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const LENGTH: usize = 40;
/// The largest multiple of the number of symbols in a byte. Larger bytes would make some symbols more likely.
const LIMIT: u8 = 248;

/// 40 letters and digits, from the operating system's randomness.
pub(crate) fn random_password() -> Result<Password, Fault> {
    let mut text = Vec::with_capacity(LENGTH);
    while text.len() < LENGTH {
        let mut bytes = [0; 2 * LENGTH];
        getrandom::fill(&mut bytes).map_err(|_| no_randomness())?;
        let even = bytes.into_iter().filter(|byte| *byte < LIMIT);
        let symbols = even.filter_map(|byte| SYMBOLS.get(usize::from(byte) % SYMBOLS.len()));
        text.extend(symbols.take(LENGTH - text.len()));
    }
    Password::parse(&text).map_err(|_| no_randomness())
}

fn no_randomness() -> Fault {
    Fault::Unavailable(AwsError::new("NoRandomness", "the operating system gave no random password."))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_random_password_is_40_letters_and_digits_and_never_the_same() {
        let passwords: HashSet<String> =
            (0..200).map(|_| random_password().unwrap().expose().to_owned()).collect();
        assert!(passwords.len() == 200, "two are the same");
        let is_right = |password: &String| {
            password.len() == LENGTH && password.bytes().all(|byte| byte.is_ascii_alphanumeric())
        };
        assert!(passwords.iter().all(is_right), "one has another form");
        let used: HashSet<u8> = passwords.iter().flat_map(|password| password.bytes()).collect();
        assert!(used.len() == SYMBOLS.len(), "{} of the symbols are used", used.len());
    }
}
