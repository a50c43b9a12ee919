//! Refuses two services that listen on one port of one loopback. The second cannot have the port; if it runs without it, the
//! first answers in its place, and a check of one would be passed by the other. So the ports that images declare are compared
//! before anything starts.

use std::collections::BTreeMap;

use super::image::Images;
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::template::{Service, StackNetworkKind, Template};

/// Refuses a template in which two would listen on one port. `asked` are the ports that checks ask, with their services.
///
/// # Errors
/// `services_share_port`.
pub fn refuse<'a>(
    template: &'a Template,
    asked: impl IntoIterator<Item = (u16, &'a str)>,
    images: &Images,
) -> Result<()> {
    if template.isolation.network != StackNetworkKind::Loopback {
        return Ok(());
    }
    let servers: Vec<_> = template.servers().map(|server| (server.port(), server.name)).collect();
    let mut owners: BTreeMap<u16, &str> = servers.iter().map(|(port, name)| (*port, name.as_str())).collect();
    for (port, service) in asked {
        owners.insert(port, service);
    }
    let exposed = template.services.values().flat_map(|service| &images[&service.image].ports).copied();
    let taken: Vec<u16> = exposed.chain(servers.iter().map(|(port, _)| *port)).collect();
    for (name, service) in &template.services {
        if listens_elsewhere(service, &taken) {
            continue;
        }
        for port in &images[&service.image].ports {
            let owner = *owners.entry(*port).or_insert(name);
            if owner != name {
                return Err(shared(name, owner, *port));
            }
        }
    }
    Ok(())
}

/// Whether the template may make a service listen on another port than its image declares: by its own command, or by a number
/// in its environment that could be a port, and that is neither declared by an image nor a server's.
fn listens_elsewhere(service: &Service, taken: &[u16]) -> bool {
    let is_another = |text: &str| text.parse::<u16>().is_ok_and(|port| port >= 80 && !taken.contains(&port));
    let has_another = |value: &str| value.split(|c: char| !c.is_ascii_digit()).any(is_another);
    !service.command.is_empty() || service.environment.values().any(|value| has_another(value.expose()))
}

fn shared(name: &str, owner: &str, port: u16) -> Failure {
    Failure::config(
        codes::SERVICES_SHARE_PORT,
        format!(
            "the image of services.{name} listens on port {port}, which {owner} uses too. On one loopback only one of them can have \
             it, and one could answer for the other"
        ),
    )
    .hint("isolation.network = \"bridge\" gives each an address of its own; or give one another port, by its `command` or `environment`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::image::ImageFacts;
    use crate::template::{Purpose, parse};

    /// What is said of services `a` and `b`, whose images listen on these ports, with more in the template.
    fn refused(ports: [&[u16]; 2], of_b: &str, more: &str) -> Option<String> {
        refused_with(None, ports, of_b, more)
    }

    /// The same where a check asks this port of `a`.
    fn refused_with(asked: Option<u16>, ports: [&[u16]; 2], of_b: &str, more: &str) -> Option<String> {
        let text = format!(
            "schema_version = 1\nname = \"t\"\nproject_prefix = \"t\"\n[store]\nurl = \"s3://b\"\n[encryption]\n\
             identities = [\"k\"]\n[postgres]\nimage = \"p\"\n[services.a]\nimage = \"a\"\n[services.b]\nimage = \"b\"\n\
             {of_b}\n[[databases]]\nname = \"d\"\n[[checks]]\ntype = \"required-tables\"\nname = \"r\"\n\
             tables = {{ d = [\"t\"] }}\n{more}"
        );
        let template = parse(&text, "t.toml", &std::iter::empty().collect(), Purpose::Drill).unwrap();
        let image = |name: &str, ports: &[u16]| {
            let facts = ImageFacts { name: name.to_owned(), ports: ports.to_vec(), ..ImageFacts::default() };
            (name.to_owned(), facts)
        };
        let images = [image("a", ports[0]), image("b", ports[1])].into();
        refuse(&template, asked.map(|port| (port, "a")), &images).err().map(|failure| failure.message)
    }

    #[test]
    fn two_on_one_port_are_refused_unless_the_template_may_have_parted_them() {
        assert_eq!(refused([&[8080], &[8081]], "", ""), None);
        let said = refused([&[8080, 9090], &[9090]], "", "").expect("b has the port of a");
        assert!(said.contains("services.b listens on port 9090, which a uses too"), "{said}");
        assert!(refused([&[8080], &[5432]], "", "").is_some(), "as Postgres");
        let env = |value: &str| format!("environment = {{ X = \"{value}\" }}");
        assert_eq!(refused([&[8080], &[8080]], "command = [\"x\"]", ""), None);
        assert_eq!(refused([&[8080], &[8080]], &env("0.0.0.0:8099"), ""), None);
        assert!(refused([&[8080], &[8080]], &env("http://a:8080 postgres:5432"), "").is_some());
        let bridge = "[isolation]\nnetwork = \"bridge\"\n";
        assert_eq!(refused([&[8080], &[8080]], "", bridge), None);
    }

    #[test]
    fn a_port_that_is_asked_of_one_service_is_not_another_images() {
        assert_eq!(refused_with(Some(3000), [&[3000], &[8080]], "", ""), None);
        assert!(refused_with(Some(3000), [&[], &[3000]], "", "").is_some());
    }
}
