//! Which system calls a container may make.
//!
//! A network namespace keeps apart what belongs to networks. Some families of sockets do not: `AF_VSOCK` reaches the host
//! and the hypervisor from whatever namespace it is opened in. Engines before 23 let containers open it, and later ones
//! still do by the 32-bit way into the kernel (`socketcall`, whose arguments no filter can read). So the profile is our own:
//! sockets of four families, by the machine's own way into the kernel only, and of the other calls those that a server
//! or a client has use for. What only a privileged process could use with effect is left out as a second lock.

use super::spec::EngineFacts;

/// The profile, in the form that the engine takes (<https://docs.docker.com/engine/security/seccomp/>).
const PROFILE: &str = include_str!("seccomp.json");
/// What stands for the profile where its text would be in the way.
pub const WORD: &str = "seccomp=restore-drill";

/// The security options of every container, as the engine is given them. One that cannot filter system calls refuses
/// every caller; there, the probes show whether the kernel opens such a socket.
pub fn security_options(engine: EngineFacts) -> Vec<String> {
    let mut options = vec!["no-new-privileges".to_owned()];
    options.extend(engine.seccomp.then(|| format!("seccomp={PROFILE}")));
    options
}

/// Security options in words: our profile by its name.
pub fn in_words(options: &[String]) -> String {
    let ours = |option: &String| option.strip_prefix("seccomp=").is_some_and(is_ours);
    let words: Vec<&str> = options.iter().map(|option| if ours(option) { WORD } else { option }).collect();
    words.join(" ")
}

/// Whether a profile is ours, in whatever form the engine wrote it down.
fn is_ours(profile: &str) -> bool {
    let parsed = |text| serde_json::from_str::<serde_json::Value>(text).ok();
    parsed(profile).is_some_and(|profile| Some(profile) == parsed(PROFILE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn profile() -> Value {
        serde_json::from_str(PROFILE).unwrap()
    }

    #[test]
    fn sockets_of_four_families_can_be_opened_and_in_one_way() {
        let profile = profile();
        let rules = profile["syscalls"].as_array().unwrap();
        let of = |name: &str| -> Vec<&Value> {
            rules.iter().filter(|rule| rule["names"].as_array().unwrap().contains(&json!(name))).collect()
        };
        let families: Vec<&Value> = of("socket").iter().map(|rule| &rule["args"][0]["value"]).collect();
        // Unix, IPv4, IPv6, netlink: `getaddrinfo` asks the last for the addresses of its own namespace.
        assert_eq!(families, [1, 2, 10, 16]);
        assert!(of("socket").iter().all(|rule| rule["args"][0]["op"] == "SCMP_CMP_EQ"));
        assert_eq!(of("socketcall"), Vec::<&Value>::new());
        // The C library of 32-bit ARM makes these, for send(2) and recv(2).
        assert!(!of("send").is_empty() && !of("recv").is_empty());
        for machine in profile["archMap"].as_array().unwrap() {
            assert_eq!(machine["subArchitectures"], json!([]), "another way in has calls of its own");
        }
        assert_eq!(profile["defaultAction"], "SCMP_ACT_ERRNO");
        for refused in ["io_uring_setup", "unshare", "setns", "bpf", "ptrace", "keyctl", "mount"] {
            assert_eq!(of(refused), Vec::<&Value>::new(), "{refused}");
        }
    }

    #[test]
    fn the_profile_is_known_in_whatever_form_it_comes_back() {
        let compact = format!("seccomp={}", profile());
        let other = "seccomp=unconfined".to_owned();
        assert_eq!(in_words(&["no-new-privileges".to_owned(), compact]), format!("no-new-privileges {WORD}"));
        assert_eq!(in_words(&[other]), "seccomp=unconfined");
        let facts = |seccomp| EngineFacts { major: 20, cpus: 1, memory_bytes: 1, seccomp };
        assert_eq!(in_words(&security_options(facts(true))), format!("no-new-privileges {WORD}"));
        assert_eq!(in_words(&security_options(facts(false))), "no-new-privileges");
    }
}
