//! The reader of a dump's table of contents takes any bytes, in any pieces: it never panics, and what it says does not
//! depend on the pieces. Memory is bounded by what arrived: libFuzzer's own limit (`-rss_limit_mb`) holds it to that.
#![no_main]

use libfuzzer_sys::fuzz_target;
use restore_drill::format::pg_custom::{LeftOut, Limits, Status, TocReader};
use restore_drill::model::entry_rule::EntryRule;
use restore_drill::plan::contents::Contents;

fuzz_target!(|input: &[u8]| {
    let Some((&piece, bytes)) = input.split_first() else { return };
    let limits = Limits { bytes: 1 << 20, entries: 10_000 };
    let read = |piece: usize| {
        let mut reader = TocReader::new(limits);
        for chunk in bytes.chunks(piece) {
            match reader.push(chunk) {
                Ok(Status::NeedMore) => {}
                Ok(Status::Done) | Err(_) => break,
            }
        }
        reader.finish()
    };
    let whole = read(bytes.len().max(1));
    assert_eq!(whole, read(usize::from(piece) + 1));
    if let Ok(toc) = whole {
        // What a plan makes of it takes any names and any graph.
        let record = Contents::of(&toc, LeftOut::default(), bytes.len() as u64).record();
        assert!(record.table_order.iter().map(Vec::len).sum::<usize>() <= record.tables_total);
        // And so does what is left out of it.
        let rule = EntryRule { kind: "TABLE*".to_owned(), name: "*a*".to_owned() };
        let left_out = toc.leave_out(&[rule], &[]);
        assert!(toc.without(&left_out).entries.len() + left_out.entries.len() == toc.entries.len());
    }
});
