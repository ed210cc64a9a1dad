//! `login` and `logout`.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};

use super::super::args::{Login, Logout};
use super::super::error::{Error, usage};
use super::Context;
use crate::image::registry::{self, Access, AccessOptions, Credentials, Places};
use crate::sys::terminal::Unseen;

pub(super) fn login(context: &mut Context<'_>, login: &Login) -> Result<(), Error> {
    let registry = host_of(&login.registry);
    let access = Access::new(AccessOptions {
        auth_file: login.authfile.clone(),
        certificates: login.cert_dir.clone(),
        verify: login.tls_verify,
        ..AccessOptions::default()
    })?;
    let known = match access.known(registry)? {
        Some(Credentials::Password { username, .. }) => Some(username),
        Some(Credentials::IdentityToken(_)) | None => None,
    };
    if login.get_login {
        let username = known.ok_or_else(|| not_logged_in(registry))?;
        context.output.line(username)?;
        return Ok(context.output.flush()?);
    }
    let username = match &login.username {
        Some(username) => username.clone(),
        None => ask_name(known.as_deref())?,
    };
    let password = match &login.password {
        Some(password) => password.clone(),
        None => ask_password(login.password_stdin)?,
    };
    let credentials = Credentials::Password {
        username: username.clone(),
        password: password.clone(),
    };
    access.greet(registry, &credentials)?;
    let file = login.authfile.as_deref();
    registry::login(access.places(), file, registry, &username, &password)?;
    context.output.line("Login Succeeded!")?;
    Ok(context.output.flush()?)
}

pub(super) fn logout(context: &mut Context<'_>, logout: &Logout) -> Result<(), Error> {
    let registry = host_of(&logout.registry);
    let places = Places::of_environment();
    let one = (!logout.all).then_some(registry);
    let known = registry::logout(&places, logout.authfile.as_deref(), one)?;
    let which = match (known, logout.all) {
        (_, true) => "all registries",
        (true, false) => registry,
        (false, false) => return Err(not_logged_in(registry)),
    };
    context
        .output
        .line(format_args!("Removed login credentials for {which}"))?;
    Ok(context.output.flush()?)
}

fn not_logged_in(registry: &str) -> Error {
    usage(format!("not logged into {registry}"))
}

/// Returns the host of what may have been written as a URL.
fn host_of(text: &str) -> &str {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    rest.unwrap_or(text).trim_end_matches('/')
}

fn ask_name(known: Option<&str>) -> Result<String, Error> {
    match known {
        Some(known) => prompt(&format!("Username ({known}): "))?,
        None => prompt("Username: ")?,
    }
    let name = line()?;
    match (name.is_empty(), known) {
        (false, _) => Ok(name),
        (true, Some(known)) => Ok(known.to_owned()),
        (true, None) => Err(usage("a login needs a username")),
    }
}

fn ask_password(from_stdin: bool) -> Result<String, Error> {
    if from_stdin {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).map_err(unreadable)?;
        return Ok(text.trim_end_matches(['\r', '\n']).to_owned());
    }
    prompt("Password: ")?;
    if !io::stdin().is_terminal() {
        return line();
    }
    let unseen = Unseen::set(io::stdin()).map_err(unreadable)?;
    let password = line();
    drop(unseen);
    prompt("\n")?;
    password
}

fn line() -> Result<String, Error> {
    let mut text = String::new();
    io::stdin()
        .lock()
        .read_line(&mut text)
        .map_err(unreadable)?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// Asks on standard error, where no script takes it for a result.
fn prompt(text: &str) -> Result<(), Error> {
    let mut stderr = io::stderr();
    stderr
        .write_all(text.as_bytes())
        .and_then(|()| stderr.flush())
        .map_err(unreadable)
}

fn unreadable(source: io::Error) -> Error {
    Error::File {
        doing: "reading",
        path: "/dev/stdin".into(),
        source,
    }
}
