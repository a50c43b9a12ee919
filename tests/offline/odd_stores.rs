//! Stores that speak S3 in their own way: a bucket whose objects are locked, one without conditional writes, one that is
//! wrong about conditions on reading.

use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use restore_drill::demo::s3::S3Server;
use restore_drill::model::failure::Class;
use restore_drill::model::names::ObjectKey;
use restore_drill::store::{S3Store, Store};
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, CompleteMultipartUploadInput,
    CompleteMultipartUploadOutput, CreateMultipartUploadInput, CreateMultipartUploadOutput, GetObjectInput,
    GetObjectOutput, HeadObjectInput, HeadObjectOutput, ListObjectsV2Input, ListObjectsV2Output,
    UploadPartInput, UploadPartOutput,
};
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};
use s3s_fs::FileSystem;
use tempfile::TempDir;

use super::support::world::{BUCKET, RUNTIME, store_settings};

/// What a store does otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Oddity {
    /// Parts without a digest are refused, as in a bucket with object lock.
    DemandsDigest,
    /// Conditional writes are answered with 400.
    RefusesConditions,
    /// Every `If-Match` fails.
    NeverMatches,
    /// Objects are completed, and the answer is lost; a second request is answered that there is an object.
    LosesAnswers,
}

/// A store of files, but for its oddity.
struct Odd {
    files: FileSystem,
    oddity: Oddity,
    /// An object was completed.
    completed: AtomicBool,
}

#[async_trait::async_trait]
impl S3 for Odd {
    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        self.files.create_multipart_upload(request).await
    }

    async fn upload_part(
        &self,
        mut request: S3Request<UploadPartInput>,
    ) -> S3Result<S3Response<UploadPartOutput>> {
        // Taken, since the files' server would not know it.
        let digest = request.input.content_md5.take();
        if self.oddity == Oddity::DemandsDigest {
            let body = collected(&mut request).await;
            if digest != Some(md5_base64(&body)) {
                return Err(s3_error!(
                    InvalidRequest,
                    "Content-MD5 OR x-amz-checksum- HTTP header is required"
                ));
            }
        }
        self.files.upload_part(request).await
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        if self.oddity == Oddity::RefusesConditions && request.input.if_none_match.is_some() {
            return Err(s3_error!(InvalidArgument, "If-None-Match is not supported"));
        }
        if self.oddity == Oddity::LosesAnswers {
            if self.completed.swap(true, Ordering::SeqCst) {
                return Err(s3_error!(PreconditionFailed));
            }
            self.files.complete_multipart_upload(request).await?;
            return Err(s3_error!(InternalError));
        }
        self.files.complete_multipart_upload(request).await
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        self.files.abort_multipart_upload(request).await
    }

    async fn head_object(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        self.files.head_object(request).await
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        self.files.list_objects_v2(request).await
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        if self.oddity == Oddity::NeverMatches && request.input.if_match.is_some() {
            return Err(s3_error!(PreconditionFailed));
        }
        self.files.get_object(request).await
    }
}

async fn collected(request: &mut S3Request<UploadPartInput>) -> Bytes {
    use futures_util::TryStreamExt as _;
    let body = request.input.body.take().expect("a part has a body");
    let body: Vec<Bytes> = body.try_collect().await.expect("it arrives");
    let body = Bytes::from(body.concat());
    request.input.body = Some(s3s::Body::from(body.clone()).into());
    body
}

fn md5_base64(body: &[u8]) -> String {
    use base64::Engine as _;
    use md5::Digest as _;
    base64::engine::general_purpose::STANDARD.encode(md5::Md5::digest(body))
}

/// A store with an oddity, and the directory it keeps objects in.
fn odd(oddity: Oddity) -> (S3Store, S3Server, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join(BUCKET)).unwrap();
    let files = FileSystem::new(directory.path()).unwrap();
    let server =
        RUNTIME.block_on(S3Server::serve(Odd { files, oddity, completed: AtomicBool::new(false) })).unwrap();
    let settings = store_settings(BUCKET, &server.endpoint());
    let store = S3Store::connect_with(&settings, server.access_key(), server.secret_key());
    (RUNTIME.block_on(store).unwrap(), server, directory)
}

fn upload(store: &S3Store, key: &str, bytes: &'static [u8]) -> restore_drill::model::failure::Result<()> {
    RUNTIME.block_on(async {
        let mut upload = store.create(&ObjectKey::new(key)).await?;
        upload.write(Bytes::from_static(bytes)).await?;
        upload.finish().await
    })
}

fn read(store: &S3Store, key: &str, etag: Option<&str>) -> restore_drill::model::failure::Result<Bytes> {
    RUNTIME.block_on(store.read(&ObjectKey::new(key), etag, 0..5))
}

#[test]
fn a_bucket_whose_objects_are_locked_takes_uploads() {
    let (store, _server, _directory) = odd(Oddity::DemandsDigest);
    upload(&store, "locked", b"bytes").unwrap();
    assert_eq!(read(&store, "locked", None).unwrap(), "bytes");
}

#[test]
fn a_store_that_refuses_conditional_writes_takes_uploads_and_nothing_is_overwritten() {
    let (store, _server, _directory) = odd(Oddity::RefusesConditions);
    upload(&store, "kept", b"first").unwrap();
    assert_eq!(read(&store, "kept", None).unwrap(), "first");
    // Neither saw the other when it began.
    let begin = || RUNTIME.block_on(store.create(&ObjectKey::new("raced"))).unwrap();
    let uploads = [(begin(), b"first"), (begin(), b"later")].map(|(mut upload, bytes)| {
        RUNTIME.block_on(upload.write(Bytes::from_static(bytes))).unwrap();
        RUNTIME.block_on(upload.finish()).map_err(|failure| failure.code.as_str())
    });
    assert_eq!(uploads, [Ok(()), Err("object_exists")]);
    assert_eq!(read(&store, "raced", None).unwrap(), "first");
}

#[test]
fn an_upload_whose_answer_is_lost_is_known_by_its_mark() {
    let (store, _server, _directory) = odd(Oddity::LosesAnswers);
    // Neither saw the other when it began, and one is as long as the other.
    let begin = || RUNTIME.block_on(store.create(&ObjectKey::new("lost"))).unwrap();
    let uploads = [(begin(), b"first"), (begin(), b"later")].map(|(mut upload, bytes)| {
        RUNTIME.block_on(upload.write(Bytes::from_static(bytes))).unwrap();
        RUNTIME.block_on(upload.finish()).map_err(|failure| failure.code.as_str())
    });
    assert_eq!(uploads, [Ok(()), Err("object_exists")]);
    assert_eq!(read(&store, "lost", None).unwrap(), "first");
}

#[test]
fn a_store_that_is_wrong_about_a_condition_is_not_accused_of_replacing_objects() {
    let (store, _server, directory) = odd(Oddity::NeverMatches);
    upload(&store, "same", b"bytes").unwrap();
    let etag = RUNTIME.block_on(store.stat(&ObjectKey::new("same"))).unwrap().unwrap().etag;
    assert!(etag.is_some());
    assert_eq!(read(&store, "same", etag.as_deref()).unwrap(), "bytes");
    // Where it is right, that is still found.
    std::fs::write(directory.path().join(BUCKET).join("same"), b"other").unwrap();
    let failure = read(&store, "same", Some("\"0123456789abcdef\"")).unwrap_err();
    assert_eq!((failure.class, failure.code.as_str()), (Class::Inconclusive, "object_changed"));
}
