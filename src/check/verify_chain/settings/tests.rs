use super::*;

fn check(more: &str) -> Result<Chain, String> {
    let text = format!("name = \"c\"\ndatabase = \"d\"\ntable = \"t\"\n{more}");
    toml::from_str::<VerifyChain>(&text).map_err(|error| error.message().to_owned())?.chain()
}

fn general(more: &str) -> Result<Chain, String> {
    check(&format!(
        "scheme = \"hash-chain\"\norder_by = [\"n\"]\nhash_column = \"h\"\nlink_column = \"p\"\n{more}"
    ))
}

#[test]
fn the_named_scheme_has_its_own_columns_and_its_partition_and_order_can_be_others() {
    let chain = check("scheme = \"aegis-audit\"").unwrap();
    assert_eq!(chain.partition_by, ["tenant_id", "chain_shard"]);
    assert_eq!((chain.order_by, chain.genesis), (None, Some(GENESIS.as_bytes().to_vec())));
    let chain = check("scheme = \"aegis-audit\"\npartition_by = [\"org_id\"]\norder_by = [\"n\"]").unwrap();
    assert_eq!((chain.partition_by, chain.order_by), (vec!["org_id".to_owned()], Some(vec!["n".to_owned()])));
    let refused = check("scheme = \"aegis-audit\"\nhash = \"sha512\"").unwrap_err();
    assert_eq!(refused, "hash belongs to the scheme hash-chain; aegis-audit knows its own");
}

#[test]
fn a_general_scheme_has_defaults() {
    let chain = general("columns = [\"a\", \"b\"]").unwrap();
    assert_eq!((&chain.id, &chain.partition_by, &chain.genesis), (&vec!["n".to_owned()], &Vec::new(), &None));
    let Scheme::HashChain(scheme) = chain.scheme else { panic!("another scheme") };
    assert_eq!((scheme.hash, scheme.encoding), (HashFunction::Sha256, Encoding::Hex));
    assert!(scheme.link_in_preimage);
    let columns = vec!["a".to_owned(), "b".to_owned()];
    assert_eq!(scheme.content, Content::One(Preimage::Columns(columns, Join::Json)));
}

#[test]
fn a_genesis_of_raw_bytes_is_written_as_digits() {
    let raw = |genesis: &str| {
        general(&format!("columns = [\"a\"]\nencoding = \"bytea\"\ngenesis = '{genesis}'"))
            .map(|chain| chain.genesis)
    };
    assert_eq!(raw("00ff"), Ok(Some(vec![0, 0xff])));
    assert_eq!(raw(r"\x00ff"), Ok(Some(vec![0, 0xff])));
    assert!(raw("zero").unwrap_err().contains("hexadecimal"));
    assert_eq!(general("columns = [\"a\"]\ngenesis = \"\"").unwrap().genesis, Some(Vec::new()));
}

#[test]
fn versions_choose_what_is_hashed() {
    let chain = general(
        "version_column = \"v\"\nversions = { 1 = { columns = [\"a\"] }, null = { preimage = \"a || b\" } }",
    );
    let Scheme::HashChain(HashChain { content: Content::Versions { column, preimages }, .. }) =
        chain.unwrap().scheme
    else {
        panic!("another scheme")
    };
    assert_eq!((column.as_str(), preimages.len()), ("v", 2));
    assert_eq!(preimages["null"], Preimage::Sql("a || b".to_owned()));
}

#[test]
fn contradictions_are_named() {
    for (keys, words) in [
        ("", "give columns, or preimage"),
        ("columns = []", "at least one column"),
        ("columns = [\"\"]", "each must have a name"),
        ("columns = [\"a\"]\npreimage = \"a\"", "exclude each other"),
        ("preimage = \" \"", "preimage is empty"),
        ("preimage = \"a\"\njoin = \"json\"", "belong to columns"),
        ("columns = [\"a\"]\njoin = \"separator\"", "needs separator"),
        ("columns = [\"a\"]\nseparator = \"|\"", "needs join"),
        ("columns = [\"a\"]\nversions = { 1 = { columns = [\"a\"] } }", "needs version_column"),
        ("version_column = \"v\"", "needs versions"),
        ("version_column = \"v\"\ncolumns = [\"a\"]", "belong into versions"),
        ("version_column = \"v\"\nversions = { 1 = {} }", "versions.1: give columns"),
        ("columns = [\"a\"]\npartition_by = [\"\"]", "without a name"),
        ("columns = [\"a\"]\nhash = \"md5\"", "md5"),
        ("columns = [\"a\"]\ncolour = 1", "colour"),
    ] {
        let refused = general(keys).unwrap_err();
        assert!(refused.contains(words), "{keys}: {refused}");
    }
    let refused = check("scheme = \"aegis-audit\"\ncontiguous = true").unwrap_err();
    assert!(refused.contains("count each chain by itself"), "{refused}");
    assert!(check("scheme = \"aegis-audit\"\ncontiguous = true\norder_by = [\"n\"]").is_ok());
    let scheme = "scheme = \"hash-chain\"\ncolumns = [\"a\"]\n";
    for (keys, words) in [
        ("", "needs order_by"),
        ("order_by = [\"n\"]", "needs hash_column"),
        ("order_by = [\"n\"]\nhash_column = \"h\"", "needs link_column"),
        (
            "order_by = [\"n\", \"m\"]\nhash_column = \"h\"\nlink_column = \"p\"\ncontiguous = true",
            "just one column",
        ),
    ] {
        let refused = check(&format!("{scheme}{keys}")).unwrap_err();
        assert!(refused.contains(words), "{keys}: {refused}");
    }
}
