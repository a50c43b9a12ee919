//! `http`: a service of the stack answers, asked from inside its network.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use tokio::time::{Instant, sleep, timeout};

use super::context::Context;
use super::entry::{Check, Entry, keys, read};
use super::findings::{Findings, Outcome, Verified};
use super::valid::positive;
use crate::model::code::Code;
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::finding_code::findings;
use crate::model::human;
use crate::model::names::DatabaseName;
use crate::model::verdict::{Finding, Severity};
use crate::sandbox::exit_status::KILLED;
use crate::sandbox::http::{self, Reply};
use crate::target::postgres::{Server, Servers};
use crate::template::Template;

findings! {
    HTTP_NO_ANSWER = "http_no_answer", "error":
        "Nothing listens, the answer is not HTTP, or it takes longer than `timeout`.",
        "Check `service` and `port`, and raise `within` if the service starts slowly. `--keep` leaves the service running for inspection.",
        "http://api:8080/health: no answer within 5s (asked 6 times)";
    HTTP_STATUS = "http_status", "error":
        "The status is not among `expect_status`, or not 200 to 299.",
        "Ask the service why. With `show_body = true` the verdict has the beginning of what it said.",
        "http://api:8080/health: status 503 (asked 6 times)";
    HTTP_BODY = "http_body", "error":
        "The first 64 KiB of the body do not hold `contains`.",
        "Ask the service why. With `show_body = true` the verdict has the beginning of what it said.",
        "http://api:8080/health: a body of 120 B without it (asked 6 times)";
    SERVICE_ENDED = "service_ended", "error":
        "The service's container has ended, with its status.",
        "If the service gives up when its database is not there yet, configure it to wait.",
        "http://api:8080/health: the service ended with status 1 (asked once)";
    LISTENED_LATE = "listened_late", "warning":
        "The answer is right, but nothing listened on the port before anything was restored. On the loopback that the whole stack shares, a program of a hostile dump could have taken the port. It is in `not_verified`.",
        "Give the service a `ready` command that checks whether it listens, or set `isolation.network = \"bridge\"`.",
        "http://api:8080/health: nothing listened on it then, so what answers may be a program of the dump";
}

/// What the program knows of this type.
pub const ENTRY: Entry = Entry {
    kind: "http",
    read: read::<Http>,
    keys: keys::<Http>,
    skipped: "nothing was verified",
    findings: FINDINGS,
};

/// A service of the stack that must answer.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// The check's name.
    pub name: String,
    /// The databases that must be restored before it is asked.
    pub databases: Vec<DatabaseName>,
    /// The service.
    pub service: String,
    /// Its port.
    pub port: u16,
    /// What is asked for.
    #[serde(default = "root")]
    pub path: String,
    /// The status codes that are right. Empty: 200 to 299.
    #[serde(default)]
    pub expect_status: Vec<u16>,
    /// Text that the answer's body must have in its first 64 KiB.
    #[serde(default)]
    pub contains: Option<String>,
    /// Whether the beginning of the body of a wrong answer may be shown.
    #[serde(default)]
    pub show_body: bool,
    /// How long one request may take.
    #[serde(with = "humantime_serde", default = "request_timeout")]
    pub timeout: Duration,
    /// It is asked again until it answers rightly, for so long.
    #[serde(with = "humantime_serde", default = "patience")]
    pub within: Duration,
}

fn root() -> String {
    "/".to_owned()
}

fn request_timeout() -> Duration {
    Duration::from_secs(5)
}

fn patience() -> Duration {
    Duration::from_secs(30)
}

#[async_trait]
impl Check for Http {
    fn entry(&self) -> &'static Entry {
        &ENTRY
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn databases(&self) -> BTreeSet<&DatabaseName> {
        self.databases.iter().collect()
    }

    fn port(&self) -> Option<(u16, &str)> {
        Some((self.port, &self.service))
    }

    fn validate(&self, template: &Template) -> std::result::Result<(), String> {
        let place = format!("check {}", self.name);
        if !template.services.contains_key(&self.service) {
            return Err(format!("{place} asks the service {}, which is not among [services]", self.service));
        }
        if self.port == 0 {
            return Err(format!("{place}: port must be 1 to 65535"));
        }
        if !self.path.starts_with('/')
            || self.path.contains(|c: char| c.is_whitespace() || c.is_control() || !c.is_ascii())
        {
            return Err(format!(
                "{place}: path `{}` must begin with / and hold no spaces; encode others as %XX",
                self.path.escape_debug()
            ));
        }
        if let Some(status) = self.expect_status.iter().find(|status| !(100..=599).contains(*status)) {
            return Err(format!("{place}: {status} is not an HTTP status"));
        }
        positive(self.timeout, &place)
    }

    async fn run(&self, context: &Context<'_>) -> Result<Outcome> {
        run(self, context).await
    }
}

/// Between two requests.
const RETRY: Duration = Duration::from_millis(300);

/// Characters of a body that are shown on request.
const BODY_SHOWN: usize = 300;

/// The server whose container it is asked from: its own. What another server's dump does there, and that its memory is used
/// up, has nothing to do with this check.
fn asked_from<'a>(check: &Http, servers: &'a Servers) -> &'a Server {
    let first = check.databases.first().expect("a check names a database");
    &servers.of(first).server
}

/// Asks until the answer is right, the service has ended, or the time is over.
///
/// # Errors
/// If the engine cannot say how the service is.
async fn run(check: &Http, context: &Context<'_>) -> Result<Outcome> {
    let tools = context.tools;
    let from = &asked_from(check, &tools.servers).container;
    let began = Instant::now();
    let mut requests = 0u64;
    loop {
        requests += 1;
        let asking = http::get(&tools.stack.engine, from, &check.service, check.port, &check.path);
        let answer = timeout(check.timeout, asking).await.unwrap_or_else(|_| {
            Err(format!("no answer within {}", human::duration(check.timeout.as_secs_f64())))
        });
        let wrong = violation(check, &answer);
        // Nothing starts it again, and on a loopback another program may have its port then.
        if let Some(ended) = ended(check, context).await? {
            return Ok(failed(check, ended, requests));
        }
        let Some(wrong) = wrong else {
            return Ok(held(check, &answer, requests, tools.stack.listening.as_ref()));
        };
        // An answer that is late counts as one that never came, so the last request may begin, but not the next.
        if began.elapsed() + RETRY >= check.within {
            return Ok(failed(check, wrong, requests));
        }
        sleep(RETRY).await;
    }
}

/// A code, and what was seen.
type Wrong = (Code, String);

/// Whether the service's container has ended: the cause of whatever was seen.
async fn ended(check: &Http, context: &Context<'_>) -> Result<Option<Wrong>> {
    let stack = &context.tools.stack;
    let Some(container) = stack.services.get(&check.service) else { return Ok(None) };
    let state = stack.engine.observe_container(container).await?;
    let killed = state.exit_code == Some(KILLED) && !state.oom_killed;
    if !state.running && killed && !stack.engine.ran_out_of_memory(container).await {
        let message = format!("the service {} was killed, and not for its own memory limit", check.service);
        return Err(Failure::inconclusive(codes::SERVICE_DIED, message)
            .hint("run the drill again; if it happens again, the engine's machine may be short of memory"));
    }
    let why = if state.oom_killed { ", out of memory" } else { "" };
    let status = state.exit_code.unwrap_or_default();
    Ok((!state.running).then(|| (SERVICE_ENDED, format!("the service ended with status {status}{why}"))))
}

/// What is wrong with an answer.
fn violation(check: &Http, answer: &std::result::Result<Reply, String>) -> Option<Wrong> {
    let reply = match answer {
        Ok(reply) => reply,
        Err(why) => return Some((HTTP_NO_ANSWER, human::one_line(why, 200))),
    };
    let right = match check.expect_status.as_slice() {
        [] => (200..=299).contains(&reply.status),
        statuses => statuses.contains(&reply.status),
    };
    if !right {
        return Some((HTTP_STATUS, format!("status {}{}", reply.status, shown(check, reply))));
    }
    let contains = check.contains.as_ref()?;
    let body = String::from_utf8_lossy(&reply.body);
    (!body.contains(contains.as_str())).then(|| {
        let size = human::bytes(reply.body.len() as u64);
        (HTTP_BODY, format!("a body of {size} without it{}", shown(check, reply)))
    })
}

fn shown(check: &Http, reply: &Reply) -> String {
    if !check.show_body {
        return String::new();
    }
    format!(": {}", human::one_line(&String::from_utf8_lossy(&reply.body), BODY_SHOWN))
}

fn address(check: &Http) -> String {
    format!("http://{}:{}{}", check.service, check.port, human::one_line(&check.path, 120))
}

/// `listening` has the ports that were taken before there was any data, where all share one loopback.
fn held(
    check: &Http,
    answer: &std::result::Result<Reply, String>,
    requests: u64,
    listening: Option<&BTreeSet<u16>>,
) -> Outcome {
    let status = answer.as_ref().map(|reply| reply.status).unwrap_or_default();
    let summary = format!("{} answered {status}, asked {}", address(check), times(requests));
    let mut findings = Findings::default();
    if listening.is_some_and(|ports| !ports.contains(&check.port)) {
        findings.push(Finding {
            severity: Severity::Warning,
            code: LISTENED_LATE,
            subject: address(check),
            expected: "a port that was in use before anything was restored".to_owned(),
            actual: "nothing listened on it then, so what answers may be a program of the dump".to_owned(),
        });
    }
    findings.into_outcome(Verified::FACT, summary)
}

fn times(requests: u64) -> String {
    if requests == 1 { "once".to_owned() } else { format!("{requests} times") }
}

fn failed(check: &Http, (code, actual): Wrong, requests: u64) -> Outcome {
    let status = match check.expect_status.as_slice() {
        [] => "status 200 to 299".to_owned(),
        statuses => {
            let statuses: Vec<String> = statuses.iter().map(u16::to_string).collect();
            format!("status {}", statuses.join(" or "))
        }
    };
    let body =
        check.contains.as_ref().map(|text| format!(", and `{}` in the body", human::one_line(text, 120)));
    let within = human::duration(check.within.as_secs_f64());
    let mut findings = Findings::default();
    findings.push(Finding {
        severity: Severity::Error,
        code,
        subject: address(check),
        expected: format!("{status}{} within {within}", body.unwrap_or_default()),
        actual: format!("{actual} (asked {})", times(requests)),
    });
    findings.into_outcome(0, String::new())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::verdict::CheckStatus;

    fn check(more: &str) -> Http {
        let text = format!("name = \"c\"\ndatabases = [\"d\"]\nservice = \"app\"\nport = 80\n{more}");
        toml::from_str(&text).unwrap()
    }

    fn code(more: &str, status: u16, body: &str) -> Option<&'static str> {
        let reply = Reply { status, body: body.as_bytes().to_vec() };
        violation(&check(more), &Ok(reply)).map(|(code, _)| code.as_str())
    }

    #[test]
    fn status_and_body_must_both_be_right() {
        for (more, status, body, wrong) in [
            ("", 200, "", None),
            ("", 204, "", None),
            ("", 302, "", Some("http_status")),
            ("", 503, "", Some("http_status")),
            ("expect_status = [503]", 503, "", None),
            ("expect_status = [503]", 200, "", Some("http_status")),
            ("contains = \"ready\"", 200, "{\"state\":\"ready\"}", None),
            ("contains = \"ready\"", 200, "READY", Some("http_body")),
            ("contains = \"ready\"", 500, "ready", Some("http_status")),
        ] {
            assert_eq!(code(more, status, body), wrong, "{more} {status} {body}");
        }
        assert_eq!(violation(&check(""), &Err("refused".to_owned())).unwrap().0, "http_no_answer");
    }

    #[test]
    fn an_answer_on_a_port_that_a_dump_could_have_taken_is_told() {
        let reply = Ok(Reply { status: 200, body: Vec::new() });
        let outcome = |ports: Option<&[u16]>| {
            let ports = ports.map(|ports| ports.iter().copied().collect());
            held(&check(""), &reply, 1, ports.as_ref())
        };
        for (ports, codes) in
            [(None, &[][..]), (Some(&[80, 5432][..]), &[]), (Some(&[5432]), &[LISTENED_LATE])]
        {
            let outcome = outcome(ports);
            assert_eq!(outcome.status, CheckStatus::Pass);
            assert_eq!(outcome.findings.iter().map(|finding| finding.code).collect::<Vec<_>>(), codes);
            assert_eq!(outcome.not_verified().len(), codes.len(), "it is said at the top");
        }
    }

    #[test]
    fn a_body_is_shown_only_on_request() {
        let reply = Ok(Reply { status: 500, body: b"jane@example.org\nfailed".to_vec() });
        assert_eq!(violation(&check(""), &reply).unwrap().1, "status 500");
        assert_eq!(
            violation(&check("show_body = true"), &reply).unwrap().1,
            "status 500: jane@example.org failed"
        );
    }

    #[test]
    fn a_failure_says_what_was_asked_and_expected() {
        let check = check("path = \"/readyz\"\nexpect_status = [200, 204]\ncontains = \"ok\"");
        let outcome = failed(&check, (HTTP_STATUS, "status 503".to_owned()), 3);
        assert_eq!((outcome.status, outcome.failing_code().as_str()), (CheckStatus::Fail, "http_status"));
        let finding = &outcome.findings[0];
        assert_eq!(finding.subject, "http://app:80/readyz");
        assert_eq!(finding.expected, "status 200 or 204, and `ok` in the body within 30s");
        assert_eq!(finding.actual, "status 503 (asked 3 times)");
    }
}
