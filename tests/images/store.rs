//! The store: shared by loads, kept by leases, whole after a `kill -9`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use podwright::image::hello;

use crate::support::{Bench, Tar, docker_archive};

#[test]
fn garbage_goes_when_nobody_adds_and_the_rest_stays() {
    let Some(bench) = Bench::new() else { return };
    let (kept, _) = bench.import(&Tar::new().file("kept", "").bytes()).unwrap();
    let (gone, _) = bench.import(&Tar::new().file("gone", "").bytes()).unwrap();
    let lease = bench.store.lease().unwrap();
    assert!(bench.store.try_collect().unwrap().is_none());
    drop(lease);
    let collector = bench.store.try_collect().unwrap().unwrap();
    assert!(collector.sweep(std::slice::from_ref(&kept)).unwrap() > 0);
    drop(collector);
    assert!(bench.store.has(&kept) && !bench.store.has(&gone));
    assert!(bench.store.read_blob(&gone.id.digest()).is_err());
    assert_eq!(bench.store.details(&kept).unwrap().history.len(), 1);
    assert_eq!(bench.leftovers(), 0);
}

#[test]
fn the_workspace_of_a_killed_load_is_swept_and_a_running_ones_is_not() {
    let Some(bench) = Bench::new() else { return };
    let abandoned = bench.path("root/images/tmp/dead");
    fs::create_dir_all(abandoned.join("layer-0/fs/a")).unwrap();
    let running = bench.path("root/images/tmp/alive");
    fs::create_dir(&running).unwrap();
    let lock = nix::fcntl::Flock::lock(
        fs::File::open(&running).unwrap(),
        nix::fcntl::FlockArg::LockExclusive,
    )
    .unwrap();
    bench.import(&Tar::new().file("x", "").bytes()).unwrap();
    assert!(!abandoned.exists());
    assert!(running.exists());
    drop(lock);
}

#[test]
fn the_built_in_image_is_made_once_and_again_when_the_program_changes() {
    let Some(bench) = Bench::new() else { return };
    let program = bench.path("program");
    fs::write(&program, "first").unwrap();
    let lease = bench.store.lease().unwrap();
    let ensure = || hello::ensure(&bench.store, &lease, &program, bench.now()).unwrap();
    let first = ensure();
    assert_eq!(first, ensure());
    assert_eq!(first.names[0].to_string(), hello::NAME);
    let file = bench.store.layer_path(&first.layers[0]).join("podwright");
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o755);
    fs::write(&program, "second version").unwrap();
    let second = ensure();
    assert_ne!(first.id, second.id);
    assert_eq!(fs::read_to_string(file).unwrap(), "first");
}

#[test]
fn loads_at_the_same_time_share_what_they_bring() {
    let Some(bench) = Bench::new() else { return };
    let layers: Vec<_> = (0..4)
        .map(|number| Tar::new().file("f", &number.to_string()).bytes())
        .collect();
    let layers: Vec<&[u8]> = layers.iter().map(Vec::as_slice).collect();
    fs::write(bench.path("archive"), docker_archive(&[(&[], &layers)])).unwrap();
    let images: Vec<_> = std::thread::scope(|scope| {
        let load = || bench.load_path(&bench.path("archive")).unwrap().images;
        let loads: Vec<_> = (0..4).map(|_| scope.spawn(load)).collect();
        loads.into_iter().map(|load| load.join().unwrap()).collect()
    });
    assert!(images.iter().all(|image| *image == images[0]));
    assert!(bench.store.has(&images[0][0]));
    assert_eq!(bench.leftovers(), 0);
}

/// Loads once when called as the child of itself.
#[test]
fn a_load_killed_at_any_moment_leaves_no_half_layer() {
    const CHILD: &str = "PODWRIGHT_TEST_LOAD";
    const NAME: &str = "store::a_load_killed_at_any_moment_leaves_no_half_layer";
    const FILES: usize = 400;
    let Some(bench) = Bench::new() else { return };
    if let Some(root) = std::env::var_os(CHILD) {
        bench
            .at(Path::new(&root))
            .load_path(&Path::new(&root).join("archive"))
            .unwrap();
        return;
    }
    let layer = (0..FILES).fold(Tar::new(), |tar, number| {
        tar.file(&format!("d{}/{number}", number % 7), "content")
    });
    let layers = [layer.bytes(), Tar::new().file("x", "").bytes()];
    let layers: Vec<&[u8]> = layers.iter().map(Vec::as_slice).collect();
    fs::write(bench.path("archive"), docker_archive(&[(&[], &layers)])).unwrap();
    for round in 0..25 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", NAME])
            .env(CHILD, bench.path(""))
            .env("TMPDIR", bench.path(""))
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(4 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        for layer in fs::read_dir(bench.path("root/images/layers")).unwrap() {
            let layer = layer.unwrap().path();
            assert!(layer.join("layer.json").is_file(), "round {round}");
            let files = fs::read_dir(layer.join("fs/d0")).map_or(1, Iterator::count);
            assert!(
                files == 1 || files == FILES.div_ceil(7),
                "round {round}: {files}"
            );
            fs::remove_dir_all(layer).unwrap();
        }
    }
    let image = bench
        .load_path(&bench.path("archive"))
        .unwrap()
        .images
        .remove(0);
    assert!(bench.store.has(&image));
    // What a killed load had at work for it dies a moment later; whoever loads then clears up behind it.
    let until = Instant::now() + Duration::from_secs(30);
    while bench.leftovers() > 0 {
        assert!(Instant::now() < until, "{} left", bench.leftovers());
        bench.load_path(&bench.path("archive")).unwrap();
    }
}
