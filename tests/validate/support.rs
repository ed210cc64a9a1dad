//! A directory of manifests and what the program says about it.

use std::path::Path;
use std::process::{Command, Output};

/// A directory that goes away with its test.
pub(crate) struct Manifests(tempfile::TempDir);

/// What the program said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) code: Option<i32>,
}

impl Manifests {
    /// Writes files, each with its path in the directory and its text.
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = directory.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Self(directory)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Runs `podwright kube validate` in the directory.
    pub(crate) fn validate(&self, arguments: &[&str]) -> Said {
        self.run("validate", arguments)
    }

    /// Runs one of the `kube` commands in the directory.
    pub(crate) fn run(&self, command: &str, arguments: &[&str]) -> Said {
        let output = Command::new(env!("CARGO_BIN_EXE_podwright"))
            .args(["kube", command])
            .args(arguments)
            .current_dir(self.path())
            .env_remove("NO_COLOR")
            .output()
            .unwrap();
        Said::of(output)
    }

    /// Returns the rows of `-o json`.
    pub(crate) fn rows(&self, arguments: &[&str]) -> Vec<serde_json::Value> {
        let said = self.validate(&[&["-o", "json"], arguments].concat());
        let rows = serde_json::from_str(&said.stdout);
        rows.unwrap_or_else(|error| panic!("{error}: {said:?}"))
    }

    /// Returns each finding as `severity type path: message`.
    pub(crate) fn findings(&self, arguments: &[&str]) -> Vec<String> {
        let text = |row: &serde_json::Value, field: &str| row[field].as_str().unwrap().to_owned();
        let rows = self.rows(arguments);
        rows.iter()
            .map(|row| {
                format!(
                    "{} {} {}: {}",
                    text(row, "severity"),
                    text(row, "type"),
                    text(row, "path"),
                    text(row, "message")
                )
            })
            .collect()
    }
}

impl Said {
    fn of(output: Output) -> Self {
        Self {
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            code: output.status.code(),
        }
    }
}
