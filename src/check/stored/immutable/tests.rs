use std::ops::Range;

use bytes::Bytes;

use super::*;
use crate::model::failure::Failure;
use crate::model::testing::{point, start};
use crate::model::verdict::CheckStatus;
use crate::store::{ObjectFacts, ObjectLock, Upload};
use crate::template::testing::template;

/// A bucket with these objects, below a prefix. Those whose names begin with `locked` are, for thirty days.
struct Bucket(Vec<&'static str>);

fn meta(key: &str) -> ObjectMeta {
    ObjectMeta {
        key: ObjectKey::new(key),
        size_bytes: 18,
        last_modified: Some(start()),
        storage_class: "STANDARD".to_owned(),
        etag: None,
    }
}

#[async_trait]
impl Store for Bucket {
    async fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>> {
        Ok(self.0.iter().filter(|key| key.starts_with(prefix)).map(|key| meta(key)).collect())
    }

    async fn stat(&self, key: &ObjectKey) -> Result<Option<ObjectMeta>> {
        Ok(self.0.contains(&key.as_str()).then(|| meta(key.as_str())))
    }

    async fn object_facts(&self, key: &ObjectKey) -> Result<ObjectFacts> {
        if key.as_str().ends_with("gone") {
            return Err(Failure::bad(codes::OBJECT_GONE, "it is gone"));
        }
        let retain_until = Some(start() + TimeDelta::days(30));
        let lock = Some(ObjectLock { mode: "COMPLIANCE".to_owned(), retain_until });
        Ok(ObjectFacts { lock: lock.filter(|_| key.as_str().contains("/locked")), ..ObjectFacts::default() })
    }

    async fn read(&self, _: &ObjectKey, _: Option<&str>, range: Range<u64>) -> Result<Bytes> {
        assert_eq!(range, 0..18, "the whole manifest");
        Ok(Bytes::from_static(br#"{"immutable":true}"#))
    }

    async fn create(&self, _: &ObjectKey) -> Result<Box<dyn Upload>> {
        unreachable!("nothing is written")
    }
}

/// The outcome of a check with these keys in its section.
async fn judged(section: &str, objects: &[&'static str], points: &RecoverySet) -> Outcome {
    let mut check: Immutable = toml::from_str(&format!("name = \"x\"\n{section}")).unwrap();
    let mut template = template();
    template.store.url = "s3://backups/n".to_owned();
    check.complete(&template);
    check.validate(&template).unwrap();
    let store: Arc<dyn Store> = Arc::new(Bucket(objects.to_vec()));
    let (objects, missing) = check.objects(&store, points).await.unwrap();
    let mut looked = Vec::new();
    for object in objects {
        looked.push(check.look(&store, &object).await.unwrap());
    }
    judge(&looked, &missing, 0, None, start())
}

fn found(outcome: &Outcome) -> Vec<(&str, &str)> {
    outcome.findings.iter().map(|found| (found.code.as_str(), &*found.subject)).collect()
}

#[tokio::test]
async fn objects_of_a_bucket_are_immutable_by_their_locks() {
    let objects = [
        "n/locked_1.gz",
        "n/locked_1.gz.sha256",
        "n/open_2.gz",
        "n/open_2.gz.json",
        "n/notes",
        "m/open_3.gz",
        "n/x.gone",
    ];
    let section = "keys = [\"*.gz\", \"*.gone\"]\nsidecars = [\".sha256\", \".json\"]\nclaim = { file = \"{key}.json\" }";
    let outcome = judged(section, &objects, &RecoverySet::default()).await;
    assert_eq!(
        found(&outcome),
        [
            ("claim_unreadable", "n/locked_1.gz"),
            ("not_immutable", "n/open_2.gz"),
            ("immutability_claimed_not_held", "n/open_2.gz"),
            ("not_immutable", "n/open_2.gz.json"),
        ]
    );
    let outcome = judged("keys = [\"locked*\"]", &objects, &RecoverySet::default()).await;
    assert_eq!((outcome.status, &*outcome.summary), (CheckStatus::Pass, "2 of 2 objects cannot be changed"));
    let outcome = judged("keys = [\"none*\"]", &objects, &RecoverySet::default()).await;
    assert_eq!(outcome.status, CheckStatus::Skipped);
}

#[tokio::test]
async fn without_keys_it_is_the_recovery_points_of_the_drill() {
    let mut points = [point("a", 5, 1), point("b", 4, 1)];
    points[0].key = ObjectKey::new("n/locked_a");
    points[1].key = ObjectKey::new("n/b");
    let points = RecoverySet::of(points.into());
    let objects = ["n/locked_a", "n/locked_a.more", "n/b"];
    assert_eq!(found(&judged("", &objects, &points).await), [("not_immutable", "n/b")]);
    let outcome = judged("databases = [\"a\"]", &objects, &points).await;
    assert_eq!((outcome.status, found(&outcome)), (CheckStatus::Pass, vec![]));
    let outcome = judged("", &["n/locked_a"], &points).await;
    assert_eq!(found(&outcome), [("not_immutable", "n/b")], "one that was removed is not kept");
}
