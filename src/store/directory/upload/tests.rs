//! Both ways to give a file its name.

use super::*;

/// Publishes `later` under a name in these ways; what is there before is `first`.
fn published(first: Option<&str>, ways: &[Way]) -> (Result<()>, Vec<(String, String)>) {
    let directory = tempfile::tempdir().unwrap();
    if let Some(text) = first {
        std::fs::write(directory.path().join("dump"), text).unwrap();
    }
    let store = DirectoryStore::at(directory.path());
    let opened = store.root().unwrap().directory("").unwrap();
    let path = directory.path().join(format!("{TEMPORARY}1"));
    std::fs::write(&path, "later").unwrap();
    let file = File::open(&path).unwrap();
    let temporary =
        Temporary { directory: opened, name: format!("{TEMPORARY}1"), made: Vec::new(), is_finished: false };
    let outcome = publish(&store, &ObjectKey::new("dump"), "dump", &file, temporary, ways);
    let entries = std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.map(|path| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (name, std::fs::read_to_string(&path).unwrap())
    });
    (outcome, files.collect())
}

fn lost_answer(temporary: &Temporary, name: &str) -> Result<(), Errno> {
    let Temporary { directory, name: from, .. } = temporary;
    linkat(directory, from, directory, name, AtFlags::empty())?;
    Err(Errno::EXIST)
}

#[test]
fn a_name_is_given_and_never_taken_away_in_either_way() {
    let unknown: Way = |_, _| Err(Errno::INVAL);
    for ways in [WAYS, &[link], &[unknown, link], &[lost_answer]] {
        let (outcome, files) = published(None, ways);
        assert_eq!((outcome, files), (Ok(()), vec![("dump".to_owned(), "later".to_owned())]));
    }
    for ways in [WAYS, &[link], &[unknown, link]] {
        let (outcome, files) = published(Some("first"), ways);
        assert_eq!(outcome.unwrap_err().code, codes::OBJECT_EXISTS);
        assert_eq!(files, [("dump".to_owned(), "first".to_owned())]);
    }
}

#[test]
fn a_file_system_that_knows_neither_way_is_refused_and_left_as_it_was() {
    let unknown: Way = |_, _| Err(Errno::NOTSUP);
    let (outcome, files) = published(None, &[unknown, unknown]);
    let failure = outcome.unwrap_err();
    assert!(failure.message.contains("can neither rename a file without overwriting"), "{failure}");
    assert!(files.is_empty(), "{files:?}");
}
