//! The last lines of a program's output, without its secrets, in constant memory.

use std::collections::VecDeque;

use crate::model::human;
use crate::model::secret::Secret;

/// What stands in the place of a secret.
const MASK: &str = "***";
/// Bytes of a line that are held; of a longer one only its length is kept.
const LINE_LIMIT: usize = 16 * 1024;
/// Characters of a line that are shown.
const LINE_SHOWN: usize = 300;
/// A secret shorter than this is none: masking it would only make the output unreadable.
const SHORTEST_SECRET: usize = 4;

/// Which stream a chunk came by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// Collects output: keeps the last lines, counts all.
#[derive(Debug)]
pub struct Tail {
    /// Longest first, so that one which is part of another leaves nothing of that.
    secrets: Vec<String>,
    keep: usize,
    lines: VecDeque<String>,
    total: u64,
    open: [Line; 2],
}

/// A line that has not ended.
#[derive(Debug, Default)]
struct Line {
    bytes: Vec<u8>,
    /// All of its bytes, held or not.
    length: usize,
}

impl Tail {
    /// Keeps the last `keep` lines, with these secrets masked.
    pub fn new<'a>(keep: usize, secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        // Output is masked line by line, so each line of a secret is one.
        let mut secrets: Vec<String> = secrets
            .into_iter()
            .flat_map(|secret| secret.expose().lines())
            .map(|line| line.trim().to_owned())
            .filter(|line| line.len() >= SHORTEST_SECRET)
            .collect();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets.dedup();
        Self { secrets, keep, lines: VecDeque::new(), total: 0, open: [Line::default(), Line::default()] }
    }

    /// Takes a chunk of one of the streams. Lines of the two do not mix.
    pub fn push(&mut self, stream: Stream, chunk: &[u8]) {
        for part in chunk.split_inclusive(|byte| *byte == b'\n') {
            let (text, ends) = match part.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (part, false),
            };
            let line = &mut self.open[stream as usize];
            line.length += text.len();
            let room = LINE_LIMIT.saturating_sub(line.bytes.len()).min(text.len());
            line.bytes.extend_from_slice(&text[..room]);
            if ends {
                self.close(stream);
            }
        }
    }

    /// The last lines, and how many there were in all.
    pub fn finish(mut self) -> (Vec<String>, u64) {
        for stream in [Stream::Out, Stream::Err] {
            if self.open[stream as usize].length > 0 {
                self.close(stream);
            }
        }
        (self.lines.into(), self.total)
    }

    fn close(&mut self, stream: Stream) {
        let line = std::mem::take(&mut self.open[stream as usize]);
        self.total += 1;
        if self.keep == 0 {
            return;
        }
        if self.lines.len() == self.keep {
            self.lines.pop_front();
        }
        self.lines.push_back(self.shown(&line));
    }

    fn shown(&self, line: &Line) -> String {
        // Where it is cut, half a secret might be left.
        if line.length > LINE_LIMIT {
            return format!("(a line of {})", human::bytes(line.length as u64));
        }
        let mut text = String::from_utf8_lossy(&line.bytes).trim_end().to_owned();
        for secret in &self.secrets {
            text = text.replace(secret.as_str(), MASK);
        }
        human::one_line(&text, LINE_SHOWN)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tail(keep: usize, secrets: &[&str], chunks: &[(Stream, &str)]) -> (Vec<String>, u64) {
        let secrets: Vec<Secret> = secrets.iter().map(|secret| Secret::new(*secret)).collect();
        let mut tail = Tail::new(keep, &secrets);
        for (stream, chunk) in chunks {
            tail.push(*stream, chunk.as_bytes());
        }
        tail.finish()
    }

    #[test]
    fn the_last_lines_are_kept_and_all_are_counted() {
        let (lines, total) = tail(2, &[], &[(Stream::Out, "a\nb\n"), (Stream::Out, "c\nd")]);
        assert_eq!((lines, total), (vec!["c".to_owned(), "d".to_owned()], 4));
        assert_eq!(tail(0, &[], &[(Stream::Out, "a\nb\n")]), (vec![], 2));
        assert_eq!(tail(5, &[], &[]), (vec![], 0));
    }

    #[test]
    fn lines_of_the_two_streams_do_not_mix() {
        let (lines, _) = tail(
            9,
            &[],
            &[(Stream::Out, "ab"), (Stream::Err, "xy"), (Stream::Out, "c\n"), (Stream::Err, "z\n")],
        );
        assert_eq!(lines, ["abc", "xyz"]);
    }

    #[test]
    fn secrets_are_masked_wherever_a_chunk_ends() {
        let (lines, _) = tail(
            9,
            &["hunter2-long", "hunter2"],
            &[(Stream::Out, "login hun"), (Stream::Out, "ter2-long ok\nhunter2\n")],
        );
        assert_eq!(lines, ["login *** ok", "***"]);
        let (lines, _) = tail(9, &["line one\nline two"], &[(Stream::Out, "> line one\n> line two\n")]);
        assert_eq!(lines, ["> ***", "> ***"]);
        let (lines, _) = tail(9, &["", "no"], &[(Stream::Out, "no secret\n")]);
        assert_eq!(lines, ["no secret"]);
    }

    #[test]
    fn a_flood_without_lines_takes_no_memory() {
        let mut tail = Tail::new(3, []);
        for _ in 0..10_000 {
            tail.push(Stream::Out, &[b'x'; 4096]);
        }
        assert!(tail.open[0].bytes.capacity() <= 2 * LINE_LIMIT);
        assert_eq!(tail.finish().0, ["(a line of 39.1 MiB)"]);
    }

    #[test]
    fn control_characters_are_made_harmless() {
        assert_eq!(tail(1, &[], &[(Stream::Out, "a\x1b[2Jb\r\n")]).0, ["a [2Jb"]);
    }

    proptest! {
        #[test]
        fn no_secret_is_shown_however_it_is_cut(
            text in "[ab\n]{0,60}",
            cuts in proptest::collection::vec((1usize..9, any::<bool>()), 0..12),
            keep in 0usize..5,
        ) {
            let secret = Secret::new("abba");
            let mut tail = Tail::new(keep, [&secret]);
            let whole = text.replace("aab", "xabbay");
            let mut rest = whole.as_bytes();
            for (cut, err) in cuts {
                let (chunk, after) = rest.split_at(cut.min(rest.len()));
                tail.push(if err { Stream::Err } else { Stream::Out }, chunk);
                rest = after;
            }
            tail.push(Stream::Out, rest);
            let (lines, total) = tail.finish();
            prop_assert!(lines.len() <= keep && lines.len() as u64 <= total);
            prop_assert!(lines.iter().all(|line| !line.contains("abba")), "{:?}", lines);
        }
    }
}
