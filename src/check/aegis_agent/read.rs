//! Reading a chained table, page by page, into its fold.

use super::fold::{ChainFold, Row};
use super::heads::{self, Before};
use crate::check::chain::HexDigest;
use crate::check::context::Context;
use crate::check::findings::{Findings, Outcome};
use crate::model::code::Code;
use crate::model::failure::Result;
use crate::model::names::DatabaseName;
use crate::model::verdict::{Finding, Severity};
use crate::target::sqlite::{Joined, PAGE, Records, Workbench};

/// How a table is chained. Its columns begin with `tenant_id` and the hash.
#[derive(Debug)]
pub struct Shape {
    /// The table.
    pub table: &'static str,
    /// What its rows are called.
    pub noun: &'static str,
    /// The column with the hash.
    pub hash: &'static str,
    /// The column with the parent's.
    pub link: &'static str,
    /// What is hashed: the key, and the column. The first is the row's id.
    pub hashed: &'static [(&'static str, &'static str)],
    /// Further columns.
    pub more: &'static [&'static str],
    /// A row that each names.
    pub joined: Option<Joined<'static>>,
}

/// A row as it was read.
#[derive(Debug)]
pub struct Found<'a> {
    shape: &'a Shape,
    rowid: i64,
    values: &'a [Option<String>],
}

impl<'a> Found<'a> {
    fn at(&self, index: usize) -> Option<&'a str> {
        self.values.get(index)?.as_deref()
    }

    /// Whose it is.
    pub fn tenant(&self) -> &'a str {
        self.at(0).unwrap_or_default()
    }

    /// Its hash.
    pub fn hash(&self) -> &'a str {
        self.at(1).unwrap_or_default()
    }

    /// Its id.
    pub fn id(&self) -> &'a str {
        self.at(2).unwrap_or_default()
    }

    /// What a column has that is hashed.
    pub fn hashed(&self, column: &str) -> Option<&'a str> {
        let index = self.shape.hashed.iter().position(|(_, known)| *known == column)?;
        self.at(2 + index)
    }

    /// A further column, by its number.
    pub fn more(&self, number: usize) -> Option<&'a str> {
        self.at(2 + self.shape.hashed.len() + number)
    }

    fn computed(&self) -> HexDigest {
        let members = self.shape.hashed.iter().enumerate();
        super::hash(members.map(|(index, (key, _))| (*key, self.at(2 + index))))
    }
}

/// What a check of a chained table is asked.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The check.
    pub check: &'a str,
    /// The database.
    pub database: &'a DatabaseName,
    /// Whether a head that is gone is a warning.
    pub allow_missing_heads: bool,
    /// The code for a table that is not there.
    pub table_missing: Code,
}

/// Judges what else a row has.
pub trait More: Send {
    /// Judges a row. Returns whether it is known how it was hashed.
    fn row(&mut self, fold: &mut ChainFold, found: &Found<'_>) -> bool;

    /// What is said of all rows, and warnings.
    fn finish(&mut self, table: &str) -> (String, Vec<Finding>);
}

/// Verifies the chains of a table.
///
/// # Errors
/// If they cannot be judged.
pub async fn run(
    shape: &Shape,
    asked: Asked<'_>,
    context: &Context<'_>,
    more: &mut dyn More,
) -> Result<Outcome> {
    let table = format!("{}.{}", asked.database, shape.table);
    let Some(workbench) = context.workbench_of(asked.database) else {
        return Ok(missing(asked.table_missing, table));
    };
    if workbench.columns(asked.database, shape.table).await?.is_empty() {
        return Ok(missing(asked.table_missing, table));
    }
    let earlier = &context.tools.earlier;
    let before = earlier.heads_before(asked.check, asked.database, context.taken_at(asked.database));
    let mut fold = ChainFold::new(shape.noun, heads::watched(before));
    read(workbench, shape, asked.database, &mut fold, more).await?;
    Ok(judge(fold, before, &table, asked, context, more))
}

async fn read(
    workbench: &Workbench,
    shape: &Shape,
    database: &DatabaseName,
    fold: &mut ChainFold,
    more: &mut dyn More,
) -> Result<()> {
    let hashed = shape.hashed.iter().map(|(_, column)| *column);
    let columns: Vec<&str> =
        ["tenant_id", shape.hash].into_iter().chain(hashed).chain(shape.more.iter().copied()).collect();
    let records = Records { table: shape.table, columns: &columns, joined: shape.joined };
    let question = workbench.question(database, &records).await?;
    let mut after = None;
    loop {
        let page = workbench.records(database, &question, after).await?;
        for record in &page {
            let found = Found { shape, rowid: record.rowid, values: &record.values };
            let is_known = more.row(fold, &found);
            fold.push(&Row {
                rowid: found.rowid,
                tenant: found.tenant(),
                id: found.id(),
                hash: found.hash(),
                link: found.hashed(shape.link).unwrap_or_default(),
                computed: is_known.then(|| found.computed()),
            });
        }
        match page.last() {
            Some(last) if page.len() == PAGE => after = Some(last.rowid),
            _ => break,
        }
    }
    let places = workbench.places(database, (shape.table, shape.hash, "tenant_id"), &fold.wanted()).await?;
    fold.judge_links(&places);
    Ok(())
}

fn judge(
    mut fold: ChainFold,
    before: Before<'_>,
    table: &str,
    asked: Asked<'_>,
    context: &Context<'_>,
    more: &mut dyn More,
) -> Outcome {
    let recorded = heads::record(&fold);
    fold.findings.extend(heads::missing(&fold, before, table, asked.allow_missing_heads));
    let (said, warnings) = more.finish(table);
    let held = format!(
        "{} in {}{said}",
        crate::model::human::things(fold.rows, "row"),
        crate::model::human::things(fold.tips.len() as u64, "chain")
    );
    fold.findings.extend(warnings);
    let outcome = fold.findings.into_outcome(fold.rows, held);
    heads::conclude(outcome, recorded, before, &context.tools.earlier, table)
}

fn missing(code: Code, subject: String) -> Outcome {
    let mut findings = Findings::default();
    findings.push(Finding {
        severity: Severity::Error,
        code,
        subject,
        expected: "the table".to_owned(),
        actual: "it is not in the restored database".to_owned(),
    });
    findings.into_outcome(0, String::new())
}
