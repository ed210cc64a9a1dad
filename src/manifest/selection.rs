//! Kinds that are left out of a check, or that may not be there at all.

use super::document::Document;

/// A kind, with its API version or of any: `Secret`, `apps/v1/Deployment`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KindPattern {
    api_version: Option<String>,
    kind: String,
}

impl KindPattern {
    /// Parses `KIND` or `API-VERSION/KIND`.
    ///
    /// # Errors
    /// There is no kind.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (api_version, kind) = match text.rsplit_once('/') {
            Some((api_version, kind)) => (Some(api_version.to_owned()), kind),
            None => (None, text),
        };
        match kind.is_empty() {
            true => Err(format!(
                "`{text}` names no kind: write `Secret` or `apps/v1/Deployment`"
            )),
            false => Ok(Self {
                api_version,
                kind: kind.to_owned(),
            }),
        }
    }

    /// Tells whether a document is of the kind.
    #[must_use]
    pub fn fits(&self, document: &Document) -> bool {
        let is_api = |wanted: &String| wanted == document.api_version();
        self.kind.eq_ignore_ascii_case(document.kind())
            && self.api_version.as_ref().is_none_or(is_api)
    }
}
