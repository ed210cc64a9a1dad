//! The only place that prints results: a table, JSON, or a Go template, from one row type.
//!
//! A row derives [`Serialize`], which is its JSON; its columns are what a table and a template can
//! show, under podman's field names. Everything that is no result goes to standard error, through
//! [`super::report`]. A reader that closed the pipe has seen what it wanted: that is success.

mod stderr;
mod table;
mod template;

use std::io::{self, Write};

use gotmpl::{ToValue as _, Value};
use serde::Serialize;

use table::{align, fit, terminal_width};

pub use stderr::{
    stderr_has_colour, stdout_has_colour, tell, tell_errors_only, warn, warnings_wanted,
};
pub(in crate::cli) use template::moment;

/// The form of an output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    /// The columns a command shows by itself.
    Table,
    Json,
    /// A Go template, once for each row.
    Template {
        text: String,
        headings: bool,
    },
}

impl Format {
    /// Parses what `--format` was given: `json`, `table`, `table TEMPLATE` or `TEMPLATE`.
    ///
    /// # Errors
    /// The template is not well formed.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim_start();
        let format = match (text, text.strip_prefix("table ")) {
            ("json" | "{{json .}}" | "{{ json . }}", _) => return Ok(Self::Json),
            ("table" | "", _) => return Ok(Self::Table),
            (_, Some(rest)) => Self::Template {
                text: unescape(rest.trim_start()),
                headings: true,
            },
            (_, None) => Self::Template {
                text: unescape(text),
                headings: false,
            },
        };
        if let Self::Template { text, .. } = &format {
            template::parse(text).map_err(|error| error.to_string())?;
        }
        Ok(format)
    }
}

/// Returns the text with `\t` and `\n` as the characters they name, as podman takes them from a shell.
fn unescape(text: &str) -> String {
    text.replace("\\t", "\t").replace("\\n", "\n")
}

/// Why nothing could be shown.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The reader closed the pipe; nothing is wrong.
    #[error("the reader is gone")]
    Closed,
    #[error("writing to standard output")]
    Write(#[source] io::Error),
    /// The template names what is not there, or misuses it.
    #[error("{0}")]
    Template(gotmpl::TemplateError),
    #[error("writing JSON")]
    Json(#[source] serde_json::Error),
}

impl From<io::Error> for OutputError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Closed,
            _ => Self::Write(error),
        }
    }
}

/// One thing a row can show.
pub struct Column<R> {
    /// The field's name in a template.
    pub name: &'static str,
    /// What stands above it in a table.
    pub heading: &'static str,
    pub value: fn(&R) -> Value,
}

impl<R> Column<R> {
    /// Names a column, heads it and fills it.
    pub const fn new(name: &'static str, heading: &'static str, value: fn(&R) -> Value) -> Self {
        Self {
            name,
            heading,
            value,
        }
    }
}

/// A row of a list: its JSON is its [`Serialize`], its columns are what a table shows.
pub trait Row: Serialize + Sized + 'static {
    /// All columns, by the names podman gives the fields.
    fn columns() -> &'static [Column<Self>];
}

/// An object that `inspect` shows: its JSON is its [`Serialize`].
pub trait Object: Serialize {
    /// Returns more fields that a template may ask for and JSON does not repeat.
    fn for_templates(&self) -> Option<serde_json::Value> {
        None
    }
}

/// How the rows of a table are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Headings {
    Shown,
    Hidden,
}

/// Standard output, buffered and locked, or any other writer.
pub struct Output<W: Write> {
    writer: W,
    /// How wide a table may be: as the terminal, if there is one.
    width: Option<usize>,
}

impl Output<io::BufWriter<io::StdoutLock<'static>>> {
    /// Returns standard output.
    #[must_use]
    pub fn stdout() -> Self {
        Self {
            writer: io::BufWriter::with_capacity(64 * 1024, io::stdout().lock()),
            width: terminal_width(),
        }
    }
}

impl<W: Write> Output<W> {
    /// Returns an output to any writer.
    #[must_use]
    pub fn new(writer: W) -> Self {
        Self {
            writer,
            width: None,
        }
    }

    /// Lets tables be as wide as their cells are, as `--no-trunc` asks for.
    pub fn cut_nothing(&mut self) {
        self.width = None;
    }

    /// Prints rows: the columns called `shown` as a table, or all as JSON or through a template.
    ///
    /// # Errors
    /// The writer, or the template.
    pub fn rows<R: Row>(
        &mut self,
        rows: &[R],
        format: &Format,
        shown: &[&str],
        headings: Headings,
    ) -> Result<(), OutputError> {
        match format {
            Format::Json => self.json(rows),
            Format::Table => {
                let mut lines = tabled(rows, shown, headings);
                if let Some(width) = self.width {
                    fit(&mut lines, width);
                }
                self.table(&lines)
            }
            Format::Template {
                text,
                headings: titled,
            } => {
                let lines = templated(rows, text, *titled && headings == Headings::Shown)?;
                if text.contains('\t') || *titled {
                    let cells = lines.iter().map(|line| line.split('\t'));
                    let cells: Vec<Vec<String>> = cells
                        .map(|line| line.map(str::to_owned).collect())
                        .collect();
                    return self.table(&cells);
                }
                for line in lines {
                    self.line(line)?;
                }
                self.flush()
            }
        }
    }

    /// Prints objects as `inspect` does: a JSON array, or each through a template.
    ///
    /// # Errors
    /// The writer, or the template.
    pub fn objects<T: Object>(
        &mut self,
        objects: &[T],
        format: Option<&Format>,
    ) -> Result<(), OutputError> {
        let Some(Format::Template { text, .. }) = format else {
            return self.json(objects);
        };
        let template = template::parse(text).map_err(OutputError::Template)?;
        for object in objects {
            let mut data = serde_json::to_value(object).map_err(OutputError::Json)?;
            if let (serde_json::Value::Object(fields), Some(serde_json::Value::Object(more))) =
                (&mut data, object.for_templates())
            {
                fields.extend(more);
            }
            let line = template
                .execute_to_string(&template::data(data))
                .map_err(OutputError::Template)?;
            writeln!(self.writer, "{line}")?;
        }
        Ok(self.writer.flush()?)
    }

    /// Prints one value as JSON, indented by four spaces as podman does.
    ///
    /// # Errors
    /// The writer.
    pub fn json<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), OutputError> {
        let indent = serde_json::ser::PrettyFormatter::with_indent(b"    ");
        let mut serializer = serde_json::Serializer::with_formatter(&mut self.writer, indent);
        let written = value.serialize(&mut serializer);
        written.map_err(|error| match error.is_io() {
            true => io::Error::from(error).into(),
            false => OutputError::Json(error),
        })?;
        self.writer.write_all(b"\n")?;
        Ok(self.writer.flush()?)
    }

    /// Prints lines of cells in aligned columns.
    ///
    /// # Errors
    /// The writer.
    pub fn table(&mut self, lines: &[Vec<String>]) -> Result<(), OutputError> {
        self.writer.write_all(align(lines).as_bytes())?;
        Ok(self.writer.flush()?)
    }

    /// Prints one line.
    ///
    /// # Errors
    /// The writer.
    pub fn line(&mut self, text: impl std::fmt::Display) -> Result<(), OutputError> {
        Ok(writeln!(self.writer, "{text}")?)
    }

    /// Prints a text as it is.
    ///
    /// # Errors
    /// The writer.
    pub fn text(&mut self, text: impl std::fmt::Display) -> Result<(), OutputError> {
        Ok(write!(self.writer, "{text}")?)
    }

    /// Prints bytes as they are.
    ///
    /// # Errors
    /// The writer.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), OutputError> {
        Ok(self.writer.write_all(bytes)?)
    }

    /// Returns the writer, for what is copied through.
    pub fn writer(&mut self) -> &mut W {
        &mut self.writer
    }

    /// Hands over everything printed so far.
    ///
    /// # Errors
    /// The writer.
    pub fn flush(&mut self) -> Result<(), OutputError> {
        Ok(self.writer.flush()?)
    }
}

/// Returns the cells of the columns called `shown`.
fn tabled<R: Row>(rows: &[R], shown: &[&str], headings: Headings) -> Vec<Vec<String>> {
    let named = |name: &&str| R::columns().iter().find(|column| column.name == *name);
    let columns: Vec<&Column<R>> = shown.iter().filter_map(named).collect();
    let head = columns.iter().map(|column| column.heading.to_owned());
    let cells = |row| {
        columns
            .iter()
            .map(move |column| (column.value)(row).to_string())
    };
    let head = (headings == Headings::Shown).then(|| head.collect());
    head.into_iter()
        .chain(rows.iter().map(|row| cells(row).collect()))
        .collect()
}

/// Runs a template over rows; its data are the row's columns, and whatever else the JSON has.
fn templated<R: Row>(rows: &[R], text: &str, titled: bool) -> Result<Vec<String>, OutputError> {
    let template = template::parse(text).map_err(OutputError::Template)?;
    let run = |data: &Value| {
        template
            .execute_to_string(data)
            .map_err(OutputError::Template)
    };
    let mut lines = Vec::with_capacity(rows.len() + 1);
    if titled {
        let titles = R::columns()
            .iter()
            .map(|column| (column.name.into(), column.heading.to_value()));
        lines.push(run(&Value::Map(std::sync::Arc::new(titles.collect())))?);
    }
    for row in rows {
        let data = serde_json::to_value(row).map_err(OutputError::Json)?;
        let mut fields = match template::data(data) {
            Value::Map(fields) => std::sync::Arc::unwrap_or_clone(fields),
            _ => std::collections::BTreeMap::new(),
        };
        for column in R::columns() {
            fields.insert(column.name.into(), (column.value)(row));
        }
        lines.push(run(&Value::Map(std::sync::Arc::new(fields)))?);
    }
    Ok(lines)
}

#[cfg(test)]
mod tests;
