//! Text as Python prints it: the platform hashes what Python's `json` module wrote.

use std::io::Write;

/// Appends `text` as a JSON string the way `json.dumps(text)` prints it: everything outside printable ASCII is
/// escaped, above U+FFFF as a surrogate pair. That includes U+007F, which `ensure_ascii` escapes too.
///
/// Source: CPython, `Lib/json/encoder.py`, `ESCAPE_ASCII` and `py_encode_basestring_ascii`.
pub(super) fn push_ascii_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut rest = text;
    loop {
        let (plain, special) = rest.split_at(plain_prefix(rest.as_bytes()));
        out.extend_from_slice(plain.as_bytes());
        let mut characters = special.chars();
        let Some(character) = characters.next() else { break };
        if !push_short_escape(out, character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                push_unicode_escape(out, *unit);
            }
        }
        rest = characters.as_str();
    }
    out.push(b'"');
}

/// How many bytes at the beginning are printable ASCII that needs no escape.
fn plain_prefix(bytes: &[u8]) -> usize {
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~') & (byte != b'"') & (byte != b'\\');
    let mut length = 0;
    // Looking at a whole block without leaving early lets the compiler compare its bytes side by side.
    while let Some(block) = bytes[length..].first_chunk::<16>() {
        if !block.iter().fold(true, |all, byte| all & is_plain(*byte)) {
            break;
        }
        length += block.len();
    }
    length + bytes[length..].iter().take_while(|byte| is_plain(**byte)).count()
}

/// Appends one character of a string the way `json.dumps(text, ensure_ascii=False)` prints it: only quotes,
/// backslashes and characters below U+0020 are escaped. True when an escape was written.
pub(super) fn push_raw_char(out: &mut Vec<u8>, character: char) -> bool {
    if push_short_escape(out, character) {
        return true;
    }
    if u32::from(character) < 0x20 {
        push_unicode_escape(out, character as u16);
        return true;
    }
    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    false
}

fn push_short_escape(out: &mut Vec<u8>, character: char) -> bool {
    let letter = match character {
        '"' => b'"',
        '\\' => b'\\',
        '\n' => b'n',
        '\r' => b'r',
        '\t' => b't',
        '\u{8}' => b'b',
        '\u{c}' => b'f',
        _ => return false,
    };
    out.extend_from_slice(&[b'\\', letter]);
    true
}

fn push_unicode_escape(out: &mut Vec<u8>, unit: u16) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.extend_from_slice(b"\\u");
    for shift in [12, 8, 4, 0] {
        out.push(DIGITS[usize::from(unit >> shift & 0xf)]);
    }
}

/// Appends a double the way Python's `repr` prints it, which is also how `json.dumps` does: the fewest digits
/// that read back as the same double, an exponent below 1e-4 and from 1e16 on, and always a point or an exponent.
///
/// Infinities, which a literal too large for a double becomes, print as `json.dumps` prints them.
///
/// Source: CPython, `Python/pystrtod.c`, `format_float_short` with format code `r`.
pub(super) fn push_float(out: &mut Vec<u8>, value: f64) {
    if value.is_sign_negative() {
        out.push(b'-');
    }
    if !value.is_finite() {
        out.extend_from_slice(b"Infinity");
        return;
    }
    let (digits, count, exponent) = shortest_digits(out, value.abs());
    let digits = &digits[..count];
    match exponent {
        -4..0 => {
            out.extend_from_slice(b"0.");
            out.resize(out.len() + (-1 - exponent) as usize, b'0');
            out.extend_from_slice(digits);
        }
        0..16 => {
            let whole = exponent as usize + 1;
            if count <= whole {
                out.extend_from_slice(digits);
                out.resize(out.len() + whole - count, b'0');
                out.extend_from_slice(b".0");
            } else {
                out.extend_from_slice(&digits[..whole]);
                out.push(b'.');
                out.extend_from_slice(&digits[whole..]);
            }
        }
        _ => {
            out.push(digits[0]);
            if count > 1 {
                out.push(b'.');
                out.extend_from_slice(&digits[1..]);
            }
            let sign = if exponent < 0 { '-' } else { '+' };
            let _ = write!(out, "e{sign}{:02}", exponent.unsigned_abs());
        }
    }
}

/// The shortest digits that read back as `value`, how many there are, and the exponent of the first.
///
/// `{:e}` finds them, but where `value` lies exactly between two candidates of that length it rounds up, and
/// Python to the even digit, as exact formatting does. That takes 16 digits or more: with fewer, candidates lie
/// further apart than doubles do.
fn shortest_digits(out: &mut Vec<u8>, value: f64) -> ([u8; 17], usize, i32) {
    // The end of `out` serves as the buffer to print to, so nothing is allocated.
    let start = out.len();
    let _ = write!(out, "{value:e}");
    let shortest = read_digits(&out[start..]);
    let count = shortest.1;
    out.truncate(start);
    if count < 15 {
        return shortest;
    }
    let _ = write!(out, "{value:.*e}", count - 1);
    let reads_back = str::from_utf8(&out[start..]).is_ok_and(|text| text.parse() == Ok(value));
    let even = read_digits(&out[start..]);
    out.truncate(start);
    // Rounding up to a power of ten would leave zeros that are not part of the shortest form.
    if reads_back && even.0[count - 1] != b'0' { even } else { shortest }
}

/// Takes `d.ddde-x` apart.
fn read_digits(text: &[u8]) -> ([u8; 17], usize, i32) {
    let mut digits = [0; 17];
    let mut count = 0;
    let mut exponent = 0;
    let mut in_exponent = false;
    let mut negative = false;
    for &byte in text {
        match byte {
            b'e' => in_exponent = true,
            b'-' => negative = true,
            b'0'..=b'9' if in_exponent => exponent = exponent * 10 + i32::from(byte - b'0'),
            b'0'..=b'9' => {
                digits[count] = byte;
                count += 1;
            }
            _ => {}
        }
    }
    (digits, count, if negative { -exponent } else { exponent })
}
