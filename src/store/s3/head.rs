//! Looking at one object.

use aws_sdk_s3::operation::head_object::HeadObjectOutput;

use super::S3Store;
use super::error::status;
use crate::model::failure::Result;
use crate::model::names::ObjectKey;
use crate::store::port::PageRequest;

impl S3Store {
    /// What HEAD says of an object; nothing, if there is none.
    ///
    /// A HEAD is answered without a body. That there is nothing may so be the word of the store, of a gateway that has
    /// no store behind it, or mean that there is no bucket. A listing tells them apart.
    pub(super) async fn head(&self, key: &ObjectKey) -> Result<Option<HeadObjectOutput>> {
        let doing = format!("looking at {key}");
        match self.client.head_object().bucket(&self.bucket).key(key.as_str()).send().await {
            Ok(head) => Ok(Some(head)),
            Err(error) if status(&error) == Some(404) => {
                if self.lists(key).await? {
                    return Err(self.no_store(&format!(
                        "{doing}: {} answers that it is not there, and lists it all the same",
                        self.place()
                    )));
                }
                Ok(None)
            }
            Err(error) => Err(self.failure(&doing, &error)),
        }
    }

    /// Whether a listing has this very key: of all that begin with it, it is the first.
    async fn lists(&self, key: &ObjectKey) -> Result<bool> {
        let request =
            PageRequest { prefix: key.as_str().to_owned(), limit: Some(1), ..PageRequest::default() };
        Ok(self.read_page(&request).await?.objects.iter().any(|object| object.key == *key))
    }
}
