//! The API server's own validation, one file a subject.
