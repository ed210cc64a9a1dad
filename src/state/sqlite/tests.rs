use std::collections::BTreeSet;
use std::path::PathBuf;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use super::*;

const FIRST: &str =
    "CREATE TABLE line (number INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT;";
const SECOND: &str = "ALTER TABLE line ADD COLUMN seen INTEGER NOT NULL DEFAULT 0;";

struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("db")
    }

    fn open(&self, migrations: &[&str]) -> Result<Database, StoreError> {
        open_in(self.dir.path(), migrations)
    }
}

fn open_in(dir: &Path, migrations: &[&str]) -> Result<Database, StoreError> {
    // The locks lie elsewhere than the database, as on a host, where they are in the run directory.
    let locks = LockDir::open(&dir.join("locks"))?;
    Database::open(&dir.join("db"), locks, migrations)
}

fn add(database: &mut Database, text: &str) -> Result<(), StoreError> {
    database.write(Durability::Normal, |transaction| {
        transaction.execute("INSERT INTO line (text) VALUES (?1)", [text])?;
        Ok(())
    })
}

fn count(database: &mut Database) -> Result<u32, StoreError> {
    database.read(|transaction| {
        Ok(transaction.query_row("SELECT count(*) FROM line", [], |row| row.get(0))?)
    })
}

#[test]
fn migrations_run_once_and_a_newer_database_is_refused() {
    let place = Place::new();
    add(&mut place.open(&[FIRST]).unwrap(), "one").unwrap();
    let mut database = place.open(&[FIRST, SECOND]).unwrap();
    assert_eq!(count(&mut database).unwrap(), 1);
    place.open(&[FIRST, SECOND]).unwrap();
    let refused = place.open(&[FIRST]).unwrap_err();
    assert!(matches!(
        refused,
        StoreError::Newer {
            found: 2,
            known: 1,
            ..
        }
    ));
}

#[test]
fn a_failing_change_leaves_nothing() {
    let place = Place::new();
    let mut database = place.open(&[FIRST]).unwrap();
    let failed = database.write(Durability::Full, |transaction| {
        transaction.execute("INSERT INTO line (text) VALUES ('a')", [])?;
        transaction.execute("INSERT INTO line (text) VALUES ('a')", [])?;
        Ok(())
    });
    assert!(matches!(failed, Err(StoreError::Sqlite { .. })));
    assert_eq!(count(&mut database).unwrap(), 0);
}

#[test]
fn a_reader_cannot_write_and_sees_one_snapshot() {
    let place = Place::new();
    let mut writer = place.open(&[FIRST]).unwrap();
    let mut reader = place.open(&[FIRST]).unwrap();
    let refused = reader.read(|transaction| {
        transaction.execute("INSERT INTO line (text) VALUES ('a')", [])?;
        Ok(())
    });
    assert!(matches!(refused, Err(StoreError::ReadOnly { .. })));
    reader
        .read(|transaction| {
            let ask = || -> u32 {
                transaction
                    .query_row("SELECT count(*) FROM line", [], |row| row.get(0))
                    .unwrap()
            };
            assert_eq!(ask(), 0);
            add(&mut writer, "meanwhile").unwrap();
            assert_eq!(ask(), 0);
            Ok(())
        })
        .unwrap();
    assert_eq!(count(&mut reader).unwrap(), 1);
    add(&mut reader, "after a read it may write").unwrap();
}

#[test]
fn many_writers_open_and_write_at_once_and_all_succeed() {
    let place = Place::new();
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let place = &place;
            scope.spawn(move || {
                for line in 0..10 {
                    let mut database = place.open(&[FIRST, SECOND]).unwrap();
                    add(&mut database, &format!("{writer} {line}")).unwrap();
                    count(&mut database).unwrap();
                }
            });
        }
    });
    let mut database = place.open(&[FIRST, SECOND]).unwrap();
    assert_eq!(count(&mut database).unwrap(), 80);
    assert_eq!(database.faults().unwrap(), [] as [&str; 0]);
}

#[test]
fn the_files_are_the_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    add(&mut place.open(&[FIRST]).unwrap(), "one").unwrap();
    let modes: BTreeSet<u32> = ["db", "db-wal", "db-shm"]
        .iter()
        .map(|name| std::fs::metadata(place.dir.path().join(name)).unwrap())
        .map(|metadata| metadata.permissions().mode() & 0o777)
        .collect();
    assert_eq!(modes, BTreeSet::from([0o600]));
}

#[test]
fn damage_is_called_damage() {
    let place = Place::new();
    std::fs::write(
        place.file(),
        "no database, but longer than a header".repeat(9),
    )
    .unwrap();
    assert!(matches!(
        place.open(&[FIRST]),
        Err(StoreError::Damaged { .. })
    ));
}

/// Runs the test in a thread with a mount namespace of its own, which ends with the thread.
fn in_own_mounts(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::spawn(move || {
        if unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_FS).is_err() {
            eprint!("skipped: lacks the right to unshare mounts\n");
            return;
        }
        let none = None::<&str>;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).unwrap();
        test();
    });
    thread.join().unwrap();
}

#[test]
fn a_full_disk_is_called_full_and_loses_nothing() {
    in_own_mounts(|| {
        let dir = tempfile::tempdir().unwrap();
        let size = Some("size=256k");
        mount(
            Some("tmpfs"),
            dir.path(),
            Some("tmpfs"),
            MsFlags::empty(),
            size,
        )
        .unwrap();
        let mut database = open_in(dir.path(), &[FIRST]).unwrap();
        let mut written = 0;
        let failure = loop {
            match add(&mut database, &format!("{written} {}", "x".repeat(4000))) {
                Ok(()) => written += 1,
                Err(error) => break error,
            }
            assert!(written < 1000);
        };
        assert!(matches!(failure, StoreError::Full { .. }), "{failure:?}");
        assert_eq!(count(&mut database).unwrap(), written);
        nix::mount::umount2(dir.path(), nix::mount::MntFlags::MNT_DETACH).unwrap();
    });
}

#[test]
fn a_read_only_disk_can_be_read_and_says_so_when_written() {
    in_own_mounts(|| {
        let dir = tempfile::tempdir().unwrap();
        add(&mut open_in(dir.path(), &[FIRST]).unwrap(), "one").unwrap();
        let locks = tempfile::tempdir().unwrap();
        let (none, bind) = (None::<&str>, MsFlags::MS_BIND);
        mount(Some(dir.path()), dir.path(), none, bind, none).unwrap();
        let read_only = bind | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
        mount(none, dir.path(), none, read_only, none).unwrap();
        let locks = LockDir::open(locks.path()).unwrap();
        let mut database = Database::open(&dir.path().join("db"), locks, &[FIRST]).unwrap();
        assert_eq!(count(&mut database).unwrap(), 1);
        let refused = add(&mut database, "two").unwrap_err();
        assert!(
            matches!(refused, StoreError::ReadOnly { .. }),
            "{refused:?}"
        );
        nix::mount::umount2(dir.path(), nix::mount::MntFlags::MNT_DETACH).unwrap();
    });
}
