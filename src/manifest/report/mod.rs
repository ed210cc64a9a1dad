//! Findings in the forms that people and their tools read.
//!
//! [`Report`] is for a person, the others are for programs: JSON rows, SARIF 2.1.0 for code scanning, JUnit for
//! test reports, and the annotations of GitHub's workflows. All of them show the same findings in the same order,
//! so the same input gives the same bytes each time.

mod github;
mod junit;
mod row;
mod sarif;
mod summary;
mod text;

pub use github::GitHub;
pub use junit::JUnit;
pub use row::{Row, Rows};
pub use sarif::sarif;
pub use summary::{Counts, Summary};
pub use text::{Coloured, Report};
