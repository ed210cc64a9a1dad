//! A finding as one flat row, as JSON shows it.

use serde::{Serialize, Serializer};

use crate::manifest::source::{FindingType, Located, Severity};

/// A finding whose parts are spelled as the API server spells them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row<'f> {
    pub file: &'f str,
    pub line: u32,
    pub column: u32,
    /// The number of the document in its file, from 0; none where the file could not be split.
    pub document: Option<usize>,
    pub object: Option<&'f str>,
    pub path: String,
    pub r#type: &'static str,
    pub severity: &'static str,
    pub message: &'f str,
    pub help: Option<&'f str>,
}

/// The rows of findings, as a list.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'f>(pub &'f [Located]);

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(Row::of))
    }
}

impl<'f> Row<'f> {
    /// Returns the row of a finding.
    #[must_use]
    pub fn of(located: &'f Located) -> Self {
        let finding = &located.finding;
        Row {
            file: &located.file,
            line: located.span.line,
            column: located.span.column,
            document: located.document,
            object: located.object.as_deref(),
            path: finding.path.to_string(),
            r#type: finding.kind.name(),
            severity: finding.severity.name(),
            message: &finding.message,
            help: finding.help.as_deref(),
        }
    }
}

impl FindingType {
    const ALL: [Self; 15] = [
        Self::Required,
        Self::Invalid,
        Self::Duplicate,
        Self::Forbidden,
        Self::NotSupported,
        Self::NotFound,
        Self::TooLong,
        Self::TooMany,
        Self::TypeInvalid,
        Self::Syntax,
        Self::Decode,
        Self::UnknownField,
        Self::DuplicateField,
        Self::UnknownKind,
        Self::Warning,
    ];

    /// Finds a type by its name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Returns the name of the type, the API server's where it has one.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Required => "Required",
            Self::Invalid => "Invalid",
            Self::Duplicate => "Duplicate",
            Self::Forbidden => "Forbidden",
            Self::NotSupported => "NotSupported",
            Self::NotFound => "NotFound",
            Self::TooLong => "TooLong",
            Self::TooMany => "TooMany",
            Self::TypeInvalid => "TypeInvalid",
            Self::Syntax => "Syntax",
            Self::Decode => "Decode",
            Self::UnknownField => "UnknownField",
            Self::DuplicateField => "DuplicateField",
            Self::UnknownKind => "UnknownKind",
            Self::Warning => "Warning",
        }
    }

    /// Returns what a finding of the type means, in one sentence.
    pub(super) fn meaning(self) -> &'static str {
        match self {
            Self::Required => "A required value is missing.",
            Self::Invalid => "A value is not one that the API server takes.",
            Self::Duplicate => "A value that must be unique stands twice.",
            Self::Forbidden => "A value may not be set here.",
            Self::NotSupported => "A value is none of those that are known.",
            Self::NotFound => "Something is named that is not there.",
            Self::TooLong => "A value is too long.",
            Self::TooMany => "A list or map has too many entries.",
            Self::TypeInvalid => "A value has the wrong type.",
            Self::Syntax => "The text is not YAML or JSON.",
            Self::Decode => "A value has another type than its field.",
            Self::UnknownField => "A field is one that the kind does not have.",
            Self::DuplicateField => "A key stands twice in its mapping.",
            Self::UnknownKind => "A kind or API version is not known or not served.",
            Self::Warning => "Something works, with a word of caution.",
        }
    }
}

impl Severity {
    /// Returns the name of the severity.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}
