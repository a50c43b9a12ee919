//! What the prober and the canary say, judged. Pure.

use super::canary::HeardDatagrams;
use super::{Attempt, EVERY_HOST6, PlannedProbe, ProbeResults, VSOCK};
use crate::model::verdict::{Expectation, Probe};

/// What is seen when a probe itself went wrong.
const UNCLEAR: &str = "unclear";
/// What is seen of a datagram that the kernel did not take. Where there is no interface to send on, that is as it must be.
const UNSENT: &str = "could not be sent";
/// What the prober says where it has no perl.
const ROUTES_ONLY: &str = "by its routes only";

/// One answer of the prober: a word, and a detail.
pub(super) type Answer = (String, String);

/// Whether a probe that failed shows that something can be reached, and not only that it went wrong itself.
pub fn shows_a_way_out(probe: &Probe) -> bool {
    !probe.ok && probe.expect != Expectation::Reachable && !probe.observed.starts_with(UNCLEAR)
}

/// The answers by the numbers of their probes; `None` where there is none.
pub(super) fn parse(output: &str, count: usize) -> Vec<Option<Answer>> {
    let mut answers = vec![None; count];
    for line in output.lines() {
        let mut parts = line.splitn(3, '\t');
        let index: Option<usize> = parts.next().and_then(|part| part.parse().ok());
        let word = parts.next().unwrap_or_default();
        if let Some(slot) = index.and_then(|index| answers.get_mut(index)) {
            *slot =
                Some((word.to_owned(), crate::model::human::one_line(parts.next().unwrap_or_default(), 120)));
        }
    }
    answers
}

/// Judges every probe by its answer, and datagrams by whether they were heard. Where the stack has an interface, silence proves
/// something only if a datagram was on its way, in every manner.
pub(super) fn judge(
    from: &str,
    planned: &[PlannedProbe],
    answers: &[Answer],
    heard: &HeardDatagrams,
) -> ProbeResults {
    let mut probed = ProbeResults::default();
    let mut untried = Vec::new();
    let loopback_only = planned.iter().any(|planned| planned.attempt == Attempt::Interfaces);
    for (number, (planned, answer)) in planned.iter().zip(answers).enumerate() {
        match (&planned.attempt, answer.0.as_str()) {
            (Attempt::Family(name, _), "untried") => untried.push(*name),
            (_, "untried") => untried.push("broadcasts"),
            (attempt, _) => {
                if matches!(attempt, Attempt::Datagram(..)) && answer.1 == ROUTES_ONLY {
                    untried.push("datagrams past the routes");
                }
                let heard = heard.probes.contains(&number);
                let mut probe = one(from, planned, answer, heard);
                if probe.observed == UNSENT && !loopback_only && !over_ipv6(attempt) {
                    (probe.ok, probe.observed) = (false, format!("{UNCLEAR}: {UNSENT}"));
                }
                probed.probes.push(probe);
            }
        }
    }
    untried.dedup();
    let datagrams = untried.iter().any(|what| *what != VSOCK.0);
    probed.gap =
        (datagrams && !loopback_only).then(|| "the image has no perl to send datagrams with".to_owned());
    probed.not_probed =
        untried.into_iter().map(|what| format!("{what}: the image has no perl to try it with")).collect();
    probed
}

fn over_ipv6(attempt: &Attempt) -> bool {
    matches!(attempt, Attempt::Datagram(host, _) if host == EVERY_HOST6)
}

/// The control of the canary: it heard itself.
pub(super) fn of_canary(port: u16, heard: &HeardDatagrams) -> Probe {
    Probe {
        from: "this host".to_owned(),
        target: format!("127.0.0.1:{port}/udp"),
        reason: "control: the canary hears".to_owned(),
        expect: Expectation::Reachable,
        observed: if heard.itself { "heard" } else { "silent" }.to_owned(),
        ok: heard.itself,
    }
}

/// A refused connection counts as reached: a packet went there, and an answer came back.
fn one(from: &str, planned: &PlannedProbe, (word, detail): &Answer, heard: bool) -> Probe {
    let observed = match word.as_str() {
        "connected" => "connected".to_owned(),
        "refused" => "refused: the address answers".to_owned(),
        "timeout" => "no answer".to_owned(),
        "noroute" => "no route".to_owned(),
        "unresolved" => "does not resolve".to_owned(),
        "resolved" => format!("resolves to {detail}"),
        "sent" | "unsent" if heard => "heard".to_owned(),
        "sent" => "silent".to_owned(),
        "unsent" => UNSENT.to_owned(),
        "interfaces" if detail.is_empty() => "none".to_owned(),
        "interfaces" => format!("up: {detail}"),
        "opened" => "opens".to_owned(),
        "closed" => format!("refused: {detail}"),
        _ if heard => "heard".to_owned(),
        _ => format!("{UNCLEAR}: {detail}"),
    };
    let (target, expect, ok) = match &planned.attempt {
        Attempt::Resolve(name) => (name.clone(), Expectation::Unresolvable, word == "unresolved"),
        Attempt::Connect(host, port) => (
            format!("{host}:{port}"),
            Expectation::Unreachable,
            matches!(word.as_str(), "timeout" | "noroute" | "unresolved"),
        ),
        Attempt::Control(host, port) => {
            (format!("{host}:{port}"), Expectation::Reachable, word == "connected")
        }
        Attempt::Datagram(host, port) => (
            format!("{}:{port}/udp", in_brackets(host)),
            Expectation::Unreachable,
            matches!(word.as_str(), "sent" | "unsent") && !heard,
        ),
        Attempt::Interfaces => {
            ("other interfaces".to_owned(), Expectation::None, word == "interfaces" && detail.is_empty())
        }
        Attempt::Family(name, _) => ((*name).to_owned(), Expectation::Refused, word == "closed"),
    };
    Probe { from: from.to_owned(), target, reason: planned.reason.clone(), expect, observed, ok }
}

/// An address as it stands before a port.
fn in_brackets(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::super::BROADCAST;
    use super::*;

    fn judged(attempt: Attempt, word: &str, detail: &str, heard: bool) -> Probe {
        let planned = PlannedProbe { attempt, reason: String::new() };
        one("c", &planned, &(word.to_owned(), detail.to_owned()), heard)
    }

    fn ok(attempt: Attempt, word: &str) -> bool {
        judged(attempt, word, "", false).ok
    }

    #[test]
    fn only_silence_is_unreachable() {
        let connect = || Attempt::Connect("10.0.0.1".to_owned(), 1);
        for (word, expected) in [
            ("connected", false),
            ("refused", false),
            ("error", false),
            ("timeout", true),
            ("noroute", true),
            ("unresolved", true),
        ] {
            assert_eq!(ok(connect(), word), expected, "{word}");
        }
        assert!(ok(Attempt::Resolve("x".to_owned()), "unresolved"));
        assert!(!ok(Attempt::Resolve("x".to_owned()), "resolved"));
        assert!(ok(Attempt::Control("postgres".to_owned(), 5432), "connected"));
        assert!(!ok(Attempt::Control("postgres".to_owned(), 5432), "noroute"));
    }

    #[test]
    fn a_datagram_that_is_heard_is_a_way_out_whatever_the_prober_says_of_it() {
        let send = || Attempt::Datagram("ff02::1".to_owned(), 9);
        let silent = judged(send(), "sent", "", false);
        assert_eq!((silent.ok, &*silent.observed, &*silent.target), (true, "silent", "[ff02::1]:9/udp"));
        for word in ["sent", "error"] {
            let heard = judged(send(), word, "", true);
            assert_eq!((shows_a_way_out(&heard), &*heard.observed), (true, "heard"));
        }
        let wrong = judged(send(), "error", "no such program", false);
        assert!(!wrong.ok && !shows_a_way_out(&wrong), "{wrong:?}");
    }

    #[test]
    fn an_interface_or_a_socket_that_must_not_be_is_a_way_out() {
        assert!(judged(Attempt::Interfaces, "interfaces", "", false).ok);
        let up = judged(Attempt::Interfaces, "interfaces", "eth0", false);
        assert_eq!((shows_a_way_out(&up), &*up.observed), (true, "up: eth0"));
        assert!(!shows_a_way_out(&judged(Attempt::Interfaces, "error", "unreadable", false)));
        let family = || Attempt::Family("AF_VSOCK", 40);
        assert!(judged(family(), "closed", "Operation not permitted", false).ok);
        assert!(shows_a_way_out(&judged(family(), "opened", "", false)));
    }

    #[test]
    fn what_the_image_has_no_tool_for_is_said_and_is_no_probe() {
        let planned: Vec<PlannedProbe> = [
            Attempt::Family("AF_VSOCK", 40),
            Attempt::Datagram("192.0.2.7".to_owned(), 9),
            Attempt::Datagram("192.0.2.8".to_owned(), 9),
            Attempt::Datagram(BROADCAST.to_owned(), 9),
        ]
        .map(|attempt| PlannedProbe { attempt, reason: String::new() })
        .into();
        let answers = [
            ("untried", ""),
            ("sent", "by its routes only"),
            ("sent", "by its routes only"),
            ("untried", ""),
        ]
        .map(|(word, detail)| (word.to_owned(), detail.to_owned()));
        let probed = judge("c", &planned, &answers, &HeardDatagrams { probes: [2].into(), itself: true });
        let seen: Vec<&str> = probed.probes.iter().map(|probe| &*probe.observed).collect();
        assert_eq!(seen, ["silent", "heard"]);
        let not_probed: Vec<&str> =
            probed.not_probed.iter().map(|text| text.split(':').next().unwrap()).collect();
        assert_eq!(not_probed, ["AF_VSOCK", "datagrams past the routes", "broadcasts"]);
        assert_eq!(probed.gap.as_deref(), Some("the image has no perl to send datagrams with"));
    }

    #[test]
    fn what_was_not_sent_proves_something_only_where_there_is_no_interface_to_send_on() {
        let all = [
            (Attempt::Interfaces, "interfaces"),
            (Attempt::Datagram("192.0.2.7".to_owned(), 9), "unsent"),
            (Attempt::Datagram(EVERY_HOST6.to_owned(), 9), "unsent"),
            (Attempt::Datagram(BROADCAST.to_owned(), 9), "untried"),
        ];
        let (planned, answers): (Vec<PlannedProbe>, Vec<Answer>) = all
            .map(|(attempt, word)| {
                (PlannedProbe { attempt, reason: String::new() }, (word.to_owned(), String::new()))
            })
            .into_iter()
            .unzip();
        let seen = |from: usize, heard: &HeardDatagrams| {
            let probed = judge("c", &planned[from..], &answers[from..], heard);
            let datagrams = probed.probes.into_iter().filter(|probe| probe.target.ends_with("/udp"));
            (datagrams.map(|probe| (probe.ok, probe.observed)).collect::<Vec<_>>(), probed.gap)
        };
        let unsent = |ok, said: &str| (ok, said.to_owned());
        let (loopback, gap) = seen(0, &HeardDatagrams::default());
        assert_eq!(loopback, [unsent(true, UNSENT), unsent(true, UNSENT)]);
        assert_eq!(gap, None);
        let (bridge, gap) = seen(1, &HeardDatagrams::default());
        assert_eq!(bridge, [unsent(false, "unclear: could not be sent"), unsent(true, UNSENT)]);
        assert!(gap.is_some());
        let (heard, _) = seen(1, &HeardDatagrams { probes: [0].into(), itself: true });
        assert_eq!(heard[0], unsent(false, "heard"), "whatever the prober says");
    }

    #[test]
    fn a_canary_that_does_not_hear_itself_proves_nothing_and_shows_no_way_out() {
        let deaf = of_canary(9, &HeardDatagrams::default());
        assert!(!deaf.ok && !shows_a_way_out(&deaf));
        assert!(of_canary(9, &HeardDatagrams { itself: true, ..HeardDatagrams::default() }).ok);
    }

    #[test]
    fn answers_may_come_in_any_order_and_missing_ones_are_missed() {
        let answers = parse("1\tnoroute\t\nnonsense\n9\tconnected\t\n", 3);
        assert_eq!(answers, [None, Some(("noroute".to_owned(), String::new())), None]);
    }
}
