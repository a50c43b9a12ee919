//! The objects of a database besides its rows, as its catalogs say it: of the source, and of what was restored.
//!
//! Both are asked by the same queries, under settings that print the same: an empty search path, so that every name has its
//! schema. A difference is then one of the databases.

mod asked;
mod queries;

use tokio_postgres::Row;

use super::failures::own_failure;
use super::server::Server;
use super::server_text::ServerText;
use super::snapshot::Snapshot;
use crate::model::failure::Result;
use crate::model::human;
use crate::model::manifest::{CatalogObject, Definition, FORM, ObjectKind, Objects, Recorded};
use crate::model::names::DatabaseName;
use asked::Asked;

const DOING: &str = "listing the objects of the database";

/// Objects of one database that a manifest keeps: those of some twenty thousand tables. More would make it too large to be
/// read.
const MOST: usize = 200_000;

impl Server {
    /// The objects of a restored database.
    ///
    /// # Errors
    /// `query_failed`, and those of connecting.
    pub async fn objects(&self, database: &DatabaseName) -> Result<Vec<CatalogObject>> {
        read(&Asked::Restored(&self.catalog(database.as_str()).await?)).await
    }
}

impl Snapshot {
    /// The objects of the source, for the manifest; nothing, with the reason, if there are too many. No error ends the
    /// transaction, and no lock outlasts a query.
    pub async fn objects(&self) -> Recorded<Objects> {
        match read(&Asked::Source(self.client())).await {
            Ok(objects) if objects.len() > MOST => {
                let (number, most) = (human::count(objects.len() as u64), human::count(MOST as u64));
                Recorded::Unread {
                    reason: format!("it has {number} objects, and a manifest keeps up to {most}"),
                }
            }
            read => read.map(|objects| Objects { form: FORM, objects }).into(),
        }
    }
}

/// Every object, in the order of kinds and names.
async fn read(asked: &Asked<'_>) -> Result<Vec<CatalogObject>> {
    let mut objects = Vec::new();
    for sql in queries::AT_ONCE {
        for row in asked.rows(sql, &[]).await.map_err(|error| own_failure(DOING, &error))? {
            objects.push(object(&row, 0)?);
        }
    }
    // What is printed by these locks the relations that it names, so few are asked for at a time.
    for sql in queries::IN_PORTIONS {
        let mut after = 0_u32;
        loop {
            let rows = asked.rows(sql, &[&after]).await.map_err(|error| own_failure(DOING, &error))?;
            let Some(last) = rows.last() else { break };
            after = last.try_get(0).map_err(|error| own_failure(DOING, &error))?;
            for row in &rows {
                objects.push(object(row, 1)?);
            }
        }
    }
    objects.sort();
    Ok(objects)
}

/// The object of a row, whose columns begin at `first`: kind, schema, table, name, state, definition, and columns that may
/// not be null.
fn object(row: &Row, first: usize) -> Result<CatalogObject> {
    let failed = |error| own_failure(DOING, &error);
    let text = |place: usize| -> Result<Option<String>> {
        let text: Option<ServerText> = row.try_get(first + place).map_err(failed)?;
        Ok(text.map(ServerText::into_string))
    };
    let not_null: Vec<ServerText> = row.try_get(first + 6).map_err(failed)?;
    Ok(CatalogObject {
        kind: kind(&text(0)?.unwrap_or_default()),
        schema: text(1)?.unwrap_or_default(),
        table: text(2)?.unwrap_or_default(),
        name: text(3)?.unwrap_or_default(),
        state: text(4)?,
        definition: text(5)?.as_deref().map(Definition::of),
        not_null: not_null.into_iter().map(ServerText::into_string).collect(),
    })
}

/// The kind that a query gives by its word.
fn kind(word: &str) -> ObjectKind {
    ObjectKind::ALL.into_iter().find(|kind| kind.word() == word).unwrap_or(ObjectKind::Other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_asked_for() {
        let all = [queries::AT_ONCE, queries::IN_PORTIONS].concat().concat();
        for kind in ObjectKind::ALL {
            assert!(all.contains(&format!("'{}'", kind.word())), "{}", kind.word());
        }
    }
}
