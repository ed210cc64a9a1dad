//! How a command reaches registries: its flags, and the files of this host.

use std::path::PathBuf;

use super::RegistryError;
use super::auth::Credentials;
use super::client::{Client, Endpoint};
use super::config::{Logins, Places, Policy, Registries, Source, Wanted, in_text};
use super::http::Http;
use super::tls::Certificates;

/// What a command says about registries.
#[derive(Debug, Clone, Default)]
pub struct AccessOptions {
    /// The only file that knows who asks.
    pub auth_file: Option<PathBuf>,
    /// Who asks, whatever the files say.
    pub credentials: Option<Credentials>,
    /// The only directory with certificates.
    pub certificates: Option<PathBuf>,
    /// Whether certificates are checked and HTTP is refused, whatever the files say.
    pub verify: Option<bool>,
    /// The only policy for images.
    pub policy: Option<PathBuf>,
    /// The texts of pull secrets: who asks, before the files are asked.
    pub secrets: Vec<String>,
}

/// How this command reaches registries.
#[derive(Debug)]
pub struct Access {
    options: AccessOptions,
    places: Places,
    registries: Registries,
    logins: Logins,
    policy: Policy,
}

impl Access {
    /// Reads what this host says of registries.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn new(options: AccessOptions) -> Result<Self, RegistryError> {
        let places = Places::of_environment();
        let registries = Registries::read(&places)?;
        let logins = Logins::new(&places, options.auth_file.as_deref(), registries.helpers());
        let policy = options.policy.clone().unwrap_or_else(|| places.policy());
        let policy = Policy::read(&policy)?;
        Ok(Self {
            options,
            policy,
            places,
            registries,
            logins,
        })
    }

    /// Returns what is known of names and registries.
    #[must_use]
    pub fn registries(&self) -> &Registries {
        &self.registries
    }

    pub(super) fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Returns where this user's files are.
    #[must_use]
    pub fn places(&self) -> &Places {
        &self.places
    }

    /// Asks a registry whether it knows these credentials.
    ///
    /// # Errors
    /// It does not, or cannot be asked.
    pub fn greet(&self, registry: &str, credentials: &Credentials) -> Result<(), RegistryError> {
        let place = self.registries.place(registry);
        self.connect(&place, Some(credentials.clone()))?.greet()
    }

    /// Returns who is known to a registry.
    ///
    /// # Errors
    /// A file cannot be read, or a helper fails.
    pub fn known(&self, registry: &str) -> Result<Option<Credentials>, RegistryError> {
        self.logins.find(registry, "")
    }

    /// Returns a client for one place of an image, as the user who is known there.
    pub(super) fn client(&self, source: &Source, wanted: &Wanted) -> Result<Client, RegistryError> {
        self.connect(source, self.credentials(source, wanted)?)
    }

    fn connect(
        &self,
        source: &Source,
        credentials: Option<Credentials>,
    ) -> Result<Client, RegistryError> {
        let verify = self.options.verify.unwrap_or(!source.insecure);
        let directories = match &self.options.certificates {
            Some(directory) => vec![directory.clone()],
            None => self.places.certificates(&source.host),
        };
        let http = Http::new(Certificates::read(&directories)?, verify);
        let endpoint = Endpoint {
            host: source.host.clone(),
            insecure: !verify,
        };
        Ok(Client::new(endpoint, http, credentials))
    }

    fn credentials(
        &self,
        source: &Source,
        wanted: &Wanted,
    ) -> Result<Option<Credentials>, RegistryError> {
        if let Some(given) = &self.options.credentials {
            return Ok(Some(given.clone()));
        }
        let hub = source.host == "registry-1.docker.io";
        let registry = match hub {
            true => wanted.registry.as_str(),
            false => source.host.as_str(),
        };
        for text in &self.options.secrets {
            if let Some(found) = in_text(text, registry, &source.repository)? {
                return Ok(Some(found));
            }
        }
        self.logins.find(registry, &source.repository)
    }
}
