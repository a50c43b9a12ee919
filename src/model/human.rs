//! Figures for people.

use chrono::{DateTime, Utc};

/// Seconds as `0.4s`, `41s`, `8m 5s`, `1h 5m`, `2d 3h`.
pub fn duration(seconds: f64) -> String {
    if seconds < 9.95 {
        return format!("{seconds:.1}s");
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and not negative")]
    let whole = seconds.round() as u64;
    let (days, hours, minutes, rest) = (whole / 86_400, whole / 3600 % 24, whole / 60 % 60, whole % 60);
    let two = |a: u64, a_unit: &str, b: u64, b_unit: &str| match b {
        0 => format!("{a}{a_unit}"),
        _ => format!("{a}{a_unit} {b}{b_unit}"),
    };
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{rest}s"),
        (0, 0, _) => two(minutes, "m", rest, "s"),
        (0, _, _) => two(hours, "h", minutes, "m"),
        _ => two(days, "d", hours, "h"),
    }
}

/// A moment as `2026-05-17 08:31:11Z`.
pub fn moment(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// Bytes as `735.0 MiB`.
pub fn bytes(bytes: u64) -> String {
    bytesize::ByteSize::b(bytes).display().iec().to_string()
}

/// Bytes a second.
pub fn rate(bytes_done: u64, seconds: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "for show"
    )]
    let per_second = (bytes_done as f64 / seconds.max(0.001)) as u64;
    format!("{}/s", bytes(per_second))
}

/// A whole number with separators: `1,640,000`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number of things: `1 network`, `3 volumes`.
pub fn things(number: u64, thing: &str) -> String {
    format!("{} {thing}{}", count(number), if number == 1 { "" } else { "s" })
}

/// The word of our last line that other text may not contain, and what stands for it in text from outside.
const PASSED: (&str, &str) = ("Restore drill PASSED", "Restore drill \"PASSED\"");

/// Whether a character does something other than to be seen: it controls a terminal, ends a line, reorders text
/// (Unicode UAX #9), or hides.
pub fn is_active(c: char) -> bool {
    let reorders =
        matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let hides = matches!(c,
        '\u{ad}' | '\u{180e}' | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    is_control(c) || reorders || hides
}

/// Control characters (C0, DEL, C1), and what ends a line without being one.
fn is_control(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// Text from outside made safe for a terminal and a log: it stays on its line, and does not say that a drill passed.
/// Control characters become spaces; others that are not to be seen are replaced.
pub fn inert(text: &str) -> String {
    let safe = |c: char| match c {
        c if is_control(c) => ' ',
        c if is_active(c) => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    text.chars().map(safe).collect::<String>().replace(PASSED.0, PASSED.1)
}

/// [`inert`] text, cut where it is long.
pub fn one_line(text: &str, limit: usize) -> String {
    let mut out: String = inert(text).chars().take(limit).collect();
    if text.chars().nth(limit).is_some() {
        out.push('…');
    }
    out
}

/// A word as a shell takes it (POSIX): quoted, if it would be taken apart or replaced.
pub fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:@%+,".contains(c);
    match text.chars().all(is_plain) && !text.is_empty() {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_at_most_two_units() {
        for (seconds, text) in [
            (0.0, "0.0s"),
            (0.42, "0.4s"),
            (9.94, "9.9s"),
            (9.96, "10s"),
            (59.6, "1m"),
            (125.0, "2m 5s"),
            (3900.0, "1h 5m"),
            (86_400.0, "1d"),
            (183_600.0, "2d 3h"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }

    #[test]
    fn counts_are_grouped() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_640_000, "1,640,000")] {
            assert_eq!(count(number), text);
        }
    }

    #[test]
    fn text_from_outside_stays_on_its_line() {
        assert_eq!(one_line("a\x1b[31mb\nc", 20), "a [31mb c");
        assert_eq!(one_line("abcdef", 3), "abc…");
    }

    #[test]
    fn what_a_shell_would_take_apart_is_quoted() {
        assert_eq!(shell_word("a/b_c.age"), "a/b_c.age");
        assert_eq!(shell_word("a b'c"), r"'a b'\''c'");
        assert_eq!(shell_word(""), "''");
    }
}
