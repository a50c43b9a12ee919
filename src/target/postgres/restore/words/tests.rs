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
fn errors_about_some_entries_can_be_set_aside() {
    let others = heard(HONEST).without(&[3428, 1].into());
    assert_eq!((others.seen, others.ignored, others.entries()), (2, Some(2), Some(vec![217, 3429])));
    let none = others.without(&[217, 3429].into());
    assert_eq!((none.complaints.len(), none.ignored), (0, Some(0)));
    let forged = heard(&HONEST.replace("Jane\nCONTEXT", "Jane\npg_restore: error: out of memory\nCONTEXT"));
    assert!(forged.without(&[217].into()).are_forged(), "as it was before");
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
    let glued =
        heard(&HONEST.replace(
            "pg_restore: error: could not execute",
            "pg_restore: pg_restore: error: could not execute",
        ));
    assert_eq!((glued.seen, glued.entries()), (3, Some(vec![217, 3428, 3429])));
    let lost =
        heard(&HONEST.replace(
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

#[test]
fn roles_are_looked_up_only_where_the_server_misses_them() {
    let missing = "pg_restore: error: COPY failed for table \"t\": ERROR:  role \"app\" does not exist\n";
    let mut words =
        heard(&format!("{missing}{missing}pg_restore: error: ERROR:  type \"x\" does not exist\n"));
    assert_eq!(words.absent_roles(), ["app"]);
    for complaint in &mut words.complaints {
        complaint.raised = true;
    }
    assert_eq!(words.absent_roles(), [""; 0]);
}

#[test]
fn extensions_that_must_be_loaded_at_the_start_say_so() {
    for said in [
        "pg_cron can only be loaded via shared_preload_libraries",
        "pgaudit must be loaded via shared_preload_libraries",
        "pg_stat_statements must be loaded via \"shared_preload_libraries\"",
        "extension \"timescaledb\" must be preloaded",
    ] {
        assert!(ask_to_be_preloaded(said), "{said}");
    }
    assert!(!ask_to_be_preloaded("could not open extension control file"));
    assert!(want_another_database("can only create extension in database postgres"));
}
