//! Attempts to get out of the stack, made from inside it.
//!
//! Probing is only worth something if a probe could succeed. So the drill listens on its own host while it probes, see
//! [`Canary`]: a stack that can reach its host is heard there. And one control probe, to the stack's own Postgres, must
//! connect, or the prober itself is broken.

mod answers;
mod canary;
mod place;

use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use super::docker::{Captured, Engine, ExecSpec};
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::names::ServerName;
use crate::model::verdict::Probe;
use crate::template::{self, DEFAULT_PORT};

pub use answers::shows_a_way_out;
pub use canary::{Canary, HeardDatagrams};
pub use place::{BOOT_ID, elsewhere};

/// Seconds a connection may take: addresses that drop packets are unreachable after that.
const CONNECT_SECONDS: &str = "3";
/// Seconds that one attempt of the control may take, and within which it is tried again: it must succeed on a busy machine
/// too. An attempt cut short would look like no answer where a look-up is slow.
const CONTROL_SECONDS: &str = "15";
/// Seconds a look-up may take.
const RESOLVE_SECONDS: &str = "10";
/// Output of the prober kept.
const OUTPUT_LIMIT: usize = 256 * 1024;
/// What runs inside the container.
const PROBER: &str = include_str!("prober.sh");

/// Where clouds keep credentials of the machine.
const METADATA: &str = "169.254.169.254";
/// The family of sockets that reach the host and its hypervisor from any network namespace.
const VSOCK: (&str, u16) = ("AF_VSOCK", 40);
/// Everybody on a network.
const BROADCAST: &str = "255.255.255.255";
/// Every host on a network: all of them listen to it.
const EVERY_HOST: &str = "224.0.0.1";
/// As [`EVERY_HOST`], over IPv6. The prober tries it on each interface.
const EVERY_HOST6: &str = "ff02::1";

/// What a probe tries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt {
    /// Looks up a name that must not resolve.
    Resolve(String),
    /// Connects to what must not answer.
    Connect(String, u16),
    /// Connects to what must answer: the control.
    Control(String, u16),
    /// Sends what the canary must not hear, in every way the image has tools for.
    Datagram(String, u16),
    /// Looks for interfaces that are up. There must be none but the loopback.
    Interfaces,
    /// Opens a socket of a family, by its name and number. The kernel must refuse.
    Family(&'static str, u16),
}

impl Attempt {
    /// Whether only the canary knows what became of it.
    fn sends(&self) -> bool {
        matches!(self, Self::Datagram(..))
    }

    /// The prober's word for it, and what it needs to know.
    fn arguments(&self) -> [String; 3] {
        let (word, first, second) = match self {
            Self::Resolve(name) => ("resolve", name.clone(), String::new()),
            Self::Connect(host, port) => ("connect", host.clone(), port.to_string()),
            Self::Control(host, port) => ("control", host.clone(), port.to_string()),
            Self::Datagram(host, port) => ("datagram", host.clone(), port.to_string()),
            Self::Interfaces => ("interfaces", String::new(), String::new()),
            Self::Family(_, number) => ("family", number.to_string(), String::new()),
        };
        [word.to_owned(), first, second]
    }
}

/// A probe to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedProbe {
    /// The attempt.
    pub attempt: Attempt,
    /// The reason for this probe.
    pub reason: String,
}

/// What there is to reach, besides what the template names.
#[derive(Debug, Clone)]
pub struct Targets {
    /// A server of the stack, which must be reached.
    pub server: (ServerName, u16),
    /// Whether the stack has nothing but a loopback.
    pub loopback_only: bool,
    /// The addresses that the stack's network reserves for the host.
    pub gateways: Vec<String>,
    /// The host's own addresses, if the canary is on it.
    pub host: Option<Vec<IpAddr>>,
    /// Where the canary takes connections, and datagrams over IPv4 and IPv6.
    pub ports: (u16, u16, Option<u16>),
}

/// Nothing but the server of `[postgres]`.
impl Default for Targets {
    fn default() -> Self {
        let server = (ServerName::default(), DEFAULT_PORT);
        Self { server, loopback_only: false, gateways: Vec::new(), host: None, ports: (0, 0, None) }
    }
}

impl Targets {
    /// With the canary's ports.
    ///
    /// # Errors
    /// If it has none.
    pub fn of(canary: &Canary) -> std::io::Result<Self> {
        let ports = (canary.port()?, canary.datagram_port()?, canary.datagram_port6());
        Ok(Self { ports, ..Self::default() })
    }
}

/// What was tried, and what could not be.
#[derive(Debug, Default)]
pub struct ProbeResults {
    /// Every probe with what was seen.
    pub probes: Vec<Probe>,
    /// What was not tried, and why.
    pub not_probed: Vec<String>,
    /// Why the silence of a stack that has an interface proves nothing.
    pub gap: Option<String>,
}

impl ProbeResults {
    /// No listener could have received what the stack sent.
    pub fn unheard(&mut self, why: &str, loopback_only: bool) {
        self.not_probed.push(format!("the host's addresses, and datagrams to it: {why}"));
        if !loopback_only {
            self.gap = Some(format!("{why}, so this host would hear nothing of it"));
        }
    }
}

/// Plans what to try.
pub fn plan(isolation: &template::Isolation, targets: &Targets) -> Vec<PlannedProbe> {
    let planned = |attempt, reason: &str| PlannedProbe { attempt, reason: reason.to_owned() };
    let (port, datagram_port, datagram_port6) = targets.ports;
    let (server, server_port) = &targets.server;
    let mut all = vec![
        planned(Attempt::Control(server.to_string(), *server_port), "control: the prober itself works"),
        planned(Attempt::Resolve("example.com".to_owned()), "a public name"),
        planned(Attempt::Resolve("host.docker.internal".to_owned()), "Docker's name for the host"),
        planned(Attempt::Connect(METADATA.to_owned(), 80), "the cloud's metadata service"),
        planned(Attempt::Family(VSOCK.0, VSOCK.1), "sockets to the host and its hypervisor"),
    ];
    if targets.loopback_only {
        all.push(planned(Attempt::Interfaces, "the stack has a loopback only"));
    }
    for gateway in &targets.gateways {
        let connect = Attempt::Connect(gateway.clone(), port);
        all.push(planned(connect, "the network's gateway, canary port"));
    }
    if let Some(addresses) = &targets.host {
        for address in addresses {
            let connect = Attempt::Connect(address.to_string(), port);
            all.push(planned(connect, "the host's own address, canary port"));
        }
        let addresses = addresses.iter().map(ToString::to_string).chain(targets.gateways.iter().cloned());
        for address in addresses {
            let send = Attempt::Datagram(address, datagram_port);
            all.push(planned(send, "an address of the host, canary's datagrams"));
        }
        let send = |to: &str, port| Attempt::Datagram(to.to_owned(), port);
        all.push(planned(send(BROADCAST, datagram_port), "everybody on a network, canary's datagrams"));
        all.push(planned(send(EVERY_HOST, datagram_port), "every host on a network, canary's datagrams"));
        if let Some(port) = datagram_port6 {
            let reason = "every host on a network over IPv6, canary's datagrams";
            all.push(planned(send(EVERY_HOST6, port), reason));
        }
    }
    for name in isolation.unresolvable.iter().filter(|name| !name.is_empty()) {
        all.push(planned(Attempt::Resolve(name.clone()), "named by the template"));
    }
    for target in isolation.unreachable.iter().filter(|target| !target.is_empty()) {
        if let Ok((host, port)) = template::split_target(target) {
            all.push(planned(Attempt::Connect(host.to_owned(), port), "named by the template"));
        }
    }
    all
}

/// The host's IPv4 addresses, loopback left out: a container's loopback is its own.
pub fn host_addresses() -> Vec<IpAddr> {
    let mut addresses: Vec<IpAddr> = if_addrs::get_if_addrs()
        .unwrap_or_default()
        .into_iter()
        .map(|interface| interface.ip())
        .filter(|address| address.is_ipv4() && !address.is_loopback())
        .collect();
    addresses.sort();
    addresses.dedup();
    addresses
}

/// Makes all the probes at once, from one container, while the canary listens. The control is tried again while its server
/// is `starting`, for no longer than that.
///
/// # Errors
/// `probe_failed`, if the prober does not run: then nothing is proved.
pub async fn run(
    engine: &Engine,
    container_id: &str,
    container_name: &str,
    planned: &[PlannedProbe],
    canary: &Canary,
    starting: Duration,
) -> Result<ProbeResults> {
    let starting = starting.as_secs().to_string();
    let limits = [CONNECT_SECONDS, CONTROL_SECONDS, RESOLVE_SECONDS, &starting];
    let command = ["bash", "-c", PROBER, "prober"].into_iter().chain(limits).chain([canary.token()]);
    let mut command: Vec<String> = command.map(str::to_owned).collect();
    command.extend(planned.iter().flat_map(|probe| probe.attempt.arguments()));
    let probing = ask(engine, ExecSpec::new(container_id, command), planned);
    let (output, heard) = canary.hear(probing).await;
    let output = output?;
    let answers = answers::parse(&output.stdout, planned.len());
    let complete: Option<Vec<answers::Answer>> = answers.into_iter().collect();
    let Some(answers) = complete.filter(|_| output.ok()) else {
        return Err(Failure::inconclusive(
            codes::PROBE_FAILED,
            format!(
                "the isolation probes did not run (exit status {}): {}",
                output.exit_code,
                crate::model::human::one_line(&output.stderr, 200)
            ),
        )
        .hint("the Postgres image must have bash and timeout, as the official one does"));
    };
    let mut probed = answers::judge(container_name, planned, &answers, &heard);
    if planned.iter().any(|probe| probe.attempt.sends()) {
        probed.probes.push(answers::of_canary(canary.datagram_port().unwrap_or_default(), &heard));
        let deaf = canary.deaf_to_ipv6();
        probed
            .not_probed
            .extend(deaf.map(|why| format!("datagrams over IPv6: nothing can listen for them ({why})")));
    }
    Ok(probed)
}

/// Runs the prober. Returns what it said, and when the last datagram was known to be on its way.
async fn ask(
    engine: &Engine,
    prober: ExecSpec<'_>,
    planned: &[PlannedProbe],
) -> (Result<Captured>, Option<Instant>) {
    let sent = Mutex::new(None);
    let note = |stdout: &[u8]| {
        let answers = answers::parse(&String::from_utf8_lossy(stdout), planned.len());
        let mut datagrams = planned.iter().zip(&answers).filter(|(planned, _)| planned.attempt.sends());
        if datagrams.all(|(_, answer)| answer.is_some()) {
            sent.lock().expect("nothing panics while it is held").get_or_insert_with(Instant::now);
        }
    };
    let asking = async { engine.exec(prober).await?.capture_seen(OUTPUT_LIMIT, note).await };
    let said = asking.await;
    (said, sent.into_inner().expect("nothing panics while it is held"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the prober says of an attempt and a control, where this shell function stands in for `timeout`.
    fn said(timeout: &str, starting: &str) -> Vec<Option<answers::Answer>> {
        let script = format!("{timeout}\n{PROBER}");
        let limits = [CONNECT_SECONDS, CONTROL_SECONDS, RESOLVE_SECONDS, starting];
        let directory = tempfile::tempdir().unwrap();
        let output = std::process::Command::new("bash")
            .args(["-c", &script, "prober"])
            .args(limits)
            .args(["word", "connect", "elsewhere", "1", "control", "postgres", "5432"])
            .current_dir(directory.path())
            .output()
            .unwrap();
        answers::parse(&String::from_utf8(output.stdout).unwrap(), 2)
    }

    fn answer(word: &str) -> Option<answers::Answer> {
        Some((word.to_owned(), String::new()))
    }

    #[test]
    fn the_control_is_tried_again_and_no_other_probe() {
        // Has every host resolve from the second look-up on only.
        let slow = r#"timeout() { printf x; [ -e "$5" ] || { : >"$5"; echo 'Name or service not known' >&2; return 1; }; }"#;
        assert_eq!(said(slow, "0"), [answer("unresolved"), answer("connected")]);
    }

    #[test]
    fn the_control_waits_for_a_server_that_is_starting_and_for_no_other_that_refuses() {
        let starts = r#"timeout() { printf x; [ -e "$5" ] || { : >"$5"; echo 'Connection refused' >&2; return 1; }; }"#;
        assert_eq!(said(starts, "60"), [answer("refused"), answer("connected")]);
        assert_eq!(said(starts, "0"), [answer("refused"), answer("refused")]);
        let never = "timeout() { printf x; echo 'Connection refused' >&2; return 1; }";
        assert_eq!(said(never, "1"), [answer("refused"), answer("refused")]);
    }

    #[test]
    fn a_probe_that_never_began_has_shown_nothing() {
        let words = |timeout| said(timeout, "0").into_iter().map(|said| said.unwrap().0).collect::<Vec<_>>();
        assert_eq!(words("SECONDS=60; timeout() { return 124; }"), ["error", "error"]);
        assert_eq!(words("SECONDS=60; timeout() { printf x; return 124; }"), ["timeout", "timeout"]);
    }

    fn attempts(targets: &Targets) -> Vec<Attempt> {
        let isolation = template::Isolation {
            unresolvable: vec!["acp_postgres".to_owned(), String::new()],
            unreachable: vec!["10.1.2.3:5432".to_owned()],
            ..template::Isolation::default()
        };
        plan(&isolation, targets).into_iter().map(|planned| planned.attempt).collect()
    }

    #[test]
    fn the_plan_has_the_control_the_host_in_every_way_and_all_that_the_template_names() {
        let targets = Targets {
            loopback_only: true,
            gateways: vec!["172.18.0.1".to_owned()],
            host: Some(vec!["192.0.2.7".parse().unwrap()]),
            ports: (4711, 4712, Some(4713)),
            ..Targets::default()
        };
        let attempts = attempts(&targets);
        assert!(matches!(attempts[0], Attempt::Control(..)));
        for expected in [
            Attempt::Connect("172.18.0.1".to_owned(), 4711),
            Attempt::Connect("192.0.2.7".to_owned(), 4711),
            Attempt::Datagram("172.18.0.1".to_owned(), 4712),
            Attempt::Datagram("192.0.2.7".to_owned(), 4712),
            Attempt::Datagram("255.255.255.255".to_owned(), 4712),
            Attempt::Datagram("224.0.0.1".to_owned(), 4712),
            Attempt::Datagram("ff02::1".to_owned(), 4713),
            Attempt::Interfaces,
            Attempt::Family("AF_VSOCK", 40),
            Attempt::Resolve("acp_postgres".to_owned()),
            Attempt::Connect("10.1.2.3".to_owned(), 5432),
        ] {
            assert!(attempts.contains(&expected), "{expected:?}");
        }
    }

    #[test]
    fn where_nobody_could_hear_it_only_a_loopback_is_proved_silent() {
        let (mut loopback, mut bridge) = (ProbeResults::default(), ProbeResults::default());
        loopback.unheard("the engine is rootless", true);
        bridge.unheard("the engine is rootless", false);
        assert_eq!(loopback.gap, None);
        assert_eq!(
            bridge.gap.as_deref(),
            Some("the engine is rootless, so this host would hear nothing of it")
        );
        let line = "the host's addresses, and datagrams to it: the engine is rootless";
        assert_eq!((loopback.not_probed, bridge.not_probed), (vec![line.to_owned()], vec![line.to_owned()]));
    }

    #[test]
    fn no_datagram_is_sent_where_no_canary_could_hear_it() {
        let remote = Targets { gateways: vec!["172.18.0.1".to_owned()], ..Targets::default() };
        let attempts = attempts(&remote);
        assert!(!attempts.iter().any(|attempt| matches!(attempt, Attempt::Datagram(..))));
        assert!(!attempts.contains(&Attempt::Interfaces));
    }
}
