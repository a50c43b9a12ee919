//! Rules of the template: what a role may and may not do with a table.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::code;
use super::found::error;
use crate::format::pg_custom::UnrestoredAccess;
use crate::model::code::Code;
use crate::model::human;
use crate::model::manifest::object_name;
use crate::model::names::DatabaseName;
use crate::model::verdict::{Finding, Severity};
use crate::target::postgres::privileges::{Held, Privilege, Privileges, Question, Tried};
use crate::template::TableName;

/// What a role may and may not do with a table.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The role.
    pub role: String,
    /// The database.
    pub database: DatabaseName,
    /// The table, or the view.
    pub table: TableName,
    /// What the role must be able to do.
    #[serde(default)]
    pub may: BTreeSet<Privilege>,
    /// What it must not be able to do: neither by itself, nor as a role that it can become.
    #[serde(default)]
    pub may_not: BTreeSet<Privilege>,
    /// Only these columns. Otherwise `may` is about the whole table, and `may_not` about every column.
    #[serde(default)]
    pub columns: Vec<String>,
    /// Whether it is also tried, as that role, in a transaction that is rolled back.
    #[serde(default)]
    pub tried: bool,
    /// Whether the rule is left aside where the role is not there.
    #[serde(default)]
    pub if_role_exists: bool,
}

impl Rule {
    /// Checks what the types cannot say.
    ///
    /// # Errors
    /// What is wrong.
    pub fn validate(&self) -> Result<(), String> {
        let place =
            format!("the rule for {} on {}.{}", human::one_line(&self.role, 80), self.database, self.table);
        if self.may.is_empty() && self.may_not.is_empty() {
            return Err(format!("{place}: give may, may_not or both"));
        }
        if let Some(both) = self.may.intersection(&self.may_not).next() {
            return Err(format!("{place}: {both} is both in may and in may_not"));
        }
        if let Some(whole) =
            self.asked().find(|privilege| !self.columns.is_empty() && !privilege.is_of_columns())
        {
            return Err(format!("{place}: {whole} is a privilege on a whole table, not on columns"));
        }
        match self.asked().find(|privilege| self.tried && !privilege.can_be_tried()) {
            Some(untried) => Err(format!("{place}: {untried} can be asked for, and not tried")),
            None => Ok(()),
        }
    }

    fn asked(&self) -> impl Iterator<Item = Privilege> + '_ {
        self.may.iter().chain(&self.may_not).copied()
    }

    /// What the server is asked.
    pub fn question(&self) -> Question<'_> {
        Question {
            role: &self.role,
            table: &self.table,
            columns: &self.columns,
            privileges: self.asked().collect(),
            tried: self.tried,
        }
    }

    /// The subject of its findings.
    pub fn subject(&self) -> String {
        human::one_line(&format!("{}.{}", self.database, self.table), 200)
    }

    fn role(&self) -> String {
        human::one_line(&self.role, 80)
    }

    /// Judges what the server answered. Of a table whose privileges are left out, only that a role may do too much is known:
    /// what it may not do here, it could do in the source. Without the privileges of its schema nobody may use it.
    pub fn judge(&self, answered: &Privileges, left_out: &UnrestoredAccess) -> Judgement {
        let mut findings = match self.judge_all(answered) {
            Judgement::Judged(findings) if answered.role_exists => findings,
            judgement => return judgement,
        };
        let TableName { schema, table } = &self.table;
        let before = findings.len();
        let is_known = if left_out.concerns_table(schema, table) {
            findings.retain(|finding| finding.code == code::PRIVILEGE_EXCESS);
            !findings.is_empty()
        } else if left_out.lacks_privileges("schema", &object_name("schema", schema, "", "")) {
            findings.retain(|finding| finding.code != code::PRIVILEGE_MISSING);
            !findings.is_empty() || before == 0
        } else {
            true
        };
        if is_known {
            return Judgement::Judged(findings);
        }
        Judgement::Aside(
            "`ignore` or `ignore_extensions` leaves out who may do what with the table".to_owned(),
        )
    }

    fn judge_all(&self, answered: &Privileges) -> Judgement {
        let (subject, role) = (self.subject(), self.role());
        let absent = |what: String| {
            let actual = format!("{what} is not there");
            error(code::RULE_SUBJECT_ABSENT, &subject, &what, actual)
        };
        if !answered.role_exists {
            let absent = absent(format!("the role {role}"));
            return if self.if_role_exists {
                Judgement::Aside(absent.actual)
            } else {
                Judgement::Judged(vec![absent])
            };
        }
        let mut findings = Vec::new();
        if !answered.table_exists {
            findings.push(absent(format!("the table {}", self.table)));
        }
        for column in &answered.absent_columns {
            findings.push(absent(format!("the column {}", human::one_line(column, 80))));
        }
        if findings.is_empty() {
            self.may.iter().for_each(|privilege| findings.extend(self.may_do(*privilege, answered)));
            let excess = self.may_not.iter().flat_map(|privilege| self.may_do_too_much(*privilege, answered));
            findings.extend(excess);
        }
        Judgement::Judged(findings)
    }

    fn may_do(&self, privilege: Privilege, answered: &Privileges) -> Vec<Finding> {
        let held = answered.of(privilege);
        let refused = match held.tried.as_ref() {
            Some(Tried::Done) => None,
            Some(Tried::Refused) => Some("the server refused it"),
            _ if !answered.may_use_schema => Some("it may not use the schema"),
            _ if !held.everywhere => Some("nothing gives it that privilege"),
            _ => None,
        };
        let actual = refused.map(|why| format!("{} may not {privilege}: {why}", self.role()));
        let finding = actual.map(|actual| self.finding(code::PRIVILEGE_MISSING, privilege, "may", actual));
        finding.into_iter().chain(self.untried(privilege, held.tried.as_ref())).collect()
    }

    fn may_do_too_much(&self, privilege: Privilege, answered: &Privileges) -> Vec<Finding> {
        let held = answered.of(privilege);
        let role = self.role();
        let how = if held.anywhere {
            Some(format!("{role} may {privilege}"))
        } else if matches!(held.tried, Some(Tried::Done)) {
            Some(format!("{role} may {privilege}: the server did it"))
        } else {
            self.indirectly(privilege, &held)
        };
        let finding = how.map(|actual| self.finding(code::PRIVILEGE_EXCESS, privilege, "may not", actual));
        finding.into_iter().chain(self.untried(privilege, held.tried.as_ref())).collect()
    }

    /// How the role can come to a privilege that it does not have.
    fn indirectly(&self, privilege: Privilege, held: &Held) -> Option<String> {
        let (role, shown) = (self.role(), |name: &String| human::one_line(name, 80));
        let another = held.as_another.first();
        if let Some(another) = another {
            let another = shown(another);
            return Some(format!(
                "{role} may {privilege} as {another}, which it can become or grant to itself"
            ));
        }
        match (&held.as_owner, &held.through_files) {
            (Some(owner), _) if *owner == self.role => {
                Some(format!("{role} has the rights of the owner, and may grant {privilege} to itself"))
            }
            (Some(owner), _) => Some(format!(
                "{role} may grant {privilege} to itself as {}, which has the rights of the owner, and which it can \
                 become or grant to itself",
                shown(owner)
            )),
            (None, Some(system)) => Some(format!(
                "{role} may {privilege} through the server's files: it can act as {}",
                shown(system)
            )),
            (None, None) => None,
        }
    }

    fn untried(&self, privilege: Privilege, tried: Option<&Tried>) -> Option<Finding> {
        let Some(Tried::Otherwise(state)) = tried else { return None };
        Some(Finding {
            severity: Severity::Warning,
            code: code::NOT_TRIED,
            subject: self.subject(),
            expected: "done, or refused for lack of privileges".to_owned(),
            actual: format!(
                "{privilege} as {} ended with SQLSTATE {}",
                self.role(),
                human::one_line(state, 10)
            ),
        })
    }

    fn finding(&self, code: Code, privilege: Privilege, word: &str, actual: String) -> Finding {
        let columns = match self.columns.as_slice() {
            [] => String::new(),
            columns => format!(" ({})", human::one_line(&columns.join(", "), 120)),
        };
        error(code, &self.subject(), &format!("{} {word} {privilege}{columns}", self.role()), actual)
    }
}

/// What judging a rule came to.
#[derive(Debug)]
pub enum Judgement {
    /// It was judged, and this was found.
    Judged(Vec<Finding>),
    /// It was not judged, for this reason.
    Aside(String),
}
