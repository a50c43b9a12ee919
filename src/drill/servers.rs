//! What each server of the stack is started with.

use std::collections::BTreeMap;

use crate::model::failure::Result;
use crate::model::secret::Secret;
use crate::model::verdict::Tuning;
use crate::sandbox::docker::Engine;
use crate::sandbox::image::Images;
use crate::sandbox::postgres_image::PostgresImage;
use crate::sandbox::spec::PostgresNeeds;
use crate::target::postgres::needs::Needs;
use crate::target::postgres::{Server, ServerVersion, settings};
use crate::template::TemplateServer;

/// A server before it is started.
pub(super) struct PreparedServer<'a> {
    pub(super) template: TemplateServer<'a>,
    pub(super) settings: BTreeMap<String, String>,
    pub(super) password: Secret,
    /// Libraries to load at the start, if the image has them.
    pub(super) preload: Vec<&'static str>,
    image: PostgresImage,
    pub(super) memory_bytes: u64,
    /// Whether there is so little to restore that copying files is the quicker way to make a database.
    small: bool,
}

impl<'a> PreparedServer<'a> {
    /// Prepares a server that may use so much memory and so many restore workers, for dumps that need all this.
    ///
    /// # Errors
    /// `image_not_postgres`.
    pub(super) fn new(
        template: TemplateServer<'a>,
        memory_bytes: u64,
        jobs: usize,
        needs: &Needs,
        images: &Images,
        small: bool,
    ) -> Result<Self> {
        let settings =
            settings::settings(template.tuning, memory_bytes, jobs, needs, &template.settings.settings);
        let password = match template.password.expose() {
            "" => Secret::random(),
            given => Secret::new(given),
        };
        // The template knows better what its image needs.
        let own = template.settings.settings.contains_key("shared_preload_libraries");
        let preload = if own { Vec::new() } else { needs.libraries() };
        let image = PostgresImage::of(&images[&template.image])?;
        Ok(Self { template, settings, password, preload, image, memory_bytes, small })
    }

    /// What its container needs.
    pub(super) fn needs(&self) -> PostgresNeeds<'_> {
        PostgresNeeds {
            name: &self.template.name,
            port: self.template.port(),
            image: &self.template.image,
            facts: &self.image,
            settings: &self.settings,
            preload: &self.preload,
            password: &self.password,
            memory_bytes: self.memory_bytes,
        }
    }
}

/// What follows once its container was started.
impl PreparedServer<'_> {
    /// Waits until the server in this container answers, creates its roles, and notes which libraries it loaded.
    ///
    /// # Errors
    /// Those of [`Server::wait_until_ready`], or if a role cannot be created.
    pub(super) async fn wait(&self, engine: &Engine, container: String) -> Result<ReadyServer> {
        let mut server = Server::new(engine.clone(), container, self.password.clone())
            .known_as(self.template.name.clone(), self.template.port());
        // Each copy makes the server write out all it holds, twice: to the disk, unless the server is a throwaway.
        let syncs = self.settings.get("fsync").is_none_or(|value| value != "off");
        server.copies_files = self.small && !syncs && self.template.tuning == Tuning::Throwaway;
        let version = server.wait_until_ready(self.template.ready_timeout).await;
        let version = version.map_err(|failure| failure.on_server(&server.name))?;
        if !self.template.roles.is_empty() {
            server.create_roles(self.template.roles.iter().map(String::as_str)).await?;
        }
        let mut settings = self.settings.clone();
        if !self.preload.is_empty() {
            let loaded = server.preloaded().await;
            settings.extend(loaded.map(|loaded| ("shared_preload_libraries".to_owned(), loaded)));
        }
        Ok(ReadyServer { server, version, settings })
    }
}

/// A server that answers.
#[derive(Debug)]
pub(super) struct ReadyServer {
    /// The server.
    pub(super) server: Server,
    /// Its version.
    pub(super) version: ServerVersion,
    /// What it was started with, and the libraries it loaded.
    pub(super) settings: BTreeMap<String, String>,
}
