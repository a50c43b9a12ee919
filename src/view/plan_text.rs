//! A plan for people: what would be restored, what is in it, how long it takes; what is wrong stands last.

use super::page::Page;
use super::store_text::{self, or_dash};
use super::table::Table;
use crate::model::human;
use crate::model::names::DatabaseName;
use crate::model::verdict::{Finding, RecoveryPoint, Severity};
use crate::plan::contents::ContentsRecord;
use crate::plan::drift::{DriftRecord, KindRecord};
use crate::plan::image::ImageFacts;
use crate::plan::{DrillPlan, PlannedServer, PointDetail};

/// Characters of a restore order that are shown; the JSON has all of it.
const ORDER_LENGTH: usize = 300;

/// The plan; its last line says whether it is sound.
pub fn plan_text(plan: &DrillPlan) -> String {
    let mut out = Page::default();
    writeln!(
        out,
        "Plan of a restore drill of {} from {}, as of {}",
        plan.template,
        plan.store,
        human::moment(plan.at)
    );
    out.blank();
    out.table(&points(plan));
    out.blank();
    for point in &plan.recovery_set.points {
        if let Some(detail) = plan.points.iter().find(|detail| detail.database == point.database) {
            details(point, detail, &mut out);
        }
    }
    let before = [("Set", set(plan)), ("RPO", rpo(plan))];
    let of_one = plan.image.as_ref().filter(|_| plan.servers.is_empty());
    let image = of_one.map(|facts| ("Image", image(facts)));
    let servers = plan.servers.iter().map(|planned| ("Server", server(planned)));
    let globals = plan.globals.iter().map(|planned| {
        let several = plan.servers.len() > 1;
        let place = if several { format!("{}: ", planned.server) } else { String::new() };
        ("Globals", format!("{place}{}", planned.in_words()))
    });
    let lines = [
        ("Store", store_text::store(plan)),
        ("Room", room(plan)),
        ("Forecast", forecast(plan)),
        ("This plan", cost(plan)),
    ];
    let unusual = plan.recovery_set.points.iter().filter_map(|point| {
        let layers = point.unusual_layers()?;
        Some(format!("{}: {layers}", point.database))
    });
    let unusual: Vec<String> = unusual.collect();
    let layers = (!unusual.is_empty()).then(|| ("Layers", unusual.join(", ")));
    let others = plan.unnamed.incomplete.as_ref().map(|why| ("Others", format!("not all looked for: {why}")));
    out.blank();
    for (name, text) in
        before.into_iter().chain(layers).chain(image).chain(servers).chain(globals).chain(lines).chain(others)
    {
        writeln!(out, "{name:<10} {text}");
    }
    findings(&plan.findings, &mut out);
    let verdict = if plan.sound {
        "The plan is sound: a drill would make sense"
    } else {
        "The plan is NOT sound: a drill would fail"
    };
    out.blank();
    out.ending(verdict)
}

fn points(plan: &DrillPlan) -> Table {
    let headings = [
        "Order", "Database", "Taken", "Age", "Uploaded", "Size", "Usual", "Server", "Tables", "Restored",
        "Time", "Class",
    ];
    let mut table = Table::new(&headings, &[0, 3, 5, 6, 8, 9, 10]);
    for (wave, names) in plan.waves.iter().enumerate() {
        for name in names {
            let order = (wave + 1).to_string();
            let Some(point) = plan.point(name) else {
                table.row([order, name.to_string(), "MISSING".to_owned()]);
                continue;
            };
            let detail = plan.points.iter().find(|detail| detail.database == *name);
            let archive = detail.and_then(|detail| detail.archive.as_ref());
            let time = plan.forecast.iter().flat_map(|forecast| &forecast.databases);
            let time = time.filter(|forecast| forecast.database == *name).find_map(|forecast| {
                let stages = [forecast.download_seconds, forecast.decrypt_seconds, forecast.restore_seconds];
                stages.iter().any(Option::is_some).then(|| stages.iter().flatten().sum::<f64>())
            });
            table.row([
                order,
                name.to_string(),
                human::moment(point.taken_at),
                human::duration(crate::clock::seconds_between(point.taken_at, plan.at)),
                or_dash(point.last_modified, human::moment),
                human::bytes(point.size_bytes),
                or_dash(detail.and_then(|detail| detail.history.median_bytes), human::bytes),
                or_dash(archive, |archive| short_version(&archive.server_version)),
                or_dash(archive, |archive| human::count(archive.tables as u64)),
                or_dash(plan.room.restored_bytes.get(name), |bytes| format!("~{}", human::bytes(*bytes))),
                or_dash(time, |time| format!("~{}", human::duration(time))),
                class(point, detail),
            ]);
        }
    }
    table
}

/// `17.12` of `17.12 (Debian 17.12-1.pgdg120+1)`.
fn short_version(version: &str) -> String {
    version.split_whitespace().next().unwrap_or("—").to_owned()
}

fn class(point: &RecoveryPoint, detail: Option<&PointDetail>) -> String {
    let storage = detail.and_then(|detail| detail.storage.value.as_ref());
    if storage.is_some_and(|facts| facts.file.is_some()) {
        return "—".to_owned();
    }
    match detail.and_then(|detail| detail.readable) {
        Some(false) => format!("{} NOT READABLE", point.storage_class),
        _ => point.storage_class.clone(),
    }
}

/// The object, what it says of itself, what is inside, and how it is kept.
fn details(point: &RecoveryPoint, detail: &PointDetail, out: &mut Page) {
    writeln!(out, "{}  {}", point.database, human::one_line(point.key.as_str(), 300));
    if let Some(archive) = &detail.archive {
        writeln!(
            out,
            "  dump        PostgreSQL {} by pg_dump {}, format {}, compression {}, made {} (zone not recorded)",
            short_version(&archive.server_version),
            short_version(&archive.pg_dump_version),
            archive.format,
            archive.compression,
            or_dash(archive.created_at.as_deref(), |time| time.replace('T', " ")),
        );
    }
    if let Some(contents) = &detail.contents {
        inside(contents, out);
    }
    if let Some(drift) = &detail.drift {
        writeln!(out, "  changed     {}", changed(drift));
    }
    if let Some(facts) = detail.storage.value.as_ref().and_then(store_text::kept) {
        writeln!(out, "  kept        {facts}");
    }
}

/// What is gone and what is new since the recovery point before.
fn changed(drift: &DriftRecord) -> String {
    let since = human::moment(drift.since);
    if let Some(why) = &drift.unknown {
        return format!("since {since} not known: {why}");
    }
    let sum = |kinds: &[KindRecord], partitions: usize| {
        let partitions = (partitions > 0).then(|| human::things(partitions as u64, "partition"));
        let kinds = kinds.iter().map(|kind| kind.kind.things(kind.total as u64));
        let all: Vec<String> = kinds.chain(partitions).collect();
        if all.is_empty() { "nothing".to_owned() } else { all.join(", ") }
    };
    let (gone, new) = (sum(&drift.gone, drift.partitions_gone), sum(&drift.new, drift.partitions_new));
    format!("since {since}: {gone} gone, {new} new")
}

fn inside(contents: &ContentsRecord, out: &mut Page) {
    let mut line = |name: &str, text: String| {
        if !text.is_empty() {
            writeln!(out, "  {name:<11} {text}");
        }
    };
    if contents.partial {
        line(
            "seen",
            format!("the first {} of it: there may be more of everything", human::bytes(contents.read_bytes)),
        );
    }
    line("schemas", human::one_line(&contents.schemas.join(", "), ORDER_LENGTH));
    line("extensions", human::one_line(&contents.extensions.join(", "), ORDER_LENGTH));
    let groups: Vec<String> = contents
        .table_order
        .iter()
        .map(|group| group.iter().map(|name| unqualified(name)).collect::<Vec<_>>().join(", "))
        .collect();
    line("tables", human::one_line(&groups.join(" → "), ORDER_LENGTH));
    let circles: Vec<String> = contents.cycles.iter().map(|circle| circle.join(" → ")).collect();
    line("circles", human::one_line(&circles.join("; "), ORDER_LENGTH));
}

/// `public` goes without saying.
fn unqualified(name: &str) -> &str {
    name.strip_prefix("public.").unwrap_or(name)
}

fn set(plan: &DrillPlan) -> String {
    let total: u64 = plan.recovery_set.points.iter().map(|point| point.size_bytes).sum();
    #[expect(clippy::cast_precision_loss, reason = "for show")]
    let skew = human::duration(plan.recovery_set.skew_seconds.unwrap_or_default() as f64);
    format!(
        "{}, {} in all, taken within {skew} of each other",
        human::things(plan.recovery_set.points.len() as u64, "recovery point"),
        human::bytes(total)
    )
}

fn rpo(plan: &DrillPlan) -> String {
    match (plan.rpo.actual_seconds, plan.rpo.target_seconds) {
        (Some(actual), Some(target)) => {
            let met = if plan.rpo.met == Some(true) { "met" } else { "MISSED" };
            format!("{} of {} {met}", human::duration(actual), human::duration(target))
        }
        (Some(actual), None) => format!("{}, no objective", human::duration(actual)),
        _ => "not measured".to_owned(),
    }
}

fn image(facts: &ImageFacts) -> String {
    match facts.major {
        Some(major) => format!("{}: PostgreSQL {major}, by {}", facts.image, facts.basis),
        None => format!("{}: version {}", facts.image, facts.basis),
    }
}

/// A server's image, and what its dumps need of it.
fn server(server: &PlannedServer) -> String {
    let needs = [
        server.needs_major.map(|major| format!("PostgreSQL {major} or later")),
        (!server.needs_extensions.is_empty()).then(|| server.needs_extensions.join(", ")),
    ];
    let needs: Vec<String> = needs.into_iter().flatten().collect();
    let databases: Vec<&str> = server.databases.iter().map(DatabaseName::as_str).collect();
    let needs = if needs.is_empty() { "what is not known".to_owned() } else { needs.join(" and ") };
    human::one_line(
        &format!("{}: {}; {} need {needs}", server.name, image(&server.image), databases.join(", ")),
        ORDER_LENGTH,
    )
}

fn room(plan: &DrillPlan) -> String {
    let free = match &plan.room.free {
        Some(free) => format!("{} free ({})", human::bytes(free.free_bytes), free.basis),
        None => "what is free is not known without the engine".to_owned(),
    };
    format!("~{} needed ({}); {free}", human::bytes(plan.room.needed_bytes), plan.room.basis)
}

fn forecast(plan: &DrillPlan) -> String {
    let Some(forecast) = &plan.forecast else {
        return "none: there is no earlier drill to base it on".to_owned();
    };
    let total = match forecast.total {
        Some(total) if total.low_seconds < total.high_seconds => format!(
            "~{} until verified, from {} to {}",
            human::duration(total.seconds),
            human::duration(total.low_seconds),
            human::duration(total.high_seconds)
        ),
        Some(total) => format!("~{} until verified", human::duration(total.seconds)),
        None => "the whole is not known".to_owned(),
    };
    let checks = forecast.verification_seconds;
    let checks = checks.map(|seconds| format!(", checks ~{}", human::duration(seconds))).unwrap_or_default();
    format!("{total}{checks} ({})", forecast.basis)
}

fn cost(plan: &DrillPlan) -> String {
    let cost = &plan.cost;
    format!(
        "{}, {} moved, {} listed, {}",
        human::things(cost.requests, "request"),
        human::bytes(cost.bytes),
        human::things(cost.objects_listed, "object"),
        human::duration(cost.seconds)
    )
}

/// The gravest last, next to the outcome.
fn findings(findings: &[Finding], out: &mut Page) {
    let mut sorted: Vec<&Finding> = findings.iter().collect();
    sorted.sort_by_key(|finding| finding.severity);
    if !sorted.is_empty() {
        out.blank();
    }
    for finding in sorted {
        let severity = match finding.severity {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        writeln!(
            out,
            "{severity}: {}: {} (expected {}) [{}]",
            human::one_line(&finding.subject, 200),
            human::one_line(&finding.actual, 600),
            human::one_line(&finding.expected, 300),
            finding.code
        );
    }
}

#[cfg(test)]
mod tests;
