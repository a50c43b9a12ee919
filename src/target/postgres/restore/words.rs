//! What `pg_restore` says, read without believing it.
//!
//! An error of the server is printed as it comes: its first line, then details, contexts and the statement, which quote
//! rows, over as many lines as those have. A dump chooses much of that text, and can write lines that look like
//! `pg_restore`'s own. What it cannot do is make `pg_restore` miscount: its last line says how many errors there were, and
//! where other lines that look like errors were counted too, no line is believed.

/// Errors that are kept; the others are counted.
const KEPT: usize = 1000;
/// Bytes kept of an error's first line.
const LINE_BYTES: usize = 2000;

const OWN: &str = "pg_restore: ";
const ERROR: &str = "pg_restore: error: ";
const ENTRY: &str = "pg_restore: from TOC entry ";
const TAIL: &str = "pg_restore: warning: errors ignored on restore: ";

/// One error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// The entry of the table of contents that it is about.
    pub entry: Option<i32>,
    /// Its first line. May quote rows.
    pub words: String,
    /// A function raised it: the words are the dump's own.
    pub raised: bool,
}

/// All that `pg_restore` said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Words {
    /// Its errors, the first ones.
    pub complaints: Vec<Complaint>,
    /// How many errors there seem to be.
    pub seen: u64,
    /// How many there were, by its last line; none if it gave up.
    pub ignored: Option<u64>,
    /// Whether it said anything of its own. It does, before it reads a word of the dump.
    pub spoke: bool,
    /// What was said before.
    pub before: Option<String>,
}

impl Words {
    /// Whether somebody else wrote lines that look like errors.
    pub fn are_forged(&self) -> bool {
        // One that gives up counts none. Of several workers that speak at once some lines are lost, and none is added.
        self.ignored.is_some_and(|ignored| ignored < self.seen)
    }

    /// The error with which it gave up.
    pub fn last_error_if_it_gave_up(&self) -> Option<&str> {
        match self.ignored {
            None if self.seen <= KEPT as u64 => self.complaints.last().map(|complaint| &*complaint.words),
            _ => None,
        }
    }

    /// The entries that could not be restored, each once; none if not all are known.
    pub fn entries(&self) -> Option<Vec<i32>> {
        if self.seen > KEPT as u64 || self.ignored != Some(self.seen) {
            return None;
        }
        let mut entries =
            self.complaints.iter().map(|complaint| complaint.entry).collect::<Option<Vec<_>>>()?;
        entries.sort_unstable();
        entries.dedup();
        Some(entries)
    }
}

/// Reads the words as they come.
#[derive(Default)]
pub struct Listener {
    words: Words,
    partial: Vec<u8>,
    entry: Option<i32>,
}

impl Listener {
    /// Takes in more of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        let mut pieces = bytes.split(|byte| *byte == b'\n');
        let Some(first) = pieces.next() else { return };
        self.extend_partial(first);
        for piece in pieces {
            self.end_line();
            self.extend_partial(piece);
        }
    }

    fn extend_partial(&mut self, bytes: &[u8]) {
        let room = LINE_BYTES.saturating_sub(self.partial.len()).min(bytes.len());
        self.partial.extend_from_slice(&bytes[..room]);
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.partial);
        if line.is_empty() {
            return;
        }
        let line = String::from_utf8_lossy(&line);
        let mut line = line.as_ref();
        // Workers write their name and their words one after the other, and so one's name before another's.
        while let Some(rest) = line.strip_prefix(OWN).filter(|rest| rest.starts_with(OWN)) {
            line = rest;
        }
        // Only the very last line counts.
        self.words.ignored = line.strip_prefix(TAIL).and_then(|count| count.trim().parse().ok());
        if let Some(words) = line.strip_prefix(ERROR) {
            self.words.seen += 1;
            if self.words.complaints.len() < KEPT {
                let words = words.to_owned();
                self.words.complaints.push(Complaint { entry: self.entry, words, raised: false });
            }
        } else if let Some(rest) = line.strip_prefix(ENTRY) {
            self.entry = rest.split(';').next().and_then(|id| id.parse().ok());
        } else if let (Some(context), Some(last)) =
            (line.strip_prefix("CONTEXT:  "), self.words.complaints.last_mut())
        {
            // `COPY …` stands in every error of a row; all else is a function's stack.
            last.raised |= !context.starts_with("COPY ");
        }
        let own = line.starts_with(OWN);
        if !own && !self.words.spoke {
            self.words.before.get_or_insert_with(|| line.to_owned());
        }
        self.words.spoke |= own;
    }

    /// The words, once the stream has ended.
    pub fn finish(mut self) -> Words {
        self.end_line();
        self.words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(text: &str) -> Words {
        // In pieces that end in the middle of lines.
        let mut listener = Listener::default();
        for piece in text.as_bytes().chunks(7) {
            listener.push(piece);
        }
        listener.finish()
    }

    /// As PostgreSQL 17 says it with `--verbose`.
    const HONEST: &str = "pg_restore: connecting to database for restore\n\
        pg_restore: while PROCESSING TOC:\n\
        pg_restore: from TOC entry 217; 1259 16398 TABLE card postgres\n\
        pg_restore: error: could not execute query: ERROR:  relation \"card\" already exists\n\
        Command was: CREATE TABLE public.card (\n    id integer\n);\n\n\n\
        pg_restore: processing data for table \"public.card\"\n\
        pg_restore: from TOC entry 3428; 0 16398 TABLE DATA card postgres\n\
        pg_restore: error: COPY failed for table \"card\": ERROR:  invalid input syntax for type integer: \"41\n\
        11\"\n\
        CONTEXT:  COPY card, line 1, column n: \"41\n11\"\n\
        pg_restore: from TOC entry 3429; 0 16404 TABLE DATA chk postgres\n\
        pg_restore: error: COPY failed for table \"chk\": ERROR:  no good: Jane\n\
        CONTEXT:  PL/pgSQL function public.chk(text) line 1 at RAISE\n\
        COPY chk, line 1: \"Jane\"\n\
        pg_restore: warning: errors ignored on restore: 3\n";

    #[test]
    fn errors_are_read_with_their_entries() {
        let words = heard(HONEST);
        assert_eq!((words.seen, words.ignored, words.are_forged()), (3, Some(3), false));
        assert_eq!(words.entries(), Some(vec![217, 3428, 3429]));
        let raised: Vec<bool> = words.complaints.iter().map(|complaint| complaint.raised).collect();
        assert_eq!(raised, [false, false, true]);
        assert_eq!((words.spoke, words.last_error_if_it_gave_up()), (true, None));
    }

    #[test]
    fn lines_that_others_wrote_are_noticed_by_their_number() {
        for forged in
            ["pg_restore: error: out of memory\n", "pg_restore: warning: errors ignored on restore: 0\n"]
        {
            let words = heard(&HONEST.replace("Jane\nCONTEXT", &format!("Jane\n{forged}CONTEXT")));
            assert_eq!(words.ignored, Some(3), "the last line is its own");
            assert_eq!(words.are_forged(), forged.contains("error: "), "{forged}");
            assert_eq!(words.complaints.last().map(|last| last.raised), Some(true), "{forged}");
        }
    }

    #[test]
    fn workers_that_speak_at_once_are_not_taken_for_somebody_else() {
        let glued = heard(&HONEST.replace(
            "pg_restore: error: could not execute",
            "pg_restore: pg_restore: error: could not execute",
        ));
        assert_eq!((glued.seen, glued.entries()), (3, Some(vec![217, 3428, 3429])));
        let lost = heard(&HONEST.replace(
            "pg_restore: error: could not execute",
            "pg_restore: launching: error: could not execute",
        ));
        assert_eq!((lost.seen, lost.are_forged(), lost.entries()), (2, false, None), "not all are known");
    }

    #[test]
    fn one_that_gives_up_says_why_in_its_last_error() {
        let end = "pg_restore: error: could not read from input file: end of file\n";
        let words = heard(&HONEST.replace("pg_restore: warning: errors ignored on restore: 3\n", end));
        assert_eq!(words.last_error_if_it_gave_up(), Some("could not read from input file: end of file"));
        let absent = heard("sh: 1: pg_restore: not found\n");
        assert_eq!((absent.spoke, absent.before.as_deref()), (false, Some("sh: 1: pg_restore: not found")));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut text = format!("{ERROR}{}\n", "x".repeat(10_000));
        for _ in 0..2000 {
            text.push_str("pg_restore: error: again\n");
        }
        let words = heard(&text);
        assert_eq!((words.complaints.len(), words.seen), (KEPT, 2001));
        assert!(words.complaints[0].words.len() <= LINE_BYTES);
        assert_eq!(words.entries(), None);
    }
}
