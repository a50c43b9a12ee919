use proptest::prelude::*;

use super::form::sorted_width;
use super::*;

fn pattern() -> KeyPattern {
    KeyPattern::new("backups/nightly/", "{database}_{timestamp}.dump.age", "%Y%m%dT%H%M%SZ")
}

#[test]
fn a_key_is_read_as_it_was_written() {
    let database: DatabaseName = "acp_audit".parse().unwrap();
    let taken = DateTime::from_timestamp(1_779_006_671, 0).unwrap();
    let key = pattern().key(&database, taken);
    assert_eq!(key.as_str(), "backups/nightly/acp_audit_20260517T083111Z.dump.age");
    assert_eq!(pattern().taken_at(&database, key.as_str()), Some(taken));
}

#[test]
fn a_database_whose_name_begins_alike_is_not_taken_for_this_one() {
    let database: DatabaseName = "acp_identity".parse().unwrap();
    let key = "backups/nightly/acp_identity_graph_20260517T083111Z.dump.age";
    assert!(key.starts_with(&pattern().listing_prefix(&database)));
    assert_eq!(pattern().taken_at(&database, key), None);
}

#[test]
fn formats_whose_order_is_that_of_time_are_known() {
    for format in ["%Y%m%dT%H%M%SZ", "%Y-%m-%d", "%F", "%FT%T", "%s", "%Y/%m/%d/%H%M", "%Y%j", "%Y"] {
        assert!(sorted_width(format).is_some(), "{format}");
    }
    for format in ["%d-%m-%Y", "%Y-%b-%d", "%y%m%d", "%Y%-m%d", "%Y%m%dT%M", "%Y%m%d%Y", "%c", "%Y%d", "x"] {
        assert_eq!(sorted_width(format), None, "{format}");
    }
}

proptest! {
    #[test]
    fn what_is_said_to_be_sorted_is(
        a in 1_000_000_000i64..9_999_999_999,
        b in 1_000_000_000i64..9_999_999_999,
        format in prop::sample::select(vec!["%Y%m%dT%H%M%SZ", "%F", "%FT%T", "%s", "%Y%j%H"]),
    ) {
        let text = |time| DateTime::from_timestamp(time, 0).unwrap().format(format).to_string();
        let (first, second) = (text(a.min(b)), text(a.max(b)));
        prop_assert!(first <= second);
        prop_assert_eq!(Some(first.len()), sorted_width(format));
    }

    #[test]
    fn any_database_is_read_back_from_its_key(
        name in "[a-z][a-z0-9_.$-]{0,20}",
        seconds in 1_000_000_000i64..9_999_999_999,
        pattern in prop::sample::select(vec![
            "{database}_{timestamp}.dump.age", "{database}/{timestamp}.age", "{timestamp}/{database}.age",
            "x{timestamp}-{database}", "a/{database}{timestamp}",
        ]),
    ) {
        let database: DatabaseName = name.parse().unwrap();
        let taken = DateTime::from_timestamp(seconds, 0).unwrap();
        let pattern = KeyPattern::new("backups", pattern, "%Y%m%dT%H%M%SZ");
        let key = pattern.key(&database, taken);
        prop_assert!(key.as_str().starts_with(&pattern.common_prefix()));
        prop_assert_eq!(pattern.read(key.as_str()), Some((database, taken)));
    }
}

#[test]
fn other_objects_are_passed_over() {
    let database: DatabaseName = "acp_audit".parse().unwrap();
    for key in [
        "backups/nightly/acp_audit_20260517T083111Z.dump",
        "backups/nightly/acp_audit_20261317T083111Z.dump.age",
        "backups/nightly/acp_audit_2026517T083111Z.dump.age",
        "backups/nightly/acp_audit_20260517T083111Z.dump.age.part",
        "acp_audit_20260517T083111Z.dump.age",
    ] {
        assert_eq!(pattern().taken_at(&database, key), None, "{key}");
    }
}

#[test]
fn a_key_of_another_offset_is_the_moment_that_it_names() {
    let database: DatabaseName = "shop".parse().unwrap();
    let pattern = KeyPattern::new("", "{database}_{timestamp}.age", "%Y%m%dT%H%M%S%z");
    let taken = |key: &str| pattern.taken_at(&database, key).map(|time| time.to_rfc3339());
    assert_eq!(taken("shop_20260329T005959+0000.age").unwrap(), "2026-03-29T00:59:59+00:00");
    assert_eq!(taken("shop_20260329T030000+0200.age").unwrap(), "2026-03-29T01:00:00+00:00");
    assert_eq!(taken("shop_20260328T193000-0530.age").unwrap(), "2026-03-29T01:00:00+00:00");
    assert!(!pattern.is_sorted(&database), "as text, keys of other offsets stand in another order");
    let key = pattern.key(&database, DateTime::from_timestamp(1_779_006_671, 0).unwrap());
    assert_eq!(key.as_str(), "shop_20260517T083111+0000.age");
}

#[test]
fn a_key_that_is_right_in_all_but_its_time_is_known_and_no_other() {
    let database: DatabaseName = "acp_identity".parse().unwrap();
    let unreadable = |key: &str| {
        let key = format!("backups/nightly/acp_identity_{key}");
        pattern().has_unreadable_time(&database, &key)
    };
    for key in [
        "20260517T083111+0200.dump.age",
        "2026-05-17.dump.age",
        "20260230T000000Z.dump.age",
        "260517.dump.age",
    ] {
        assert!(unreadable(key), "{key}");
    }
    for key in [
        "20260517T083111Z.dump.age",
        "graph_20260517T083111Z.dump.age",
        "2025_20260517T083111Z.dump.age",
        "latest.dump.age",
        "20260517T083111+0200.dump",
    ] {
        assert!(!unreadable(key), "{key}");
    }
    let time_first = KeyPattern::new("", "{timestamp}-{database}.age", "%Y%m%d");
    let shop: DatabaseName = "shop".parse().unwrap();
    assert!(time_first.has_unreadable_time(&shop, "2026-05-17-shop.age"));
    assert!(!time_first.has_unreadable_time(&shop, "20260517-old-shop.age"), "it is of old-shop");
}

#[test]
fn a_manifest_lies_beside_the_dumps_and_is_not_taken_for_one() {
    let taken = DateTime::from_timestamp(1_779_006_671, 0).unwrap();
    let key = pattern().manifest_key(taken);
    assert_eq!(key.as_str(), "backups/nightly/manifest_20260517T083111Z.json.age");
    for name in ["manifest", "manifest_", "acp_audit"] {
        let database: DatabaseName = name.parse().unwrap();
        assert_eq!(pattern().taken_at(&database, key.as_str()), None, "{name}");
        assert!(!pattern().confuses_manifests_with(&database), "{name}");
    }
    let alike = KeyPattern::new("", "{database}_{timestamp}.json.age", "%Y%m%dT%H%M%SZ");
    let manifest: DatabaseName = "manifest".parse().unwrap();
    assert!(alike.confuses_manifests_with(&manifest));
    assert!(!alike.confuses_manifests_with(&"shop".parse().unwrap()));
    assert_eq!(alike.taken_at(&manifest, alike.manifest_key(taken).as_str()), None);
    assert_eq!(alike.read(alike.manifest_key(taken).as_str()), None, "nor for one that nobody has named");
}

#[test]
fn globals_lie_beside_the_dumps_and_are_not_taken_for_one() {
    let taken = DateTime::from_timestamp(1_779_006_671, 0).unwrap();
    let (server, legacy) = (ServerName::default(), "legacy".parse::<ServerName>().unwrap());
    let key = pattern().globals_key(&server, taken);
    assert_eq!(key.as_str(), "backups/nightly/globals_20260517T083111Z.sql.age");
    assert!(key.as_str().starts_with(&pattern().globals_prefix(&server)));
    assert_eq!(pattern().globals_taken_at(&server, key.as_str()), Some(taken));
    assert_eq!(pattern().globals_taken_at(&server, pattern().manifest_key(taken).as_str()), None);
    let other = pattern().globals_key(&legacy, taken);
    assert_eq!(other.as_str(), "backups/nightly/globals_legacy_20260517T083111Z.sql.age");
    let read = |server, key: &ObjectKey| pattern().globals_taken_at(server, key.as_str());
    assert_eq!(
        (read(&legacy, &other), read(&server, &other), read(&legacy, &key)),
        (Some(taken), None, None)
    );
    assert!(pattern().globals_boundary(&legacy, taken).as_str() < other.as_str());
    let globals: DatabaseName = "globals".parse().unwrap();
    assert!(!pattern().confuses_globals_with(&server, &globals));
    let alike = KeyPattern::new("", "{database}_{timestamp}.sql.age", "%Y%m%dT%H%M%SZ");
    assert!(alike.confuses_globals_with(&server, &globals));
    assert!(!alike.confuses_globals_with(&server, &"shop".parse().unwrap()));
    assert!(alike.confuses_globals_with(&legacy, &"globals_legacy".parse().unwrap()));
    let alike = alike.with_globals(legacy.clone(), "globals_legacy_{timestamp}.sql.age");
    for server in [&server, &legacy] {
        let key = alike.globals_key(server, taken);
        assert_eq!(alike.taken_at(&globals, key.as_str()), None);
        assert_eq!(alike.read(key.as_str()), None, "nor for one that nobody has named");
    }
    let own = pattern().with_globals(server.clone(), "roles/{timestamp}.age");
    assert_eq!(own.globals_key(&server, taken).as_str(), "backups/nightly/roles/20260517T083111Z.age");
    let own = own.with_globals(server.clone(), "manifest_{timestamp}.json.age");
    assert!(own.confuses_globals_with(&server, &globals));
}

#[test]
fn what_lay_beside_a_dump_lies_beside_it_in_a_copy_of_the_store() {
    let (shop, taken) = ("shop".parse().unwrap(), DateTime::from_timestamp(1_779_006_671, 0).unwrap());
    let beside = |dump: &str, object: &str| {
        let (dump, object) = (ObjectKey::new(dump), ObjectKey::new(object));
        pattern().beside(&shop, taken, &dump, &object).as_str().to_owned()
    };
    let dump = pattern().key(&shop, taken);
    assert_eq!(beside(dump.as_str(), "backups/nightly/roles.age"), "backups/nightly/roles.age");
    let was = dump.as_str().replace("backups/nightly/", "old/");
    assert_eq!(beside(&was, "old/roles.age"), "backups/nightly/roles.age");
    assert_eq!(
        beside("old/another.name", "old/roles.age"),
        "old/roles.age",
        "it is not known where they lay"
    );
}

#[test]
fn a_store_without_prefix_has_keys_without_slash() {
    let pattern = KeyPattern::new("", "{database}/{timestamp}.age", "%Y-%m-%d");
    let database: DatabaseName = "a".parse().unwrap();
    assert_eq!(pattern.listing_prefix(&database), "a/");
    let day = DateTime::from_timestamp(1_778_976_000, 0).unwrap();
    assert_eq!(pattern.taken_at(&database, "a/2026-05-17.age"), Some(day), "a day is enough");
}

#[test]
fn alternatives_and_wildcards_are_read_and_alternatives_written() {
    let shop: DatabaseName = "shop".parse().unwrap();
    let taken = DateTime::from_timestamp(1_779_006_671, 0).unwrap();
    let either = KeyPattern::new("", "{database}_{timestamp}.dump.{age,gpg}", "%Y%m%dT%H%M%SZ");
    for layer in ["age", "gpg"] {
        let key = either.key_in_layer(&shop, taken, layer);
        assert_eq!(key.as_str(), format!("shop_20260517T083111Z.dump.{layer}"));
        assert_eq!(either.taken_at(&shop, key.as_str()), Some(taken));
        assert_eq!(either.read(key.as_str()), Some((shop.clone(), taken)));
    }
    assert!(either.is_sorted(&shop), "what follows the time does not change its order");
    assert_eq!(either.taken_at(&shop, "shop_20260517T083111Z.dump.zip"), None);

    let any = KeyPattern::new("", "{database}-*-{timestamp}.tar.*.age", "%Y%m%d-%H%M%S");
    let read = |key: &str| any.taken_at(&shop, key).map(|time| time.to_rfc3339());
    let expected = Some("2026-05-17T08:31:11+00:00".to_owned());
    assert_eq!(read("shop-host-a-1-20260517-083111.tar.zst.age"), expected);
    assert_eq!(read("shop--20260517-083111.tar.gz.age"), expected, "`*` may stand for nothing");
    assert_eq!(read("shop-host/20260517-083111.tar.gz.age"), None, "and not for another folder");
    assert!(!any.is_sorted(&shop));
    assert_eq!(any.listing_prefix(&shop), "shop-");
}

#[test]
fn the_pattern_of_a_template_is_as_good_as_its_keys_can_be_told_apart() {
    use crate::template::testing::minimal_with;
    use crate::template::{Environment, Purpose, parse};
    let parsed = |keys: &str| {
        let text =
            minimal_with("name = \"shop\"\n\n[[checks]]", &format!("name = \"shop\"\n{keys}\n\n[[checks]]"));
        parse(&text, "t.toml", &Environment::default(), Purpose::Drill).map_err(|failure| failure.message)
    };
    let own = "key = \"active/{hourly,daily}/{timestamp}.sql.gz\"\ntimestamp = \"%Y-%m-%d_%H-%M-%S\"";
    let pattern = parsed(own).unwrap().key_pattern().unwrap();
    let shop: DatabaseName = "shop".parse().unwrap();
    let time = pattern.taken_at(&shop, "active/daily/2026-05-17_00-00-00.sql.gz").unwrap();
    assert_eq!(time.to_rfc3339(), "2026-05-17T00:00:00+00:00");
    assert_eq!((pattern.is_sorted(&shop), pattern.is_used_by([&shop])), (false, false));

    let pattern = parsed("key = \"*.db\"").unwrap().key_pattern().unwrap();
    assert_eq!(pattern.time_of(&shop, "pre-migration.db", Some(time)), Some(time));
    assert_eq!(pattern.time_of(&shop, "pre-migration.db-wal", Some(time)), None);
    assert_eq!(pattern.time_of(&shop, "pre-migration.db", None), None, "a time is not made up");

    let openly = "[[databases]]\nname = \"shop_eu\"\n";
    let text = minimal_with("[[checks]]", &format!("{openly}[[checks]]"));
    let text = text.replacen("[encryption]", "key = \"{database}*{timestamp}.dump\"\n[encryption]", 1);
    let said = parse(&text, "t.toml", &Environment::default(), Purpose::Drill).unwrap_err().message;
    assert!(said.contains("the keys of shop_eu and shop cannot be told apart"), "{said}");

    let second = "\n[[databases]]\nname = \"other\"\nkey = \"*_{timestamp}.dump.age\"";
    for (keys, words) in [
        ("key = \"{base}.db\"", "database shop: key `{base}.db` has {base}, and only"),
        ("key = \"x{timestamp\"", "has a `{` without its `}`"),
        ("key = \"x}\"", "has a `}` without its `{`"),
        ("key = \"{timestamp}.sql*\"", "must not end in `*`"),
        ("key = \"{timestamp}{timestamp}\"", "once at most"),
        ("key = \"*.db\"\ntimestamp = \"%F\"", "holds no {timestamp}, so leave `timestamp` out"),
        (
            "key = \"{timestamp}\"\ntimestamp = \"%H\"",
            "database shop: timestamp `%H` must be a strftime format",
        ),
        (second, "the keys of shop and other cannot be told apart: shop_19700101T000000Z.dump.age"),
        (
            "key = \"*.db\"\n[backup]\nrecipients = []\nhost = \"h\"",
            "database shop: key `*.db` leaves open how a key is written",
        ),
    ] {
        let said = parsed(keys).expect_err(words);
        assert!(said.contains(words), "{words}: {said}");
    }
}

#[test]
fn what_lies_beside_dumps_may_be_sealed_with_gpg() {
    let pattern = KeyPattern::new("nightly", "{database}_{timestamp}.dump.{age,gpg}", "%Y%m%dT%H%M%SZ")
        .with_globals(ServerName::default(), "globals_{timestamp}.sql.{age,gpg}");
    let (database, time): (DatabaseName, _) = ("shop".parse().unwrap(), DateTime::UNIX_EPOCH);
    assert_eq!(
        pattern.manifest_key_in_layer(time, "gpg").as_str(),
        "nightly/manifest_19700101T000000Z.json.gpg"
    );
    let globals = pattern.globals_key_in_layer(&ServerName::default(), time, "gpg");
    assert_eq!(globals.as_str(), "nightly/globals_19700101T000000Z.sql.gpg");
    assert!(pattern.is_key_of_globals(&ServerName::default(), time, &globals));
    // Found also where the store was copied to another prefix.
    let dump = pattern.key_in_layer(&database, time, "gpg");
    let was = |key: &ObjectKey| ObjectKey::new(key.as_str().replace("nightly/", "old/"));
    assert_eq!(pattern.beside(&database, time, &was(&dump), &was(&globals)), globals);
    // A manifest is no dump of a database of that name.
    let any = KeyPattern::new("", "{database}_{timestamp}.json.{age,gpg}", "%Y%m%dT%H%M%SZ");
    let manifest: DatabaseName = "manifest".parse().unwrap();
    assert!(any.confuses_manifests_with(&manifest) && !pattern.confuses_manifests_with(&manifest));
    assert_eq!(any.taken_at(&manifest, any.manifest_key_in_layer(time, "gpg").as_str()), None);
}
