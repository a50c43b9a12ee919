//! How an archived object is made readable by hand.

use crate::model::human::shell_word;
use crate::model::names::ObjectKey;
use crate::store::facts::ObjectFacts;

/// The command of the AWS CLI that asks for a readable copy.
pub(super) fn restore_command(bucket: &str, key: &ObjectKey, facts: &ObjectFacts) -> String {
    let request = if facts.is_tiered() {
        r#"{"GlacierJobParameters":{"Tier":"Standard"}}"#
    } else {
        r#"{"Days":7,"GlacierJobParameters":{"Tier":"Standard"}}"#
    };
    let key = shell_word(key.as_str());
    format!("aws s3api restore-object --bucket {bucket} --key {key} --restore-request '{request}'")
}
