//! What an image says about the Postgres in it.

use super::image::ImageFacts;
use crate::model::codes;
use crate::model::failure::{Failure, Result};

/// What a drill needs to know of a Postgres image before it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresImage {
    /// Paths its data goes to; each gets an anonymous volume.
    pub data_volumes: Vec<String>,
    /// What it runs before its command.
    pub entrypoint: Vec<String>,
}

impl PostgresImage {
    /// Reads an image's environment and volumes, as the official image declares them.
    ///
    /// # Errors
    /// `image_not_postgres`, if it does not look like a Postgres image.
    pub fn of(facts: &ImageFacts) -> Result<Self> {
        let variable =
            |name: &str| facts.environment.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        let Some(data) = variable("PGDATA") else {
            return Err(Failure::config(
                codes::IMAGE_NOT_POSTGRES,
                format!(
                    "the image {} does not set PGDATA, so it is not the official postgres image or like it",
                    facts.name
                ),
            )
            .hint(
                "set postgres.image to postgres:17-alpine or such, or build one with docker/build-images",
            ));
        };
        let mut data_volumes = facts.volumes.clone();
        if !data_volumes.iter().any(|volume| data == volume || data.starts_with(&format!("{volume}/"))) {
            data_volumes.push(data.to_owned());
        }
        Ok(Self { data_volumes, entrypoint: facts.entrypoint.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(environment: &[&str], volumes: &[&str]) -> Result<PostgresImage> {
        let strings = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        PostgresImage::of(&ImageFacts {
            name: "x".to_owned(),
            id: "sha256:1".to_owned(),
            environment: strings(environment),
            entrypoint: vec!["docker-entrypoint.sh".to_owned()],
            volumes: strings(volumes),
            ports: Vec::new(),
        })
    }

    #[test]
    fn the_official_layouts_are_understood() {
        let until_17 = image(&["PGDATA=/var/lib/postgresql/data"], &["/var/lib/postgresql/data"]);
        assert_eq!(until_17.unwrap().data_volumes, ["/var/lib/postgresql/data"]);
        let from_18 = image(&["PGDATA=/var/lib/postgresql/18/docker"], &["/var/lib/postgresql"]);
        assert_eq!(from_18.unwrap().data_volumes, ["/var/lib/postgresql"]);
    }

    #[test]
    fn data_outside_the_declared_volumes_gets_one() {
        let image = image(&["PGDATA=/data/pg"], &["/datastore"]).unwrap();
        assert_eq!(image.data_volumes, ["/datastore", "/data/pg"]);
    }

    #[test]
    fn other_images_are_refused() {
        assert_eq!(image(&["PATH=/bin"], &[]).unwrap_err().code.as_str(), "image_not_postgres");
    }
}
