//! Tables as podman prints them: cells in columns, cut to a terminal's width.

use std::io::{self, IsTerminal as _};
use std::os::fd::AsFd as _;

/// Aligns cells in columns two spaces apart, as podman's tables are, without trailing spaces.
pub(super) fn align(lines: &[Vec<String>]) -> String {
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
pub(super) fn fit(lines: &mut [Vec<String>], width: usize) {
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

/// Returns how wide a table may be on standard output: as the terminal, if it is one.
pub(super) fn terminal_width() -> Option<usize> {
    if !io::stdout().is_terminal() {
        return None;
    }
    let size = crate::sys::terminal::window_size(io::stdout().as_fd()).ok()?;
    Some(usize::from(size.columns)).filter(|columns| *columns > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
