//! Bounds of a listing. A store may list for ever: it is broken, it is not a store, or it wants to exhaust the memory
//! of this machine.

use super::port::ObjectMeta;
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::human;

/// Pages of one listing; stores make them of a thousand objects.
const PAGES: u32 = 2000;
/// Memory of one listing: a quarter of a million objects.
const BYTES: usize = 64 << 20;

/// The pages of a listing, put together.
#[derive(Debug, Default)]
pub struct Gathered {
    objects: Vec<ObjectMeta>,
    pages: u32,
    bytes: usize,
}

impl Gathered {
    /// Takes the objects of a page.
    ///
    /// # Errors
    /// `listing_too_long`, if that is more than a listing of recovery points can be.
    pub fn page(&mut self, prefix: &str, objects: Vec<ObjectMeta>) -> Result<()> {
        self.pages += 1;
        self.bytes += objects.iter().map(size).sum::<usize>();
        self.objects.extend(objects);
        if self.pages <= PAGES && self.bytes <= BYTES {
            return Ok(());
        }
        Err(too_long(prefix, self.objects.len(), self.pages))
    }

    /// The objects so far.
    pub fn objects(&self) -> &[ObjectMeta] {
        &self.objects
    }

    /// All of them.
    pub fn into_objects(self) -> Vec<ObjectMeta> {
        self.objects
    }
}

/// A listing that is longer than one of recovery points can be.
pub fn too_long(prefix: &str, objects: usize, pages: u32) -> Failure {
    let message = format!(
        "the listing of {} did not end after {} in {}",
        human::one_line(prefix, 200),
        human::things(objects as u64, "object"),
        human::things(pages.into(), "page"),
    );
    Failure::inconclusive(codes::LISTING_TOO_LONG, message).hint(
        "put recovery points under a prefix or in a directory of their own (store.url); at an endpoint, look at what answers there",
    )
}

/// What an object takes in memory.
fn size(object: &ObjectMeta) -> usize {
    let texts = object.key.as_str().len() + object.storage_class.len();
    size_of::<ObjectMeta>() + texts + object.etag.as_deref().map_or(0, str::len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::names::ObjectKey;

    fn objects(count: usize, length: usize) -> Vec<ObjectMeta> {
        let object = ObjectMeta {
            key: ObjectKey::new("k".repeat(length)),
            size_bytes: 1,
            last_modified: None,
            storage_class: "STANDARD".to_owned(),
            etag: None,
        };
        vec![object; count]
    }

    #[test]
    fn a_listing_of_years_is_gathered_and_an_endless_one_is_not() {
        let mut years = Gathered::default();
        for _ in 0..200 {
            years.page("nightly/", objects(1000, 60)).unwrap();
        }
        assert_eq!(years.into_objects().len(), 200_000);

        for (count, length, most) in [(1, 60, PAGES), (1000, 60, 500), (1000, 3000, 30)] {
            let mut endless = Gathered::default();
            let pages = (1..).find(|_| endless.page("nightly/", objects(count, length)).is_err()).unwrap();
            assert!(pages <= most + 1, "{pages} pages of {count} keys of {length}");
            let held: usize = endless.objects().iter().map(size).sum();
            assert!(held <= BYTES + count * (length + 200), "{held}");
        }
    }
}
