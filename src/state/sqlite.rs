//! The database file: opening it, its migrations, and the two kinds of transaction.
//!
//! ```text
//!   write:  store lock (fair) ▶ BEGIN IMMEDIATE ▶ body ▶ COMMIT ▶ unlock     so "database is locked" reaches nobody
//!   read:   BEGIN ▶ body sees one snapshot ▶ end                             no lock of ours; WAL readers never wait
//! ```
//!
//! A deferred transaction that reads and then writes fails under load whatever the busy timeout says
//! (<https://sqlite.org/isolation.html>), hence the two doors, and the read door refuses writes. No connection
//! checkpoints when it closes: that would make the last of many short commands pay for all.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

use super::lock::{LockDir, LockError};
use crate::fault;

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
    #[error("a program other than podwright keeps the database {path} locked")]
    Busy { path: PathBuf },
    #[error("opening the database {path}")]
    Open { path: PathBuf, source: io::Error },
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
    Taken(#[from] super::claims::Taken),
    #[error("moving the data of volume `{name}`")]
    Volume {
        name: crate::names::VolumeName,
        source: io::Error,
    },
}

/// How much a commit must survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// A loss of power: what somebody asked for.
    Full,
    /// The death of any process: what was observed, and is observed again after a boot.
    Normal,
}

impl Durability {
    const fn synchronous(self) -> &'static str {
        match self {
            Self::Full => "FULL",
            Self::Normal => "NORMAL",
        }
    }
}

/// What the store lock is held for, to whoever asks who holds it.
const COMMAND: &str = "writing to the database";

/// The open database.
#[derive(Debug)]
pub(super) struct Database {
    connection: Connection,
    path: PathBuf,
    locks: LockDir,
    durability: Durability,
}

impl Database {
    /// Opens the database, makes it if it is not there, and brings it up to date.
    pub(super) fn open(
        path: &Path,
        locks: LockDir,
        migrations: &[&str],
    ) -> Result<Self, StoreError> {
        make_parent(path)?;
        make_private(path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection =
            Connection::open_with_flags(path, flags).map_err(|source| explain(path, source))?;
        let mut database = Self {
            connection,
            path: path.to_owned(),
            locks,
            durability: Durability::Full,
        };
        database
            .configure()
            .map_err(|source| explain(path, source))?;
        database.migrate(migrations)?;
        Ok(database)
    }

    fn configure(&self) -> rusqlite::Result<()> {
        // SQLite itself waits only for recovery after a crash and for programs that are not ours.
        self.connection.busy_timeout(Duration::from_secs(60))?;
        for (setting, on) in [
            (DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true),
            (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
            (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
            // What was prepared stays so, whatever it is asked with.
            (DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true),
        ] {
            self.connection.set_db_config(setting, on)?;
        }
        let level = self.durability.synchronous();
        self.connection.pragma_update(None, "foreign_keys", true)?;
        self.connection.pragma_update(None, "synchronous", level)?;
        // Negative is in KiB (https://sqlite.org/pragma.html#pragma_cache_size).
        self.connection.pragma_update(None, "cache_size", -256)
    }

    fn migrate(&mut self, migrations: &[&str]) -> Result<(), StoreError> {
        let known =
            isize::try_from(migrations.len()).expect("a slice has at most isize::MAX items");
        if self.refuse_newer(version(&self.connection), known)? == known {
            return Ok(());
        }
        self.begin_logging()?;
        let done = self.write(Durability::Full, |transaction| {
            // Another process may have migrated while we waited for our turn, and may know more than we.
            let done = version(transaction)?;
            for migration in migrations.iter().skip(done.unsigned_abs()) {
                transaction.execute_batch(migration)?;
            }
            if done < known {
                transaction.pragma_update(None, "user_version", known)?;
            }
            Ok(done)
        })?;
        self.refuse_newer(Ok(done), known).map(drop)
    }

    /// Switches write-ahead logging on, which stays with the file.
    ///
    /// It needs the file for itself, so it happens in our turn as a writer. Only a database without a version can
    /// lack it, since this comes before the first migration.
    fn begin_logging(&self) -> Result<(), StoreError> {
        let _turn = self.locks.store(COMMAND)?;
        self.connection
            .pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))
            .map_err(|source| explain(&self.path, source))
    }

    fn refuse_newer(
        &self,
        found: rusqlite::Result<isize>,
        known: isize,
    ) -> Result<isize, StoreError> {
        let found = found.map_err(|source| explain(&self.path, source))?;
        if found > known {
            return Err(StoreError::Newer {
                path: self.path.clone(),
                found,
                known,
            });
        }
        Ok(found)
    }

    /// Runs `body` in one write transaction; an error rolls it back.
    pub(super) fn write<T>(
        &mut self,
        durability: Durability,
        body: impl FnOnce(&Transaction<'_>) -> Result<T, Inner>,
    ) -> Result<T, StoreError> {
        let _turn = self.locks.store(COMMAND)?;
        let result = (|| {
            self.set_durability(durability)?;
            let transaction = self
                .connection
                .transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = body(&transaction)?;
            fault::point("before a commit");
            transaction.commit()?;
            fault::point("after a commit");
            Ok(value)
        })();
        result.map_err(|error| self.outer(error))
    }

    /// Runs `body` in one read transaction: everything it sees is of one moment, and it can change nothing.
    pub(super) fn read<T>(
        &self,
        body: impl FnOnce(&Transaction<'_>) -> Result<T, Inner>,
    ) -> Result<T, StoreError> {
        let result = (|| {
            self.connection.pragma_update(None, "query_only", true)?;
            let value = self
                .connection
                .unchecked_transaction()
                .map_err(Inner::from)
                .and_then(|transaction| body(&transaction));
            self.connection.pragma_update(None, "query_only", false)?;
            value
        })();
        result.map_err(|error| self.outer(error))
    }

    /// Makes everything written so far outlast a loss of power: a checkpoint begins with that.
    pub(super) fn persist(&self) -> Result<(), StoreError> {
        self.connection
            .pragma_query(None, "wal_checkpoint", |_| Ok(()))
            .map_err(|source| explain(&self.path, source))
    }

    /// Reads the whole file and returns what is wrong with it: nothing, for a sound one.
    pub(super) fn faults(&self) -> Result<Vec<String>, StoreError> {
        let mut faults = Vec::new();
        self.connection
            .pragma_query(None, "integrity_check", |row| {
                faults.push(row.get::<_, String>(0)?);
                Ok(())
            })
            .map_err(|source| explain(&self.path, source))?;
        faults.retain(|fault| fault != "ok");
        Ok(faults)
    }

    fn set_durability(&mut self, durability: Durability) -> rusqlite::Result<()> {
        if self.durability != durability {
            let level = durability.synchronous();
            self.connection.pragma_update(None, "synchronous", level)?;
            self.durability = durability;
        }
        Ok(())
    }

    fn outer(&self, error: Inner) -> StoreError {
        match error {
            Inner::Sqlite(source) => explain(&self.path, source),
            Inner::Record(source) => StoreError::Record(source),
            Inner::Taken(taken) => StoreError::Taken(taken),
            Inner::Volume { name, source } => StoreError::Volume { name, source },
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
    Taken(#[from] super::claims::Taken),
    #[error("moving the data of volume `{name}`")]
    Volume {
        name: crate::names::VolumeName,
        source: io::Error,
    },
}

fn version(connection: &Connection) -> rusqlite::Result<isize> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Makes the directory, for its owner alone; one on a read-only disk is taken as it is, to be read.
fn make_parent(path: &Path) -> Result<(), StoreError> {
    let Some(directory) = path.parent() else {
        return Ok(());
    };
    match crate::sys::mount::ensure_dir(directory, 0o700) {
        Err(source) if source.kind() != io::ErrorKind::ReadOnlyFilesystem => {
            Err(StoreError::Directory {
                path: directory.to_owned(),
                source,
            })
        }
        _ => Ok(()),
    }
}

/// Makes the file, for its owner alone, if it is missing; SQLite gives the files beside it the same permissions.
fn make_private(path: &Path) -> Result<(), StoreError> {
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    match made {
        Err(source) if source.kind() != io::ErrorKind::AlreadyExists => Err(StoreError::Open {
            path: path.to_owned(),
            source,
        }),
        _ => Ok(()),
    }
}

fn explain(path: &Path, source: rusqlite::Error) -> StoreError {
    let path = path.to_owned();
    // What SQLite calls a full disk when it is the shared memory file that cannot grow.
    let extended = source.sqlite_error().map(|error| error.extended_code);
    if extended == Some(rusqlite::ffi::SQLITE_IOERR_SHMSIZE) {
        return StoreError::Full { path };
    }
    match source.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            StoreError::Damaged { path, source }
        }
        Some(ErrorCode::DiskFull) => StoreError::Full { path },
        Some(ErrorCode::ReadOnly) => StoreError::ReadOnly { path },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Busy { path },
        _ => StoreError::Sqlite { path, source },
    }
}

#[cfg(test)]
mod tests;
