//! Stacks and parts of stacks, made as a drill makes them and loosened, and examined with the proof's own means.

use std::collections::BTreeSet;
use std::time::Duration;

use restore_drill::clock::Clock;
use restore_drill::model::names::{DrillId, ProjectName};
use restore_drill::model::verdict::{Assertion, Probe};
use restore_drill::sandbox::docker::{Engine, ObservedContainer};
use restore_drill::sandbox::isolation;
use restore_drill::sandbox::labels::Ownership;
use restore_drill::sandbox::owner::Owner;
use restore_drill::sandbox::probe::{self, Attempt, Canary, PlannedProbe};
use restore_drill::sandbox::spec::{self, Attachment, ContainerSpec, NetworkSpec};
use restore_drill::template;

use super::super::fixtures::LIFETIME;
use super::super::world::{RUNTIME, docker, image, labelled};

/// A stack of a test's own. Everything in it carries its label, and goes with this value, also when a test fails.
pub struct Lab {
    /// The engine.
    pub engine: Engine,
    /// Whose it is.
    pub ownership: Ownership,
    /// The image of all its containers.
    pub postgres: String,
}

impl Lab {
    pub fn new(name: &str) -> Self {
        let postgres = image("DRILL_POSTGRES_17_IMAGE");
        let now = Clock::system().now();
        // The process keeps suites apart that run at the same time.
        let name = format!("{name}-{}", std::process::id());
        let ownership = Ownership {
            drill_id: DrillId::random(),
            project: ProjectName::new(&name.parse().unwrap(), now),
            template: name,
            purpose: "demo",
            owner: Owner::this_process(),
            lease_expires: now + chrono::TimeDelta::hours(1),
            kept: false,
        };
        Self { engine: RUNTIME.block_on(Engine::connect()).unwrap(), ownership, postgres }
    }

    /// A bridge as a drill makes one, loosened.
    pub fn network(&self, loosen: impl FnOnce(&mut NetworkSpec)) -> NetworkSpec {
        let mut network = spec::bridge(&self.ownership, self.engine.facts());
        loosen(&mut network);
        RUNTIME.block_on(self.engine.create_network(&network)).unwrap();
        network
    }

    /// A service of a template.
    pub fn service(&self) -> template::Service {
        let text = format!("image = \"{}\"\nuser = \"postgres\"\nmemory = \"64MiB\"", self.postgres);
        toml::from_str(&text).unwrap()
    }

    /// A container as a drill makes its services, that does nothing; started.
    pub fn idle(&self, service: &str, attachment: Attachment) -> (ContainerSpec, String) {
        let mut spec = spec::service(&self.ownership, attachment, service, &self.service(), &[]);
        spec.entrypoint = Some(["sleep", LIFETIME].map(str::to_owned).into());
        let id = RUNTIME.block_on(self.engine.create_container(&spec)).unwrap();
        RUNTIME.block_on(self.engine.start_container(&id)).unwrap();
        (spec, id)
    }

    pub fn observed(&self, container: &str) -> ObservedContainer {
        RUNTIME.block_on(self.engine.observe_container(container)).unwrap()
    }

    /// The assertions about a network, and about containers that are to be on it, that do not hold.
    pub fn broken(&self, network: &NetworkSpec, containers: &[&str]) -> Vec<Assertion> {
        let observed = RUNTIME.block_on(self.engine.observe_network(&network.name)).unwrap();
        let containers: Vec<_> = containers.iter().map(|id| self.observed(id)).collect();
        let names: Vec<&str> = containers.iter().map(|container| container.name.as_str()).collect();
        let mut all = isolation::of_network(network, &observed, &names);
        let attachment = on(network);
        let of = |one| isolation::of_container(&attachment, self.engine.facts(), one);
        all.extend(containers.iter().flat_map(of));
        all.into_iter().filter(|assertion| !assertion.ok).collect()
    }

    /// What others share with these containers.
    pub fn strangers(&self, containers: &[&str]) -> Vec<String> {
        let ours: Vec<_> = containers.iter().map(|id| self.observed(id)).collect();
        RUNTIME.block_on(self.engine.strangers(&ours)).unwrap()
    }

    pub fn gateways(&self, network: &NetworkSpec) -> Vec<String> {
        RUNTIME.block_on(self.engine.observe_network(&network.name)).unwrap().gateways
    }

    /// Makes probes from a container, of a canary of their own.
    pub fn probe(&self, container: &str, plan: impl Fn(&Canary) -> Vec<PlannedProbe>) -> Vec<Probe> {
        let probed = RUNTIME.block_on(async {
            let canary = Canary::open().await.unwrap();
            probe::run(&self.engine, container, "prober", &plan(&canary), &canary, Duration::ZERO).await
        });
        probed.unwrap().probes
    }

    /// On which of these addresses a container reaches the canary. A busy machine may need more than one attempt.
    pub fn reaches_canary(&self, container: &str, addresses: &[String]) -> BTreeSet<String> {
        let mut reached = BTreeSet::new();
        for _ in 0..5 {
            let left: Vec<&String> = addresses.iter().filter(|address| !reached.contains(*address)).collect();
            let probes = self.probe(container, |canary| {
                let port = canary.port().unwrap();
                left.iter().map(|address| connect(address.as_str(), port, "canary")).collect()
            });
            let connected =
                left.iter().zip(probes).filter(|(_, probe)| probe.observed == "connected" && !probe.ok);
            reached.extend(connected.map(|(address, _)| (*address).clone()));
            if reached.len() == addresses.len() {
                break;
            }
        }
        reached
    }

    /// To which of these addresses a container's datagrams are heard, in whatever way they are sent.
    pub fn heard(&self, container: &str, addresses: &[&str]) -> BTreeSet<String> {
        let probes = self.probe(container, |canary| {
            let send = |address: &&str| PlannedProbe {
                attempt: Attempt::Datagram((*address).to_owned(), canary.datagram_port().unwrap()),
                reason: "canary".to_owned(),
            };
            addresses.iter().map(send).collect()
        });
        let heard = addresses.iter().zip(probes).filter(|(_, probe)| probe.observed == "heard" && !probe.ok);
        heard.map(|(address, _)| (*address).to_owned()).collect()
    }

    /// `docker create` with everything a drill's container has, except what is left out, and with something added.
    pub fn created(&self, network: &NetworkSpec, leave_out: &str, add: &[&str]) -> String {
        let label = format!("--label=io.restore-drill.drill-id={}", self.ownership.drill_id);
        let template = format!("--label=io.restore-drill.template={}", self.ownership.template);
        let on = format!("--network={}", network.name);
        // The client reads a profile from a file.
        let profile =
            concat!("--security-opt=seccomp=", env!("CARGO_MANIFEST_DIR"), "/src/sandbox/seccomp.json");
        let strict = [
            "--cap-drop=ALL",
            "--security-opt=no-new-privileges",
            profile,
            "--dns=127.0.0.1",
            "--pids-limit=100",
            "--memory=64m",
            "--volume=/data",
            &on,
        ];
        let arguments: Vec<&str> = ["create", "--pull=never", &label, &template]
            .into_iter()
            .chain(strict.into_iter().filter(|option| leave_out.is_empty() || !option.starts_with(leave_out)))
            .chain(add.iter().copied())
            .chain([self.postgres.as_str()])
            .collect();
        docker(&arguments)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let label = format!("io.restore-drill.template={}", self.ownership.template);
        for one in labelled(&label) {
            let (kind, id) = one.split_once(' ').expect("written so");
            let remove: &[&str] = match kind {
                "container" => &["rm", "-f", "-v"],
                "network" => &["network", "rm"],
                _ => &["volume", "rm", "-f"],
            };
            let _ = std::process::Command::new("docker").args(remove).arg(id).output();
        }
    }
}

pub fn on(network: &NetworkSpec) -> Attachment {
    Attachment::Network(network.name.clone())
}

pub fn connect(host: impl Into<String>, port: u16, reason: &str) -> PlannedProbe {
    PlannedProbe { attempt: Attempt::Connect(host.into(), port), reason: reason.to_owned() }
}

pub fn properties(broken: &[Assertion]) -> Vec<String> {
    let properties: BTreeSet<_> = broken.iter().map(|assertion| assertion.property.to_string()).collect();
    properties.into_iter().collect()
}
