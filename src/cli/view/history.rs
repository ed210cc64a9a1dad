//! The rows of `history`.

use gotmpl::ToValue as _;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::super::output::{Column, Row};
use super::{Width, words};
use crate::image::{ImageDetails, ImageRecord};

/// How many characters of a command are shown.
const COMMAND: usize = 45;

/// One step that made an image, with podman's fields.
#[derive(Debug, Clone, Serialize)]
pub(in crate::cli) struct HistoryRow {
    id: String,
    created: String,
    #[serde(rename = "CreatedBy")]
    created_by: String,
    size: u64,
    comment: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    #[serde(skip)]
    shown_id: String,
    #[serde(skip)]
    shown_created: String,
    #[serde(skip)]
    shown_created_by: String,
    #[serde(skip)]
    shown_size: String,
}

impl HistoryRow {
    pub(in crate::cli) const SHOWN: [&'static str; 5] =
        ["ID", "Created", "CreatedBy", "Size", "Comment"];
}

impl Row for HistoryRow {
    fn columns() -> &'static [Column<Self>] {
        const COLUMNS: &[Column<HistoryRow>] = &[
            Column::new("ID", "ID", |row| row.shown_id.to_value()),
            Column::new("Created", "CREATED", |row| row.shown_created.to_value()),
            Column::new("CreatedSince", "CREATED", |row| {
                row.shown_created.to_value()
            }),
            Column::new("CreatedAt", "CREATED AT", |row| row.created.to_value()),
            Column::new("CreatedBy", "CREATED BY", |row| {
                row.shown_created_by.to_value()
            }),
            Column::new("Size", "SIZE", |row| row.shown_size.to_value()),
            Column::new("Comment", "COMMENT", |row| row.comment.to_value()),
            Column::new("Tags", "TAGS", |row| row.tags.join(",").to_value()),
        ];
        COLUMNS
    }
}

/// How times and sizes are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Figures {
    /// `2 hours ago`, `5.4 MB`.
    Human,
    /// As they are recorded.
    Exact,
}

/// Returns a row for each step, the youngest first; `layers` has the bytes of each layer.
pub(in crate::cli) fn history(
    image: &ImageRecord,
    details: &ImageDetails,
    layers: &[u64],
    now: Timestamp,
    (width, figures): (Width, Figures),
) -> Vec<HistoryRow> {
    let mut layers = layers.iter().copied();
    let sizes: Vec<u64> = details
        .history
        .iter()
        .map(|step| match step["empty_layer"] == Value::Bool(true) {
            true => 0,
            false => layers.next().unwrap_or(0),
        })
        .collect();
    let steps = details.history.iter().zip(sizes).rev().enumerate();
    let row = |(number, (step, size)): (usize, (&Value, u64))| {
        let text = |name: &str| step[name].as_str().unwrap_or_default().to_owned();
        let (created, created_by) = (text("created"), text("created_by"));
        let (id, shown_id, tags) = match number {
            0 => (
                image.id.to_string(),
                image.id.short().to_owned(),
                image.names.iter().map(ToString::to_string).collect(),
            ),
            _ => ("<missing>".to_owned(), "<missing>".to_owned(), Vec::new()),
        };
        let time: Option<Timestamp> = created.parse().ok();
        HistoryRow {
            shown_id: match width {
                Width::Cut => shown_id,
                Width::Full => id.clone(),
            },
            shown_created: match (figures, time) {
                (Figures::Human, Some(time)) => words::ago(now, time),
                (Figures::Human | Figures::Exact, _) => created.clone(),
            },
            shown_created_by: match width {
                Width::Cut if created_by.chars().count() > COMMAND => {
                    let cut: String = created_by.chars().take(COMMAND - 3).collect();
                    format!("{cut}...")
                }
                Width::Cut | Width::Full => created_by.clone(),
            },
            shown_size: match figures {
                Figures::Human => words::size(size),
                Figures::Exact => size.to_string(),
            },
            id,
            created,
            created_by,
            size,
            comment: text("comment"),
            tags,
        }
    };
    steps.map(row).collect()
}
