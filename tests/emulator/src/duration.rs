//! Times as a person writes them: `500ms`, `2s`, `1.5s`, `3m`, `1h`.

use std::time::Duration;

/// What a time looks like, for error messages.
pub(crate) const EXPECTED: &str = "a time with its unit such as 0s, 500ms, 2s, 1.5s, 3m or 1h";

/// A year: far more than any test waits, and far from any overflow.
const LONGEST: f64 = 365.0 * 24.0 * 3_600_000.0;

/// Reads a time; the error is a sentence that says what is right. Fractions of a millisecond are cut off.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || format!("'{text}' is not {EXPECTED}");
    let digits = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').ok_or_else(wrong)?;
    let (number, unit) = text.split_at(digits);
    let unit = match unit {
        "ms" => 1.0,
        "s" => 1_000.0,
        "m" => 60_000.0,
        "h" => 3_600_000.0,
        _ => return Err(wrong()),
    };
    let millis = number.parse::<f64>().map_err(|_| wrong())? * unit;
    if millis > LONGEST {
        return Err(format!("'{text}' is longer than a year"));
    }
    Duration::try_from_secs_f64(millis / 1_000.0)
        .map(|duration| Duration::from_millis(crate::clock::millis(duration)))
        .map_err(|_| wrong())
}

/// Writes a time so that [`parse`] reads the same.
pub(crate) fn print(duration: Duration) -> String {
    let millis = duration.as_millis();
    if millis.is_multiple_of(1_000) { format!("{}s", millis / 1_000) } else { format!("{millis}ms") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_parsed_and_written() {
        for (text, millis, printed) in [
            ("0s", 0, "0s"),
            ("500ms", 500, "500ms"),
            ("2s", 2_000, "2s"),
            ("1.5s", 1_500, "1500ms"),
            ("3m", 180_000, "180s"),
            ("1h", 3_600_000, "3600s"),
            ("0.1s", 100, "100ms"),
        ] {
            let duration = parse(text).unwrap();
            assert_eq!(duration, Duration::from_millis(millis), "{text}");
            assert_eq!(print(duration), printed);
            assert_eq!(parse(printed), Ok(duration));
        }
    }

    #[test]
    fn an_invalid_duration_is_refused_with_what_would_be_valid() {
        for text in ["", "2", "s", "2 s", "-1s", "2d", "1m30s", "1..5s", ".s", "2S"] {
            assert!(parse(text).unwrap_err().contains("such as"), "{text}");
        }
        assert!(parse("9000h").unwrap_err().contains("longer than a year"));
    }
}
