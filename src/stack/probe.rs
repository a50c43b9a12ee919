//! Attempts to get out of the stack, made from inside it.
//!
//! Probing is only worth something if a probe could succeed. So the drill listens on a port of its own host while
//! it probes (the *canary*): a stack that can reach its host connects to it. And one control probe, to the stack's
//! own Postgres, must connect, or the prober itself is broken.

use std::net::{IpAddr, TcpListener};

use super::docker::{Engine, ExecSpec};
use crate::failure::{Failure, Result};
use crate::template;
use crate::verdict::Probe;

/// Seconds a connection may take: addresses that drop packets are unreachable after that.
const CONNECT_SECONDS: &str = "3";
/// Seconds that one attempt of the control may take, and within which it is tried again: it must succeed on a busy machine
/// too. An attempt cut short would say that nobody answers where a look-up is slow.
const CONTROL_SECONDS: &str = "15";
/// Seconds a look-up may take.
const RESOLVE_SECONDS: &str = "10";
/// What is seen when a probe itself went wrong.
const UNCLEAR: &str = "unclear";
/// Output of the prober kept.
const OUTPUT_LIMIT: usize = 256 * 1024;
/// Where clouds keep credentials of the machine.
const METADATA: &str = "169.254.169.254";

/// Runs inside the container; arguments come in threes: `resolve NAME -`, `connect HOST PORT` or `control HOST PORT`.
/// Prints `INDEX<tab>WORD<tab>DETAIL` for each. Needs bash and timeout, which every image of Postgres with an entrypoint
/// like the official one has; getent where there is one.
const PROBER: &str = r#"
connect_seconds=$1 control_seconds=$2 resolve_seconds=$3; shift 3
resolve() {
  if command -v getent >/dev/null; then
    found=$(timeout "$resolve_seconds" getent ahosts "$1"); status=$?
    case $status in
      0|2|124|137|143) ;;
      *) found=$(timeout "$resolve_seconds" getent hosts "$1"); status=$? ;;
    esac
    if [ $status -eq 0 ]; then printf 'resolved\t%s' "${found%%[[:space:]]*}"; else printf 'unresolved\t'; fi
  else
    said=$(timeout "$resolve_seconds" bash -c 'exec 3<>"/dev/tcp/$0/9"' "$1" 2>&1)
    case $said in
      *[Nn]ame*resol*|*"not known"*|*"Try again"*|*"No address"*) printf 'unresolved\t' ;;
      *) printf 'resolved\t' ;;
    esac
  fi
}
connect() {
  said=$(timeout "$connect_seconds" bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$1" "$2" 2>&1); status=$?
  case $status in
    0) printf 'connected\t' ;;
    124|137|143) printf 'timeout\t' ;;
    *) case $said in
         *refused*) printf 'refused\t' ;;
         *nreachable*|*"No route"*) printf 'noroute\t' ;;
         *[Nn]ame*resol*|*"not known"*|*"Try again"*|*"No address"*) printf 'unresolved\t' ;;
         *) printf 'error\t%s' "$(printf %s "$said" | head -n 1 | tr '\t\r' '  ')" ;;
       esac ;;
  esac
}
control() {
  connect_seconds=$control_seconds
  while :; do
    answer=$(connect "$1" "$2")
    case $answer in timeout*|unresolved*) ;; *) break ;; esac
    [ "$SECONDS" -lt "$control_seconds" ] || break
    sleep 1
  done
  printf %s "$answer"
}
index=0
while [ $# -gt 0 ]; do
  ( answer=$("$1" "$2" "$3"); printf '%s\t%s\n' "$index" "$answer" ) &
  index=$((index + 1)); shift 3
done
wait
"#;

/// What a probe tries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt {
    /// Looks up a name that must not resolve.
    Resolve(String),
    /// Connects to what must not answer.
    Connect(String, u16),
    /// Connects to what must answer: the control.
    Control(String, u16),
}

/// A probe to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// What it tries.
    pub attempt: Attempt,
    /// Why.
    pub reason: String,
}

/// A port of this host that a stack with a way out could connect to, open while this value lives.
#[derive(Debug)]
pub struct Canary {
    listener: TcpListener,
}

impl Canary {
    /// Listens on a free port on all addresses. Connections are neither accepted nor read.
    pub fn open() -> std::io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(("0.0.0.0", 0))? })
    }

    /// The port.
    pub fn port(&self) -> std::io::Result<u16> {
        Ok(self.listener.local_addr()?.port())
    }
}

/// Plans what to try.
///
/// `gateways` are the addresses the stack's network reserves for the host, `host_addresses` the host's own, and
/// `canary_port` a port that is open there.
pub fn plan(
    isolation: &template::Isolation,
    gateways: &[String],
    host_addresses: &[IpAddr],
    canary_port: u16,
) -> Vec<Planned> {
    let planned = |attempt, reason: &str| Planned { attempt, reason: reason.to_owned() };
    let mut all = vec![
        planned(Attempt::Control(super::spec::POSTGRES.to_owned(), 5432), "control: the prober itself works"),
        planned(Attempt::Resolve("example.com".to_owned()), "a public name"),
        planned(Attempt::Resolve("host.docker.internal".to_owned()), "Docker's name for the host"),
        planned(Attempt::Connect(METADATA.to_owned(), 80), "the cloud's metadata service"),
    ];
    for gateway in gateways {
        all.push(planned(
            Attempt::Connect(gateway.clone(), canary_port),
            "the network's gateway, canary port",
        ));
    }
    for address in host_addresses {
        all.push(planned(
            Attempt::Connect(address.to_string(), canary_port),
            "the host's own address, canary port",
        ));
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

/// Makes all the probes at once, from one container.
///
/// # Errors
/// `probe_failed`, if the prober does not run: then nothing is proved.
pub async fn run(
    engine: &Engine,
    container_id: &str,
    container_name: &str,
    planned: &[Planned],
) -> Result<Vec<Probe>> {
    let mut command: Vec<String> =
        ["bash", "-c", PROBER, "prober", CONNECT_SECONDS, CONTROL_SECONDS, RESOLVE_SECONDS]
            .map(str::to_owned)
            .into();
    for probe in planned {
        command.extend(match &probe.attempt {
            Attempt::Resolve(name) => ["resolve".to_owned(), name.clone(), "-".to_owned()],
            Attempt::Connect(host, port) => ["connect".to_owned(), host.clone(), port.to_string()],
            Attempt::Control(host, port) => ["control".to_owned(), host.clone(), port.to_string()],
        });
    }
    let output = engine.capture(ExecSpec::new(container_id, command), OUTPUT_LIMIT).await?;
    let answers = parse(&output.stdout, planned.len());
    if !output.ok() || answers.iter().any(Option::is_none) {
        return Err(Failure::inconclusive(
            "probe_failed",
            format!(
                "the isolation probes did not run (exit status {}): {}",
                output.exit_code,
                crate::human::one_line(&output.stderr, 200)
            ),
        )
        .hint("the Postgres image must have bash and timeout, as the official one does"));
    }
    Ok(planned
        .iter()
        .zip(answers.into_iter().flatten())
        .map(|(planned, answer)| judge(container_name, planned, &answer))
        .collect())
}

/// One answer of the prober: a word, and a detail.
type Answer = (String, String);

/// Whether a probe that failed shows that something can be reached, and not only that it went wrong itself.
pub fn shows_a_way_out(probe: &Probe) -> bool {
    !probe.ok && probe.expect != "reachable" && !probe.observed.starts_with(UNCLEAR)
}

fn parse(output: &str, count: usize) -> Vec<Option<Answer>> {
    let mut answers = vec![None; count];
    for line in output.lines() {
        let mut parts = line.splitn(3, '\t');
        let index: Option<usize> = parts.next().and_then(|part| part.parse().ok());
        let word = parts.next().unwrap_or_default();
        if let Some(slot) = index.and_then(|index| answers.get_mut(index)) {
            *slot = Some((word.to_owned(), crate::human::one_line(parts.next().unwrap_or_default(), 120)));
        }
    }
    answers
}

/// A refused connection counts as reached: a packet went there, and an answer came back.
fn judge(from: &str, planned: &Planned, (word, detail): &Answer) -> Probe {
    let observed = match word.as_str() {
        "connected" => "connected".to_owned(),
        "refused" => "refused: the address answers".to_owned(),
        "timeout" => "no answer".to_owned(),
        "noroute" => "no route".to_owned(),
        "unresolved" => "does not resolve".to_owned(),
        "resolved" => format!("resolves to {detail}"),
        _ => format!("{UNCLEAR}: {detail}"),
    };
    let (target, expect, ok) = match &planned.attempt {
        Attempt::Resolve(name) => (name.clone(), "unresolvable", word == "unresolved"),
        Attempt::Connect(host, port) => (
            format!("{host}:{port}"),
            "unreachable",
            matches!(word.as_str(), "timeout" | "noroute" | "unresolved"),
        ),
        Attempt::Control(host, port) => (format!("{host}:{port}"), "reachable", word == "connected"),
    };
    Probe { from: from.to_owned(), target, reason: planned.reason.clone(), expect, observed, ok }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(attempt: Attempt, word: &str) -> bool {
        let planned = Planned { attempt, reason: String::new() };
        judge("c", &planned, &(word.to_owned(), String::new())).ok
    }

    #[test]
    fn only_silence_is_unreachable() {
        let connect = || Attempt::Connect("10.0.0.1".to_owned(), 1);
        for (word, ok) in [
            ("connected", false),
            ("refused", false),
            ("error", false),
            ("timeout", true),
            ("noroute", true),
            ("unresolved", true),
        ] {
            assert_eq!(judged(connect(), word), ok, "{word}");
        }
        assert!(judged(Attempt::Resolve("x".to_owned()), "unresolved"));
        assert!(!judged(Attempt::Resolve("x".to_owned()), "resolved"));
        assert!(judged(Attempt::Control("postgres".to_owned(), 5432), "connected"));
        assert!(!judged(Attempt::Control("postgres".to_owned(), 5432), "noroute"));
    }

    #[test]
    fn answers_may_come_in_any_order_and_missing_ones_are_missed() {
        let answers = parse("1\tnoroute\t\nnonsense\n9\tconnected\t\n", 3);
        assert_eq!(answers, [None, Some(("noroute".to_owned(), String::new())), None]);
    }

    #[test]
    fn the_control_is_tried_again_and_no_other_probe() {
        // Has every host resolve from the second look-up on only.
        let slow =
            r#"timeout() { [ -e "$5" ] || { : >"$5"; echo 'Name or service not known' >&2; return 1; }; }"#;
        let script = format!("{slow}\n{PROBER}");
        let directory = tempfile::tempdir().unwrap();
        let output = std::process::Command::new("bash")
            .args(["-c", &script, "prober", CONNECT_SECONDS, CONTROL_SECONDS, RESOLVE_SECONDS])
            .args(["connect", "elsewhere", "1", "control", "postgres", "5432"])
            .current_dir(directory.path())
            .output()
            .unwrap();
        let answers = parse(&String::from_utf8(output.stdout).unwrap(), 2);
        let answer = |word: &str| Some((word.to_owned(), String::new()));
        assert_eq!(answers, [answer("unresolved"), answer("connected")]);
    }

    #[test]
    fn the_plan_has_the_control_and_all_that_the_template_names() {
        let isolation = template::Isolation {
            unresolvable: vec!["acp_postgres".to_owned(), String::new()],
            unreachable: vec!["10.1.2.3:5432".to_owned()],
        };
        let plan = plan(&isolation, &["172.18.0.1".to_owned()], &["192.0.2.7".parse().unwrap()], 4711);
        let attempts: Vec<&Attempt> = plan.iter().map(|planned| &planned.attempt).collect();
        assert!(matches!(attempts[0], Attempt::Control(..)));
        for expected in [
            Attempt::Connect("172.18.0.1".to_owned(), 4711),
            Attempt::Connect("192.0.2.7".to_owned(), 4711),
            Attempt::Resolve("acp_postgres".to_owned()),
            Attempt::Connect("10.1.2.3".to_owned(), 5432),
        ] {
            assert!(attempts.contains(&&expected), "{expected:?}");
        }
    }
}
