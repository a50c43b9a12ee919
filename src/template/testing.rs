//! Templates, for tests.

use super::{Environment, Purpose, Template, parse};

/// The least that a template has.
pub const MINIMAL: &str = r#"schema_version = 1
name = "shop"
project_prefix = "shop_drill"

[store]
url = "s3://backups"

[encryption]
identities = ["key.txt"]

[postgres]
image = "postgres:17"

[[databases]]
name = "shop"

[[checks]]
type = "required-tables"
name = "tables"
tables = { shop = ["t"] }
"#;

/// The minimal template with something replaced, once.
pub fn minimal_with(from: &str, to: &str) -> String {
    let text = MINIMAL.replacen(from, to, 1);
    assert_ne!(text, MINIMAL, "{from} is in the template");
    text
}

/// A template of the databases `a` and `b`, without budgets.
pub fn template() -> Template {
    let text = r#"
        schema_version = 1
        name = "shop"
        project_prefix = "shop_drill"
        store = { url = "s3://backups" }
        encryption = { identities = ["key.txt"] }
        postgres = { image = "postgres:17" }
        databases = [{ name = "a" }, { name = "b", after = ["a"] }]
        checks = [{ type = "required-tables", name = "tables", tables = { a = ["t"] } }]
    "#;
    parse(text, "shop.toml", &Environment::default(), Purpose::Drill).unwrap()
}
