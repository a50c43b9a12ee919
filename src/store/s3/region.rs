//! The region that requests are signed for.

use aws_config::SdkConfig;
use aws_config::imds::region::ImdsRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::provider_config::ProviderConfig;
use aws_sdk_s3::config::SharedHttpClient;

use super::proxy::Variable;
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::template;

/// The region of a store that has none, and of AWS where nothing names one.
const NO_REGION: &str = "us-east-1";

/// The region that the template or the environment names. A store of one's own has none, and needs none.
pub(super) fn named(settings: &template::Store, is_demo: bool, variable: Variable<'_>) -> Option<String> {
    if !settings.region.is_empty() {
        return Some(settings.region.clone());
    }
    let of_environment = || ["AWS_REGION", "AWS_DEFAULT_REGION"].into_iter().find_map(variable);
    let of_environment = if is_demo { None } else { of_environment() };
    // For a store of one's own the SDK would ask the machine's metadata service.
    of_environment.or_else(|| (is_demo || !settings.endpoint.is_empty()).then(|| NO_REGION.to_owned()))
}

/// The region of the profile, or the one that the machine is in. The SDK's own chain looks at the environment first,
/// and takes a variable that is empty for a region.
pub(super) fn of_machine(client: SharedHttpClient) -> RegionProviderChain {
    let config = ProviderConfig::without_region().with_http_client(client);
    RegionProviderChain::first_try(ProfileFileRegionProvider::builder().configure(&config).build())
        .or_else(ImdsRegionProvider::builder().configure(&config).build())
}

/// The region requests are signed for. It stands in a header of each, where not every text fits.
///
/// # Errors
/// `region_invalid`, a configuration error.
pub(super) fn checked(shared: &SdkConfig) -> Result<String> {
    let region = shared.region().map_or(NO_REGION, |region| region.as_ref());
    if !region.is_empty() && region.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    {
        return Ok(region.to_owned());
    }
    let message = format!("`{}` is not the name of a region", region.escape_debug());
    Err(Failure::config(codes::REGION_INVALID, message)
        .hint("look at store.region, AWS_REGION, AWS_DEFAULT_REGION and the profile; a region is written like eu-central-1"))
}
