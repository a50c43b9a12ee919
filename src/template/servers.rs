//! The PostgreSQL servers of a template, and which database is restored to which.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;

use super::schema::{Database, Postgres, Template};
use super::{key, sqlite};
use crate::model::dataset::DatasetKind;
use crate::model::names::{DatabaseName, ServerName};

/// The port of the server of `[postgres]`. Those of the others follow.
pub const DEFAULT_PORT: u16 = 5432;

/// A server of a template: its name, and the section that describes it.
#[derive(Debug, Clone)]
pub struct TemplateServer<'a> {
    /// Its name.
    pub name: ServerName,
    /// What the template says of it.
    pub settings: &'a Postgres,
}

impl TemplateServer<'_> {
    /// The port it listens on, in the whole stack.
    pub fn port(&self) -> u16 {
        self.settings.port.unwrap_or(DEFAULT_PORT)
    }
}

impl Deref for TemplateServer<'_> {
    type Target = Postgres;

    fn deref(&self) -> &Postgres {
        self.settings
    }
}

impl Database {
    /// The kind of dataset that it is.
    pub fn kind(&self) -> DatasetKind {
        DatasetKind::Database(self.system)
    }

    /// The name of the server that it is restored to, if it is restored to one.
    pub fn server_name(&self) -> Option<ServerName> {
        self.kind().needs_postgres().then(|| self.server.clone().unwrap_or_default())
    }
}

impl Template {
    /// Its servers: that of `[postgres]` first, and the others by name.
    pub fn servers(&self) -> impl Iterator<Item = TemplateServer<'_>> {
        let default = self.postgres.iter().map(|settings| (ServerName::default(), settings));
        let named = self.named_servers.iter().map(|(name, settings)| (name.clone(), settings));
        default.chain(named).map(|(name, settings)| TemplateServer { name, settings })
    }

    /// The first of its servers; none, if none of its databases needs one.
    pub fn first_server(&self) -> Option<TemplateServer<'_>> {
        self.servers().next()
    }

    /// The server that a database is restored to, if it is restored to one.
    pub fn server_of(&self, database: &DatabaseName) -> Option<TemplateServer<'_>> {
        let name = self.database(database)?.server_name()?;
        self.servers().find(|server| server.name == name)
    }

    /// The name of the server that a database is restored to, if it is restored to one.
    pub fn server_name_of(&self, database: &DatabaseName) -> Option<ServerName> {
        self.server_of(database).map(|server| server.name)
    }

    /// The databases that are restored to a server.
    pub fn databases_on<'a>(&'a self, server: &'a ServerName) -> impl Iterator<Item = &'a DatabaseName> {
        let on_it = |database: &&Database| database.server_name().as_ref() == Some(server);
        self.databases.iter().filter(on_it).map(|database| &database.name)
    }

    /// The databases of the file, with those that the command line left out.
    pub fn whole_file(&self) -> impl Iterator<Item = &Database> {
        self.databases.iter().chain(&self.left_out)
    }

    /// Whether another database of the file has this name, and is restored to the same server. Other servers have names of
    /// their own: what is called so there says nothing about this one.
    pub fn has_sibling(&self, database: &DatabaseName, name: &str) -> bool {
        let own = self.whole_file().find(|own| own.name == *database);
        self.whole_file().any(|other| {
            other.name != *database
                && other.name.as_str() == name
                && own.is_some_and(|own| {
                    own.server_name().is_some() && own.server_name() == other.server_name()
                })
        })
    }

    /// Whether something is said of one of several servers, so that it must name it.
    pub fn has_several_servers(&self) -> bool {
        self.servers().nth(1).is_some()
    }

    /// The server whose source `[backup]` dumps: that of `[postgres]`, or the only one. None, if the file has several and no
    /// `[postgres]`.
    pub fn source_server(&self) -> Option<ServerName> {
        let all: BTreeSet<ServerName> = self.whole_file().filter_map(Database::server_name).collect();
        let is_it = |server: &ServerName| server.is_default() || all.len() == 1;
        all.iter().find(|server| is_it(server)).cloned()
    }

    /// Whether all its databases are on the server of `[postgres]`.
    pub fn has_only_the_default_server(&self) -> bool {
        self.named_servers.is_empty()
    }

    /// Gives every server without one a port: in the file's own order, so that a narrowed template keeps them.
    pub(super) fn assign_ports(&mut self) {
        for (server, port) in self.named_servers.values_mut().zip(DEFAULT_PORT + 1..) {
            server.port.get_or_insert(port);
        }
    }

    /// Gives every server the pattern of the keys of its globals. A narrowed template keeps them.
    pub(super) fn assign_globals(&mut self) {
        let source = self.source_server();
        let patterns = self.servers().map(|server| {
            let own = server.settings.globals.clone();
            let by_default = || match source.as_ref() == Some(&server.name) {
                true => self.store.globals.clone(),
                false => key::default_globals_pattern(&server.name),
            };
            (server.name.clone(), own.unwrap_or_else(by_default))
        });
        self.globals_patterns = patterns.collect();
    }

    /// Leaves out the servers that no database is restored to any more. Services may look for any of them, so that a template
    /// with services keeps all.
    pub(super) fn leave_unused_servers_out(&mut self) {
        if !self.services.is_empty() {
            return;
        }
        let used: BTreeSet<ServerName> = self.databases.iter().filter_map(Database::server_name).collect();
        self.named_servers.retain(|name, _| used.contains(name));
        self.postgres = self.postgres.take().filter(|_| used.contains(&ServerName::default()));
    }
}

/// Checks the servers; an error is a sentence for a person.
pub(super) fn validate(template: &Template) -> Result<(), String> {
    for name in template.named_servers.keys() {
        if name.is_default() || name.as_str() == "localhost" {
            return Err(format!(
                "servers.{name}: the name is taken; [postgres] describes the server `postgres`"
            ));
        }
        if template.services.contains_key(name.as_str()) {
            return Err(format!("{name} is the name of a server and of a service: give each its own"));
        }
    }
    for database in template.databases.iter().filter(|database| database.kind().needs_postgres()) {
        require_server(template, database)?;
    }
    sqlite::validate(template)?;
    let mut ports = BTreeMap::new();
    for server in template.servers() {
        let section = server.name.section();
        if (!template.has_only_the_default_server() || template.workbench().is_some())
            && template.databases_on(&server.name).next().is_none()
        {
            return Err(format!("no database is restored to the server of [{section}]: leave it out"));
        }
        if server.settings.settings.contains_key("port") {
            return Err(format!("{section}.settings must not set the port: {section}.port does"));
        }
        if server.port() == 0 {
            return Err(format!("{section}.port must be 1 to 65535"));
        }
        if let Some(other) = ports.insert(server.port(), section.clone()) {
            let port = server.port();
            return Err(format!("{other} and {section} have the port {port} both: give each its own"));
        }
    }
    Ok(())
}

fn require_server(template: &Template, database: &Database) -> Result<(), String> {
    if template.server_of(&database.name).is_some() {
        return Ok(());
    }
    if let Some(name) = &database.server {
        return Err(format!(
            "database {} names the server {name}, which is not among [servers]",
            database.name
        ));
    }
    Err("missing field `postgres`: databases are restored to the server that [postgres] names, unless they name \
         another with `server`"
        .to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::testing::{MINIMAL, minimal_with};
    use crate::template::{Environment, Purpose, parse};

    const TWO: &str = "[servers.legacy]\nimage = \"postgres:15\"\n[servers.cold]\nimage = \"postgres:16\"\n\
        [[databases]]\nname = \"old\"\nserver = \"legacy\"\n[[databases]]\nname = \"older\"\nserver = \"cold\"\n\n[[checks]]";

    fn parsed(text: &str) -> Result<Template, String> {
        let template = parse(text, "t.toml", &Environment::default(), Purpose::Drill);
        template.map_err(|failure| failure.message)
    }

    fn two() -> String {
        minimal_with("[[checks]]", TWO)
    }

    #[test]
    fn every_database_has_its_server_and_every_server_its_port() {
        let template = parsed(&two()).unwrap();
        let servers: Vec<_> =
            template.servers().map(|server| (server.name.to_string(), server.port())).collect();
        let expected = [("postgres", 5432), ("cold", 5433), ("legacy", 5434)];
        assert_eq!(servers, expected.map(|(name, port)| (name.to_owned(), port)));
        let image = |name: &str| template.server_of(&name.parse().unwrap()).unwrap().image.clone();
        assert_eq!((image("shop"), image("old")), ("postgres:17".to_owned(), "postgres:15".to_owned()));
    }

    #[test]
    fn a_narrowed_template_has_the_servers_of_its_databases_on_their_ports() {
        let template = parsed(&two()).unwrap().narrow(&["old".parse().unwrap()]).unwrap();
        let servers: Vec<_> =
            template.servers().map(|server| (server.name.to_string(), server.port())).collect();
        assert_eq!(servers, [("legacy".to_owned(), 5434)]);
        let services = two().replacen("[[checks]]", "[services.api]\nimage = \"api\"\n[[checks]]", 1);
        let template = parsed(&services).unwrap().narrow(&["old".parse().unwrap()]).unwrap();
        assert_eq!(template.servers().count(), 3, "the service may look for any of them");
    }

    #[test]
    fn the_default_server_is_not_needed_where_every_database_names_another() {
        let text = MINIMAL.replacen("[postgres]", "[servers.only]", 1);
        let all = text.replacen(
            "name = \"shop\"\n\n[[checks]]",
            "name = \"shop\"\nserver = \"only\"\n\n[[checks]]",
            1,
        );
        assert_eq!(parsed(&all).unwrap().first_server().unwrap().port(), 5433);
        let said = parsed(&text).unwrap_err();
        assert!(said.contains("missing field `postgres`"), "{said}");
    }

    #[test]
    fn only_databases_of_one_server_are_siblings_and_narrowing_changes_nothing() {
        let third = "[[databases]]\nname = \"oldest\"\nserver = \"legacy\"\n\n[[checks]]";
        let template = parsed(&two().replacen("[[checks]]", third, 1)).unwrap();
        let narrowed = template.clone().narrow(&["oldest".parse().unwrap()]).unwrap();
        for template in [template, narrowed] {
            let sibling = |name: &str| template.has_sibling(&"oldest".parse().unwrap(), name);
            assert!(sibling("old"), "it is on the same server");
            assert!(!sibling("shop") && !sibling("older") && !sibling("oldest") && !sibling("other"));
            assert_eq!(template.source_server(), Some(ServerName::default()));
        }
    }

    #[test]
    fn the_source_of_backups_does_not_depend_on_the_alphabet() {
        let named = |text: &str| {
            let text = text.replacen("[postgres]", "[servers.only]", 1);
            parsed(&text.replacen("name = \"shop\"\n\n", "name = \"shop\"\nserver = \"only\"\n\n", 1))
                .unwrap()
        };
        assert_eq!(named(MINIMAL).source_server(), Some("only".parse().unwrap()));
        let several = named(&two());
        assert_eq!(several.source_server(), None);
        let narrowed = several.narrow(&["shop".parse().unwrap()]).unwrap();
        assert_eq!((narrowed.servers().count(), narrowed.source_server()), (1, None));
    }

    #[test]
    fn every_server_has_globals_of_its_own() {
        let patterns = |template: &Template| -> Vec<String> {
            let keys = template.key_pattern().unwrap();
            let key = |name: &ServerName| keys.globals_key(name, chrono::DateTime::UNIX_EPOCH);
            template.globals_patterns.keys().map(|name| key(name).as_str().to_owned()).collect()
        };
        let expected = ["globals_cold_1970", "roles/1970", "globals_1970"];
        let own = two().replacen(
            "image = \"postgres:15\"",
            "image = \"postgres:15\"\nglobals = \"roles/{timestamp}.age\"",
            1,
        );
        let template = parsed(&own).unwrap();
        let narrowed = template.clone().narrow(&["shop".parse().unwrap()]).unwrap();
        for template in [&template, &narrowed] {
            let patterns = patterns(template);
            assert!(patterns.iter().zip(expected).all(|(key, begins)| key.contains(begins)), "{patterns:?}");
        }
        let only = MINIMAL.replacen("[postgres]", "[servers.only]", 1).replacen(
            "name = \"shop\"\n\n[[checks]]",
            "name = \"shop\"\nserver = \"only\"\n\n[[checks]]",
            1,
        );
        assert!(
            patterns(&parsed(&only).unwrap())[0].contains("globals_1970"),
            "store.globals is about the only one"
        );
    }

    #[test]
    fn what_is_wrong_with_servers_is_said() {
        for (from, to, words) in [
            (
                "server = \"legacy\"",
                "server = \"lgacy\"",
                "database old names the server lgacy, which is not among [servers]",
            ),
            ("server = \"legacy\"", "", "no database is restored to the server of [servers.legacy]"),
            ("servers.cold", "servers.Cold", "is not the name of a server"),
            ("servers.cold", "servers.postgres", "the name is taken"),
            (
                "image = \"postgres:15\"",
                "image = \"postgres:15\"\nport = 5432",
                "postgres and servers.legacy have the port 5432 both",
            ),
            (
                "image = \"postgres:15\"",
                "image = \"postgres:15\"\nport = 0",
                "servers.legacy.port must be 1 to 65535",
            ),
            (
                "image = \"postgres:15\"",
                "image = \"postgres:15\"\nsettings = { port = \"1\" }",
                "servers.legacy.settings must not set the port",
            ),
            (
                "image = \"postgres:15\"",
                "image = \"postgres:15\"\nglobals = \"roles.age\"",
                "servers.legacy.globals `roles.age` must hold {timestamp} once",
            ),
            (
                "[[checks]]",
                "[services.cold]\nimage = \"x\"\n[[checks]]",
                "cold is the name of a server and of a service",
            ),
        ] {
            let text = two();
            assert!(text.contains(from), "{from}");
            let said = parsed(&text.replacen(from, to, 1)).expect_err(words);
            assert!(said.contains(words), "{words}: {said}");
        }
    }
}
