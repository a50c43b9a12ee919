//! A template, for tests.

use super::{Environment, Purpose, Template, parse};

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
