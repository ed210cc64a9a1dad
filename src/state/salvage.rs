//! A damaged database is put aside, and what can still be read of it goes into a new one.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, Transaction};

use super::lock::LockDir;
use super::sqlite::{Durability, StoreError};
use super::store::{NAME, Store};

/// The tables, those first that others refer to.
const TABLES: &[&str] = &[
    "settings",
    "images",
    "volumes",
    "objects",
    "networks",
    "pods",
    "containers",
    "claims",
    "runs",
];

/// What was saved of a damaged database.
#[derive(Debug)]
pub struct Salvaged {
    /// Where the damaged file is now.
    pub aside: PathBuf,
    /// How many records could be read.
    pub records: usize,
}

impl Store {
    /// Puts the damaged database below `root` aside and makes a new one of what can be read.
    ///
    /// # Errors
    /// The file cannot be moved, or the new one cannot be written.
    pub fn salvage(root: &Path, locks: &LockDir) -> Result<Salvaged, StoreError> {
        let path = root.join(NAME);
        let aside = put_aside(&path, locks)?;
        let mut store = Self::open(root, locks.clone())?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut records = 0;
        if let Ok(damaged) = Connection::open_with_flags(&aside, flags) {
            for table in TABLES {
                // The ends are read from both sides: what lies between is what is damaged.
                for order in ["ASC", "DESC"] {
                    let rows = readable(&damaged, table, order);
                    records += store.0.write(Durability::Full, |tx| {
                        Ok(rows.iter().filter(|row| copy(tx, table, row)).count())
                    })?;
                }
            }
        }
        Ok(Salvaged { aside, records })
    }
}

fn put_aside(path: &Path, locks: &LockDir) -> Result<PathBuf, StoreError> {
    let _turn = locks.store("putting a damaged database aside")?;
    let named = |number: u32, end: &str| {
        let mut name = OsString::from(path);
        name.push(format!(".damaged-{number}{end}"));
        PathBuf::from(name)
    };
    let number = (1..)
        .find(|number| !named(*number, "").exists())
        .expect("a directory has fewer than 2^32 entries");
    for end in ["", "-wal"] {
        let mut from = OsString::from(path);
        from.push(end);
        match std::fs::rename(&from, named(number, end)) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(StoreError::Open {
                    path: path.to_owned(),
                    source,
                });
            }
            _ => {}
        }
    }
    let mut shared = OsString::from(path);
    shared.push("-shm");
    // The index of the log is made anew from it.
    let _ = std::fs::remove_file(shared);
    Ok(named(number, ""))
}

/// Reads rows until one cannot be read.
fn readable(damaged: &Connection, table: &str, order: &str) -> Vec<Vec<Value>> {
    let mut found = Vec::new();
    let query = format!("SELECT * FROM {table} ORDER BY 1 {order}");
    let Ok(mut statement) = damaged.prepare(&query) else {
        return found;
    };
    let columns = statement.column_count();
    let Ok(mut rows) = statement.query([]) else {
        return found;
    };
    while let Ok(Some(row)) = rows.next() {
        let values: Result<Vec<Value>, _> = (0..columns).map(|place| row.get(place)).collect();
        found.extend(values);
    }
    found
}

/// Writes a row unless it is there already; one that refers to a lost one is lost, too.
fn copy(tx: &Transaction<'_>, table: &str, row: &[Value]) -> bool {
    let places: Vec<String> = (1..=row.len()).map(|place| format!("?{place}")).collect();
    let statement = format!(
        "INSERT OR IGNORE INTO {table} VALUES ({})",
        places.join(", ")
    );
    tx.execute(&statement, rusqlite::params_from_iter(row))
        .is_ok_and(|written| written > 0)
}
