//! Who asks whom: logins, certificates, short names, mirrors, blocked registries.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::image::{Packing, Written, tar, write};
use crate::site::{ADDRESS, Registry, Site};

/// The password `secret`, as bcrypt has it.
const HTPASSWD: &str = "me:$2b$04$ED5qQ8XuJVABk40T.P98g.xnLVJD9tHV6YFsf5fZtCXwvANlsGyYu\n";

pub(crate) fn small(site: &Site, name: &str, flags: &[&str]) -> Written {
    let layout = site.path(&format!("layout-{}", name.replace(['/', ':'], "-")));
    let image = write(
        &layout,
        &[&tar(&[("name", name.as_bytes())])],
        Packing::Gzip,
    );
    site.publish_as(&layout, name, flags);
    image
}

/// Starts a registry that knows one user.
pub(crate) fn guarded(site: &Site, http: &str) -> Registry {
    let file = site.path("htpasswd");
    fs::write(&file, HTPASSWD).unwrap();
    let auth = format!(
        "auth: {{htpasswd: {{realm: test, path: {}}}}}",
        file.display()
    );
    Registry::configured(site, http, &auth)
}

fn openssl(arguments: &[&str], directory: &Path) {
    let output = Command::new("/usr/bin/openssl")
        .args(arguments)
        .current_dir(directory)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Makes a certificate authority and a server's certificate; returns the settings of the server.
fn certificates(site: &Site) -> (PathBuf, String) {
    let directory = site.path("pki");
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join("san"), "subjectAltName=IP:127.0.0.1\n").unwrap();
    let run = |line: &str| openssl(&line.split(' ').collect::<Vec<_>>(), &directory);
    run(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.crt -subj /CN=ca -days 2",
    );
    run(
        "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout s.key -out s.csr -subj /CN=server",
    );
    run(
        "x509 -req -in s.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out s.crt -days 2 -extfile san",
    );
    let at = directory.display();
    let http = format!("  tls: {{certificate: {at}/s.crt, key: {at}/s.key}}");
    (directory.join("ca.crt"), http)
}

#[test]
fn a_login_is_asked_for_checked_kept_and_forgotten() {
    let Some(site) = Site::new() else { return };
    let _registry = guarded(&site, "");
    let image = small(&site, "x:1", &["--dest-creds=me:secret"]);
    let name = format!("{ADDRESS}/x:1");
    let pull = ["pull", "--tls-verify=false", "-q", &name];
    let told = site.podwright(&pull).refused();
    assert!(told.contains("refuses access to image `x:1`"), "{told}");
    assert!(
        told.contains(&format!("`podwright login {ADDRESS}`")),
        "{told}"
    );
    let login = |password: &str| {
        let arguments = [
            "login",
            "--tls-verify=false",
            "-u",
            "me",
            "-p",
            password,
            ADDRESS,
        ];
        site.podwright(&arguments)
    };
    login("wrong").refused();
    site.podwright(&pull).refused();
    assert_eq!(login("secret").succeeded(), "Login Succeeded!\n");
    let file = site.path("home/run/containers/auth.json");
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let known = site
        .podwright(&["login", "--get-login", ADDRESS])
        .succeeded();
    assert_eq!(known, "me\n");
    assert_eq!(site.podwright(&pull).succeeded().trim(), image.id);
    let text = site.podwright(&["logout", ADDRESS]).succeeded();
    assert_eq!(text, format!("Removed login credentials for {ADDRESS}\n"));
    let told = site.podwright(&["logout", ADDRESS]).refused();
    assert_eq!(told, format!("error: not logged into {ADDRESS}\n"));
    site.podwright(&pull).refused();
}

#[test]
fn credentials_come_from_flags_files_helpers_and_standard_input() {
    let Some(site) = Site::new() else { return };
    let _registry = guarded(&site, "");
    small(&site, "team/x:1", &["--dest-creds=me:secret"]);
    let name = format!("{ADDRESS}/team/x:1");
    let pull = ["pull", "--tls-verify=false", "-q", &name];
    site.podwright(&[&pull[..], &["--creds", "me:secret"]].concat())
        .succeeded();
    site.podwright(&[&pull[..], &["--creds", "me:other"]].concat())
        .refused();

    let file = site.path("auth.json");
    let password = site.path("password");
    fs::write(&password, "secret\n").unwrap();
    let mut command = site.command("root");
    command.args([
        "login",
        "--tls-verify=false",
        "-u",
        "me",
        "--password-stdin",
        "--authfile",
    ]);
    let input = fs::File::open(&password).unwrap().into();
    site.run_with(command.arg(&file).arg(ADDRESS), input)
        .succeeded();
    let by_flag = ["--authfile", file.to_str().unwrap()];
    site.podwright(&[&pull[..], &by_flag].concat()).succeeded();
    let mut command = site.command("root");
    site.run(command.args(pull).env("REGISTRY_AUTH_FILE", &file))
        .succeeded();

    let bin = site.path("bin");
    fs::create_dir(&bin).unwrap();
    let helper = bin.join("docker-credential-test");
    fs::write(
        &helper,
        "#!/bin/sh\nread server\necho \"{\\\"ServerURL\\\":\\\"$server\\\",\\\"Username\\\":\\\"me\\\",\\\"Secret\\\":\\\"secret\\\"}\"\n",
    )
    .unwrap();
    fs::set_permissions(&helper, Permissions::from_mode(0o755)).unwrap();
    fs::write(&file, json!({"credHelpers": {ADDRESS: "test"}}).to_string()).unwrap();
    let mut command = site.command("root");
    command.args(pull).args(by_flag);
    site.run(command.env("PATH", format!("{}:/usr/bin:/bin", bin.display())))
        .succeeded();
}

#[test]
fn tls_trusts_the_authority_that_certs_d_names_for_the_registry() {
    let Some(site) = Site::new() else { return };
    let (authority, http) = certificates(&site);
    let _registry = guarded(&site, &http);
    let image = small(&site, "x:1", &["--dest-creds=me:secret"]);
    let name = format!("{ADDRESS}/x:1");
    let pull = ["pull", "-q", "--creds", "me:secret", &name];
    let told = site.podwright(&pull).refused();
    assert!(told.to_lowercase().contains("certificate"), "{told}");
    assert!(!told.contains("does not speak HTTPS"), "{told}");
    site.podwright(&[&pull[..], &["--tls-verify=false"]].concat())
        .succeeded();

    let directory = site.path("certs");
    fs::create_dir(&directory).unwrap();
    fs::copy(&authority, directory.join("ca.crt")).unwrap();
    let by_flag = ["--cert-dir", directory.to_str().unwrap()];
    let id = site.podwright(&[&pull[..], &by_flag].concat()).succeeded();
    assert_eq!(id.trim(), image.id);

    let own = site.path("home/.config/containers/certs.d").join(ADDRESS);
    fs::create_dir_all(&own).unwrap();
    fs::copy(&authority, own.join("ca.crt")).unwrap();
    let id = site.podwright(&pull).succeeded();
    assert_eq!(id.trim(), image.id);
}

#[test]
fn registries_conf_gives_short_names_mirrors_and_blocks() {
    let Some(site) = Site::new() else { return };
    let registry = Registry::start(&site);
    let image = small(&site, "mirror/app:1", &[]);
    let text = format!(
        "unqualified-search-registries = ['{ADDRESS}']\n\
         [aliases]\n\
         short = 'far.test/app'\n\
         [[registry]]\nlocation = '{ADDRESS}'\ninsecure = true\n\
         [[registry]]\nprefix = 'far.test'\nlocation = 'far.test'\n\
         [[registry.mirror]]\nlocation = '{ADDRESS}/nothing'\ninsecure = true\n\
         [[registry.mirror]]\nlocation = '{ADDRESS}/mirror'\ninsecure = true\n\
         [[registry]]\nprefix = '{ADDRESS}/bad'\nblocked = true\n"
    );
    fs::write(site.path("registries.conf"), text).unwrap();
    for (asked, recorded) in [
        ("mirror/app:1", format!("{ADDRESS}/mirror/app:1")),
        ("far.test/app:1", "far.test/app:1".to_owned()),
        ("short:1", "far.test/app:1".to_owned()),
    ] {
        assert_eq!(
            site.podwright(&["pull", "-q", asked]).succeeded().trim(),
            image.id
        );
        site.podwright(&["image", "exists", asked]).succeeded();
        let text = site.podwright(&["image", "inspect", asked]).succeeded();
        let json: Value = serde_json::from_str(&text).unwrap();
        let names = json[0]["RepoTags"].as_array().unwrap();
        assert!(names.contains(&json!(recorded)), "{names:?}");
    }
    let blob = &image.blobs[0];
    assert_eq!(registry.answers("GET", blob).len(), 1);
    let told = site
        .podwright(&["pull", "-q", &format!("{ADDRESS}/bad/x")])
        .refused();
    assert!(told.contains("is blocked by"), "{told}");
    assert!(told.contains("registries.conf"), "{told}");
    fs::write(
        site.path("registries.conf"),
        "[registries.search]\nregistries = []\n",
    )
    .unwrap();
    let told = site.podwright(&["pull", "-q", "x"]).refused();
    assert!(told.contains("version 1"), "{told}");
}
