//! Listings, page by page.
//!
//! Pages may be empty and not the last: stores skip over versions and markers that way. And keys are any bytes, which
//! XML cannot hold, so they are asked for URL-encoded; a store that does not do that says nothing of it in its answer.

use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::types::EncodingType;
use percent_encoding::percent_decode_str;

use super::{S3Store, meta_time, size};
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::names::ObjectKey;
use crate::store::listing::Gathered;
use crate::store::port::{ObjectMeta, Page, PageRequest};

/// Pages without anything in them, one after another, that are taken for a store's way of going on.
const EMPTY_PAGES: u32 = 100;

/// A page, and how a store wants to be asked for the next.
struct Part {
    page: Page,
    token: Option<String>,
}

impl S3Store {
    /// A page with something in it, or the last.
    pub(super) async fn read_page(&self, request: &PageRequest) -> Result<Page> {
        Ok(self.read_part(request, None).await?.page)
    }

    /// All pages.
    pub(super) async fn read_listing(&self, prefix: &str) -> Result<Vec<ObjectMeta>> {
        let mut request = PageRequest { prefix: prefix.to_owned(), ..PageRequest::default() };
        let mut token = None;
        let mut gathered = Gathered::default();
        loop {
            let part = self.read_part(&request, token.clone()).await?;
            let last = part.page.objects.iter().map(|object| object.key.as_str()).max().map(str::to_owned);
            gathered.page(prefix, part.page.objects)?;
            if !part.page.more {
                return Ok(gathered.into_objects());
            }
            match part.token {
                Some(next) if token.as_ref() != Some(&next) => token = Some(next),
                // Without one there are still the keys to go on from.
                None if last > request.after => (token, request.after) = (None, last),
                _ => return Err(self.stuck(prefix)),
            }
        }
    }

    async fn read_part(&self, request: &PageRequest, mut token: Option<String>) -> Result<Part> {
        for _ in 0..EMPTY_PAGES {
            let answer = self.ask_for_page(request, token.clone()).await?;
            self.refuse_if_cut(&answer, &request.prefix)?;
            let next = answer.next_continuation_token.clone().filter(|next| !next.is_empty());
            let page = page(answer, request.delimiter.is_some());
            if !page.more || !page.objects.is_empty() || !page.prefixes.is_empty() {
                return Ok(Part { page, token: next });
            }
            if next.is_none() || next == token {
                break;
            }
            token = next;
        }
        Err(self.stuck(&request.prefix))
    }

    async fn ask_for_page(
        &self,
        request: &PageRequest,
        token: Option<String>,
    ) -> Result<ListObjectsV2Output> {
        self.client
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(&request.prefix)
            .set_start_after(request.after.clone())
            .set_continuation_token(token)
            .set_delimiter(request.delimiter.map(String::from))
            .set_max_keys(request.limit.map(i32::from))
            .encoding_type(EncodingType::Url)
            .send()
            .await
            .map_err(|error| self.failure(&format!("listing {}", request.prefix), &error))
    }

    /// The SDK takes XML that ends too early for whole.
    fn refuse_if_cut(&self, answer: &ListObjectsV2Output, prefix: &str) -> Result<()> {
        let came = answer.contents().len() + answer.common_prefixes().len();
        let said = answer.key_count().and_then(|count| usize::try_from(count).ok()).unwrap_or(0);
        if came >= said {
            return Ok(());
        }
        let message =
            format!("listing {prefix}: a page of {} is cut: {came} of its {said} keys came", self.place());
        Err(Failure::inconclusive(codes::TRANSFER_BROKEN, message)
            .hint("check the network between this machine and the store, and the proxies in it"))
    }

    fn stuck(&self, prefix: &str) -> Failure {
        let message = format!(
            "listing {prefix}: {} says that there is more, and does not go on: its pages are empty, or come again",
            self.place()
        );
        Failure::inconclusive(codes::LISTING_STUCK, message)
            .hint("look at what answers at the endpoint; the store's own log tells more")
    }
}

fn page(answer: ListObjectsV2Output, prefixes_wanted: bool) -> Page {
    let encoded = answer.encoding_type == Some(EncodingType::Url);
    let objects = answer.contents.unwrap_or_default().into_iter();
    let prefixes = answer.common_prefixes.unwrap_or_default().into_iter().filter(|_| prefixes_wanted);
    Page {
        objects: objects.filter_map(|object| listed(object, encoded)).collect(),
        prefixes: prefixes.filter_map(|common| Some(decoded(common.prefix?, encoded))).collect(),
        more: answer.is_truncated.unwrap_or(false),
    }
}

fn listed(object: aws_sdk_s3::types::Object, encoded: bool) -> Option<ObjectMeta> {
    Some(ObjectMeta {
        key: ObjectKey::new(decoded(object.key?, encoded)),
        size_bytes: size(object.size),
        last_modified: meta_time(object.last_modified.as_ref()),
        storage_class: object
            .storage_class
            .map_or_else(|| "STANDARD".to_owned(), |class| class.as_str().to_owned()),
        etag: object.e_tag,
    })
}

/// As HTML forms are encoded: S3 writes a space as `+`.
fn decoded(text: String, encoded: bool) -> String {
    if !encoded {
        return text;
    }
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}
