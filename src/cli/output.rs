//! The only place that prints results: a table, JSON, or a Go template, from one row type.
//!
//! A row derives [`Serialize`], which is its JSON; its columns are what a table and a template can
//! show, under podman's field names. Everything that is no result goes to standard error, through
//! [`super::report`]. A reader that closed the pipe has seen what it wanted: that is success.

use std::io::{self, IsTerminal as _, Write};
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicBool, Ordering};

use gotmpl::{ToValue as _, Value};
use serde::Serialize;

mod template;

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
            Format::Json => return self.json(rows),
            Format::Table => {
                let columns = named::<R>(shown);
                let head = columns.iter().map(|column| column.heading.to_owned());
                let body = rows.iter().map(|row| {
                    let cells = columns.iter().map(|column| (column.value)(row).to_string());
                    cells.collect::<Vec<_>>()
                });
                let mut lines = Vec::with_capacity(rows.len() + 1);
                if headings == Headings::Shown {
                    lines.push(head.collect());
                }
                lines.extend(body);
                if let Some(width) = self.width {
                    fit(&mut lines, width);
                }
                self.writer.write_all(align(&lines).as_bytes())?;
            }
            Format::Template {
                text,
                headings: titled,
            } => {
                let lines = templated(rows, text, *titled && headings == Headings::Shown)?;
                if text.contains('\t') || *titled {
                    let cells: Vec<Vec<String>> = lines
                        .iter()
                        .map(|line| line.split('\t').map(str::to_owned).collect())
                        .collect();
                    self.writer.write_all(align(&cells).as_bytes())?;
                } else {
                    for line in lines {
                        writeln!(self.writer, "{line}")?;
                    }
                }
            }
        }
        Ok(self.writer.flush()?)
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

fn named<R: Row>(shown: &[&str]) -> Vec<&'static Column<R>> {
    shown
        .iter()
        .filter_map(|name| R::columns().iter().find(|column| column.name == *name))
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

/// Aligns cells in columns two spaces apart, as podman's tables are, without trailing spaces.
fn align(lines: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = Vec::new();
    for line in lines {
        for (position, cell) in line.iter().enumerate() {
            let width = cell.chars().count();
            match widths.get_mut(position) {
                Some(widest) => *widest = width.max(*widest),
                None => widths.push(width),
            }
        }
    }
    let mut text = String::new();
    for line in lines {
        let start = text.len();
        for (cell, width) in line.iter().zip(&widths) {
            text.push_str(cell);
            let padding = width + 2 - cell.chars().count();
            text.extend(std::iter::repeat_n(' ', padding));
        }
        let end = start + text[start..].trim_end_matches(' ').len();
        text.truncate(end);
        text.push('\n');
    }
    text
}

/// The narrowest that a cell is cut to: an id is recognised by its beginning.
const NARROWEST: usize = 6;

/// Cuts the widest cells until the lines fit, an ellipsis standing for what is missing.
///
/// A terminal too narrow for that wraps lines.
fn fit(lines: &mut [Vec<String>], width: usize) {
    let columns = lines.iter().map(Vec::len).max().unwrap_or_default();
    let cell_width = |lines: &[Vec<String>], column: usize| {
        let cells = lines.iter().filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let mut widths: Vec<usize> = (0..columns)
        .map(|column| cell_width(lines, column))
        .collect();
    let room = width.saturating_sub(columns.saturating_sub(1) * 2);
    while widths.iter().sum::<usize>() > room {
        let Some(widest) = widths.iter_mut().max() else {
            return;
        };
        if *widest <= NARROWEST {
            break;
        }
        *widest -= 1;
    }
    for line in lines {
        for (cell, width) in line.iter_mut().zip(&widths) {
            if cell.chars().count() > *width {
                *cell = cell.chars().take(width - 1).chain(['…']).collect();
            }
        }
    }
}

fn terminal_width() -> Option<usize> {
    if !io::stdout().is_terminal() {
        return None;
    }
    let size = crate::sys::terminal::window_size(io::stdout().as_fd()).ok()?;
    Some(usize::from(size.columns)).filter(|columns| *columns > 0)
}

/// Returns whether standard output may be coloured: a terminal, and no `NO_COLOR`.
#[must_use]
pub fn stdout_has_colour() -> bool {
    io::stdout().is_terminal() && colour_wanted()
}

/// Returns whether standard error may be coloured.
#[must_use]
pub fn stderr_has_colour() -> bool {
    io::stderr().is_terminal() && colour_wanted()
}

/// Colour is unwanted when `NO_COLOR` is set to anything (<https://no-color.org>), or on a dumb terminal.
fn colour_wanted() -> bool {
    let unset = |name| std::env::var_os(name).is_none_or(|value| value.is_empty());
    unset("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Whether warnings are wanted; `--log-level error` wants none.
static WARNINGS: AtomicBool = AtomicBool::new(true);

/// Says no more than errors from now on.
pub fn tell_errors_only() {
    WARNINGS.store(false, Ordering::Relaxed);
}

/// Returns whether warnings are wanted.
#[must_use]
pub fn warnings_wanted() -> bool {
    WARNINGS.load(Ordering::Relaxed)
}

/// Writes a warning to standard error, if warnings are wanted.
pub fn warn(message: impl std::fmt::Display) {
    if warnings_wanted() {
        tell(&format!("warning: {message}\n"));
    }
}

/// Writes a message to standard error; when that is gone too, nobody is left to be told.
pub fn tell(message: &str) {
    if message.is_empty() {
        return;
    }
    let mut stderr = io::stderr().lock();
    if stderr.write_all(message.as_bytes()).is_ok() && !message.ends_with('\n') {
        stderr.write_all(b"\n").ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Animal {
        id: String,
        names: Vec<&'static str>,
        legs: u32,
    }

    impl Row for Animal {
        fn columns() -> &'static [Column<Self>] {
            &[
                Column {
                    name: "ID",
                    heading: "ANIMAL ID",
                    value: |row| row.id[..4].to_value(),
                },
                Column {
                    name: "Names",
                    heading: "NAMES",
                    value: |row| row.names.join(",").to_value(),
                },
            ]
        }
    }

    fn shown(format: &str, headings: Headings) -> String {
        let animals = [
            Animal {
                id: "abcdefgh".into(),
                names: vec!["cat", "puss"],
                legs: 4,
            },
            Animal {
                id: "12345678".into(),
                names: vec![""],
                legs: 2,
            },
        ];
        let mut bytes = Vec::new();
        Output::new(&mut bytes)
            .rows(
                &animals,
                &Format::parse(format).unwrap(),
                &["ID", "Names"],
                headings,
            )
            .unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_table_is_aligned_and_has_no_trailing_spaces() {
        assert_eq!(
            shown("table", Headings::Shown),
            "ANIMAL ID  NAMES\nabcd       cat,puss\n1234\n"
        );
        assert_eq!(shown("table", Headings::Hidden), "abcd  cat,puss\n1234\n");
    }

    #[test]
    fn a_table_fits_its_terminal_by_cutting_the_widest_cells() {
        let line = |texts: [&str; 3]| texts.map(str::to_owned).to_vec();
        let mut lines = vec![
            line(["ID", "COMMAND", "NAMES"]),
            line(["abcdef", "a command that is long", "web"]),
        ];
        fit(&mut lines, 30);
        assert_eq!(
            align(&lines),
            "ID      COMMAND          NAMES\nabcdef  a command that…  web\n"
        );
        let whole = lines.clone();
        fit(&mut lines, 80);
        assert_eq!(lines, whole);
        fit(&mut lines, 1);
        assert!(
            lines[1]
                .iter()
                .all(|cell| cell.chars().count() <= NARROWEST)
        );
    }

    #[test]
    fn json_has_what_the_row_serialises() {
        let value: serde_json::Value =
            serde_json::from_str(&shown("json", Headings::Shown)).unwrap();
        assert_eq!(value[0]["Id"], "abcdefgh");
        assert_eq!(value[0]["Names"][1], "puss");
        assert!(shown("json", Headings::Shown).starts_with("[\n    {\n        \"Id\""));
    }

    #[test]
    fn templates_see_columns_before_json_fields() {
        assert_eq!(
            shown("{{.ID}} {{.Names}} {{.Legs}}", Headings::Shown),
            "abcd cat,puss 4\n1234  2\n"
        );
        assert_eq!(
            shown("table {{.ID}}\\t{{.Names}}", Headings::Shown),
            "ANIMAL ID  NAMES\nabcd       cat,puss\n1234\n"
        );
        assert_eq!(
            shown("{{len .ID}}{{if eq .Legs 4}} four{{end}}", Headings::Shown),
            "4 four\n4\n"
        );
    }

    impl Object for serde_json::Value {}

    #[test]
    fn templates_print_lists_and_maps_as_go_does() {
        let mut bytes = Vec::new();
        let object = serde_json::json!({"Env": ["a=1", "b=2"], "Labels": {"z": "1", "a": "2"}, "Ok": true, "None": null});
        let format = Format::parse("{{.Env}} {{.Labels}} {{.Ok}} {{index .Labels \"a\"}} {{json .Env}} {{range .Env}}<{{.}}>{{end}}").unwrap();
        Output::new(&mut bytes)
            .objects(&[object], Some(&format))
            .unwrap();
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            "[a=1 b=2] map[a:2 z:1] true 2 [\"a=1\",\"b=2\"] <a=1><b=2>\n"
        );
    }

    #[test]
    fn a_field_that_is_not_there_is_an_error() {
        let format = Format::parse("{{.Nonsense}}").unwrap();
        let result =
            Output::new(Vec::new()).objects(&[serde_json::json!({"Id": 1})], Some(&format));
        assert!(matches!(result, Err(OutputError::Template(_))));
        assert!(Format::parse("{{.ID").is_err());
    }

    #[test]
    fn a_closed_pipe_is_told_from_other_errors() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        assert!(matches!(
            Output::new(Gone).line("x"),
            Err(OutputError::Closed)
        ));
    }
}
