//! The database file: opening it, its migrations, and the two kinds of transaction.
//!
//! Writers begin `IMMEDIATE` under the fair store lock, so that SQLite's own unfair waiting is never
//! reached; readers take a deferred read transaction, no lock, and see one snapshot (WAL).

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

use super::lock::{LockDir, LockError};

/// What went wrong with the database.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the database {path} is damaged: {source}")]
    Damaged {
        path: PathBuf,
        source: rusqlite::Error,
    },
    #[error("the disk that holds the database {path} is full")]
    Full { path: PathBuf },
    #[error("the database {path} cannot be written: it or its directory is read-only")]
    ReadOnly { path: PathBuf },
    #[error(
        "the database {path} was written by a newer version (schema {found}, this one knows {known})"
    )]
    Newer {
        path: PathBuf,
        found: isize,
        known: isize,
    },
    #[error("using the database {path}")]
    Sqlite {
        path: PathBuf,
        source: rusqlite::Error,
    },
    #[error("reading a record of the database")]
    Record(#[from] serde_json::Error),
    #[error("waiting for the database")]
    Lock(#[from] LockError),
    #[error("making the directory of the database {path}")]
    Directory {
        path: PathBuf,
        source: std::io::Error,
    },
    /// A name, address or port that another pod holds.
    #[error(transparent)]
    Taken(#[from] super::store::Taken),
}

/// How much a commit must survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// A loss of power: what somebody asked for.
    Full,
    /// The death of any process: what was observed, and is observed again after a boot.
    Normal,
}

/// The open database.
#[derive(Debug)]
pub(super) struct Database {
    connection: Connection,
    path: PathBuf,
    locks: LockDir,
}

impl Database {
    /// Opens the database, makes it if it is not there, and brings it up to date.
    pub(super) fn open(
        path: &Path,
        locks: LockDir,
        migrations: &[&str],
    ) -> Result<Self, StoreError> {
        if let Some(directory) = path.parent() {
            crate::sys::mount::ensure_dir(directory, 0o700).map_err(|source| {
                StoreError::Directory {
                    path: directory.to_owned(),
                    source,
                }
            })?;
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection =
            Connection::open_with_flags(path, flags).map_err(|source| explain(path, source))?;
        let mut database = Self {
            connection,
            path: path.to_owned(),
            locks,
        };
        database
            .configure()
            .map_err(|source| explain(path, source))?;
        database.migrate(migrations)?;
        Ok(database)
    }

    fn configure(&mut self) -> rusqlite::Result<()> {
        self.connection.busy_timeout(Duration::from_secs(60))?;
        self.connection
            .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        let mode: String = self
            .connection
            .pragma_query_value(None, "journal_mode", |row| row.get(0))?;
        if mode != "wal" {
            self.connection.pragma_update(None, "journal_mode", "wal")?;
        }
        self.connection.pragma_update(None, "cache_size", -256)
    }

    fn version(&self) -> Result<isize, StoreError> {
        self.connection
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .map_err(|source| explain(&self.path, source))
    }

    fn migrate(&mut self, migrations: &[&str]) -> Result<(), StoreError> {
        let known =
            isize::try_from(migrations.len()).expect("a slice has at most isize::MAX items");
        let found = self.version()?;
        if found > known {
            return Err(StoreError::Newer {
                path: self.path.clone(),
                found,
                known,
            });
        }
        if found == known {
            return Ok(());
        }
        self.write(Durability::Full, |transaction| {
            let done: isize =
                transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
            for migration in migrations.iter().skip(done.unsigned_abs()) {
                transaction.execute_batch(migration)?;
            }
            transaction.pragma_update(None, "user_version", known)?;
            Ok(())
        })
    }

    /// Runs `body` in one write transaction; an error rolls it back.
    pub(super) fn write<T>(
        &mut self,
        durability: Durability,
        body: impl FnOnce(&Transaction<'_>) -> Result<T, Inner>,
    ) -> Result<T, StoreError> {
        let _guard = self.locks.store("write")?;
        let level = match durability {
            Durability::Full => "FULL",
            Durability::Normal => "NORMAL",
        };
        let result = (|| {
            self.connection.pragma_update(None, "synchronous", level)?;
            let transaction = self
                .connection
                .transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = body(&transaction)?;
            transaction.commit()?;
            Ok(value)
        })();
        result.map_err(|error| self.outer(error))
    }

    /// Runs `body` in one read transaction: everything it sees is of one moment.
    pub(super) fn read<T>(
        &self,
        body: impl FnOnce(&Transaction<'_>) -> Result<T, Inner>,
    ) -> Result<T, StoreError> {
        let result = (|| {
            let transaction = self.connection.unchecked_transaction()?;
            body(&transaction)
        })();
        result.map_err(|error| self.outer(error))
    }

    fn outer(&self, error: Inner) -> StoreError {
        match error {
            Inner::Sqlite(source) => explain(&self.path, source),
            Inner::Record(source) => StoreError::Record(source),
            Inner::Taken(taken) => StoreError::Taken(taken),
        }
    }
}

/// What can end a transaction from inside.
#[derive(Debug, thiserror::Error)]
pub(super) enum Inner {
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    #[error(transparent)]
    Record(#[from] serde_json::Error),
    #[error(transparent)]
    Taken(#[from] super::store::Taken),
}

fn explain(path: &Path, source: rusqlite::Error) -> StoreError {
    let path = path.to_owned();
    match source.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            StoreError::Damaged { path, source }
        }
        Some(ErrorCode::DiskFull) => StoreError::Full { path },
        Some(ErrorCode::ReadOnly) => StoreError::ReadOnly { path },
        _ => StoreError::Sqlite { path, source },
    }
}
