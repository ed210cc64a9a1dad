//! What stands between the program and a registry: a token server, a proxy, an index, a pod's own secret.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::access::{guarded, small};
use crate::image::{Packing, tar, write, write_index};
use crate::site::{ADDRESS, Registry, Site};

/// The head of a request.
struct Request {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
}

impl Request {
    fn read(stream: &TcpStream) -> Option<Self> {
        let mut lines = BufReader::new(stream).lines();
        let first = lines.next()?.ok()?;
        let mut words = first.split(' ');
        let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
        let mut headers = Vec::new();
        for line in lines {
            let line = line.ok()?;
            let Some((name, value)) = line.split_once(':') else {
                break;
            };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        Some(Self {
            method,
            target,
            headers,
        })
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let (_, value) = headers.find(|(own, _)| own == name)?;
        Some(value)
    }

    /// Asks the registry the same, and passes its answer on.
    fn forward(&self, path: &str, mut client: TcpStream) -> io::Result<()> {
        let mut registry = TcpStream::connect(ADDRESS)?;
        write!(
            registry,
            "{} {path} HTTP/1.1\r\nConnection: close\r\n",
            self.method
        )?;
        for (name, value) in &self.headers {
            if !["connection", "authorization"].contains(&name.as_str()) {
                write!(registry, "{name}: {value}\r\n")?;
            }
        }
        registry.write_all(b"\r\n")?;
        io::copy(&mut registry, &mut client)?;
        Ok(())
    }
}

/// Serves requests in the site's network, each on a thread of its own.
fn serve(
    site: &Site,
    address: &'static str,
    answer: impl Fn(Request, TcpStream) -> io::Result<()> + Send + Sync + 'static,
) {
    site.inside(|| {
        let listener = TcpListener::bind(address).unwrap();
        let answer = Arc::new(answer);
        // Threads are in the network of the one that makes them.
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let answer = answer.clone();
                thread::spawn(move || {
                    if let Some(request) = Request::read(&stream) {
                        // A client that goes away is no concern of the server.
                        let _ = answer(request, stream);
                    }
                });
            }
        });
    });
}

fn respond(mut stream: TcpStream, status: &str, headers: &str, body: &str) -> io::Result<()> {
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    )
}

/// `me:secret` in base64.
const ME: &str = "bWU6c2VjcmV0";

const GATEWAY: &str = "127.0.0.1:5001";

/// What a token server was asked, and which tokens it gave.
#[derive(Default)]
struct Tokens {
    scopes: Vec<String>,
    /// How often the first one was taken; it is good for one request.
    first_used: usize,
}

/// Serves a registry that wants tokens, and gives them to `me` with the password `secret`.
fn want_tokens(site: &Site) -> Arc<Mutex<Tokens>> {
    let tokens = Arc::new(Mutex::new(Tokens::default()));
    let shared = tokens.clone();
    serve(site, GATEWAY, move |request, stream| {
        if let Some((_, query)) = request.target.split_once("/token?") {
            return give_token(&request, query, stream, &shared);
        }
        let bearer = request.header("authorization").unwrap_or_default();
        let good = match bearer.strip_prefix("Bearer token-") {
            Some("1") => {
                let mut tokens = shared.lock().unwrap();
                tokens.first_used += 1;
                tokens.first_used == 1
            }
            Some(_) => true,
            None => false,
        };
        if good {
            let path = request.target.clone();
            return request.forward(&path, stream);
        }
        let challenge = format!(
            "WWW-Authenticate: Bearer realm=\"http://{GATEWAY}/token\",service=\"the registry\",scope=\"repository:x:pull\"\r\n"
        );
        respond(stream, "401 Unauthorized", &challenge, "{}")
    });
    tokens
}

fn give_token(
    request: &Request,
    query: &str,
    stream: TcpStream,
    tokens: &Mutex<Tokens>,
) -> io::Result<()> {
    let service =
        query.contains("service=the%20registry") || query.contains("service=the+registry");
    if request.header("authorization") != Some(&format!("Basic {ME}")) || !service {
        return respond(stream, "401 Unauthorized", "", "{}");
    }
    let scope = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("scope="));
    let number = {
        let mut tokens = tokens.lock().unwrap();
        tokens
            .scopes
            .push(scope.unwrap_or_default().replace("%3A", ":"));
        tokens.scopes.len()
    };
    let token = format!(r#"{{"token": "token-{number}", "expires_in": 60}}"#);
    respond(
        stream,
        "200 OK",
        "Content-Type: application/json\r\n",
        &token,
    )
}

#[test]
fn a_token_is_asked_for_by_scope_and_anew_when_it_has_expired() {
    let Some(site) = Site::new() else { return };
    let _registry = Registry::start(&site);
    let image = small(&site, "x:1", &[]);
    let tokens = want_tokens(&site);
    let name = format!("{GATEWAY}/x:1");
    let pull = |more: &[&str]| {
        let words = [
            &["pull", "--tls-verify=false", "-q"],
            more,
            &[name.as_str()],
        ]
        .concat();
        site.podwright(&words)
    };
    let told = pull(&[]).refused();
    assert!(told.contains("refuses access"), "{told}");
    pull(&["--creds", "me:wrong"]).refused();
    assert_eq!(tokens.lock().unwrap().scopes, Vec::<String>::new());
    assert_eq!(pull(&["--creds", "me:secret"]).succeeded().trim(), image.id);
    let tokens = tokens.lock().unwrap();
    assert!(tokens.scopes.len() >= 2, "{:?}", tokens.scopes);
    assert!(tokens.first_used >= 2, "the first token expired");
    assert!(
        tokens
            .scopes
            .iter()
            .all(|scope| scope == "repository:x:pull"),
        "{:?}",
        tokens.scopes
    );
}

#[test]
fn a_proxy_is_gone_through_unless_the_registry_is_exempt() {
    const PROXY: &str = "127.0.0.1:3128";
    let Some(site) = Site::new() else { return };
    let _registry = Registry::start(&site);
    let image = small(&site, "x:1", &[]);
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = asked.clone();
    serve(&site, PROXY, move |request, mut stream| {
        log.lock()
            .unwrap()
            .push(format!("{} {}", request.method, request.target));
        if request.method != "CONNECT" {
            let path = request.target.replace("http://registry.test:5000", "");
            return request.forward(&path, stream);
        }
        let registry = TcpStream::connect(ADDRESS)?;
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
        let (mut up, mut down) = (stream.try_clone()?, registry.try_clone()?);
        thread::spawn(move || io::copy(&mut up, &mut down));
        let mut registry = registry;
        io::copy(&mut registry, &mut stream)?;
        stream.shutdown(Shutdown::Both)
    });
    // Nobody but the proxy knows where that is.
    let name = "registry.test:5000/x:1";
    let pull = |exempt: &str| {
        let mut command = site.command("root");
        command
            .args(["pull", "--tls-verify=false", "-q", name])
            .env("HTTP_PROXY", format!("http://{PROXY}"))
            .env("HTTPS_PROXY", format!("http://{PROXY}"))
            .env("NO_PROXY", exempt);
        site.run(&mut command)
    };
    let told = pull("other.test,registry.test").refused();
    assert!(told.contains("registry.test"), "{told}");
    assert_eq!(*asked.lock().unwrap(), Vec::<String>::new());
    assert_eq!(pull("other.test").succeeded().trim(), image.id);
    let asked = asked.lock().unwrap();
    assert!(
        asked.iter().all(|line| line.contains("registry.test:5000")),
        "{asked:?}"
    );
    assert!(!asked.is_empty());
}

#[test]
fn of_an_index_comes_the_image_for_this_host_and_no_other() {
    let Some(site) = Site::new() else { return };
    let registry = Registry::start(&site);
    let layout = site.path("layout");
    let images = ["arm64", "amd64", "s390x"].map(|architecture| {
        let layer = tar(&[("arch", architecture.as_bytes())]);
        (architecture, write(&layout, &[&layer], Packing::Zstd))
    });
    let descriptors: Vec<_> = images
        .iter()
        .map(|(architecture, image)| (*architecture, image.digest.as_str()))
        .collect();
    write_index(&layout, &descriptors);
    site.publish_as(&layout, "many:1", &["--all"]);
    let own = match std::env::consts::ARCH {
        "aarch64" => "arm64",
        "s390x" => "s390x",
        _ => "amd64",
    };
    let name = format!("{ADDRESS}/many:1");
    let pulled = site
        .podwright(&["pull", "--tls-verify=false", "-q", &name])
        .succeeded();
    for (architecture, image) in &images {
        let asked = registry.answers("GET", &image.blobs[0]).len();
        assert_eq!(asked, usize::from(*architecture == own), "{architecture}");
        assert_eq!(pulled.trim() == image.id, *architecture == own);
    }
}

#[test]
fn a_pods_own_secret_opens_the_registry_for_its_play_alone() {
    let Some(site) = Site::new() else { return };
    let _registry = guarded(&site, "");
    small(&site, "x:1", &["--dest-creds=me:secret"]);
    small(&site, "y:1", &["--dest-creds=me:secret"]);
    let config = format!(r#"{{"auths": {{"{ADDRESS}": {{"auth": "{ME}"}}}}}}"#);
    let pod = |name: &str, spec: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\nspec:\n  hostNetwork: true\n{spec}  containers:\n  - name: c\n    image: {ADDRESS}/x:1\n    imagePullPolicy: Always\n"
        )
    };
    let secret = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: key}}\ntype: kubernetes.io/dockerconfigjson\nstringData: {{.dockerconfigjson: '{config}'}}\n---\n"
    );
    let play = |name: &str, yaml: String| site.play(name, &yaml);
    let told = play("bare", pod("bare", "")).refused();
    assert!(told.contains("refuses access"), "{told}");
    let keyed = "  imagePullSecrets: [{name: key}]\n";
    play("keyed", secret + &pod("keyed", keyed)).succeeded();
    // The Secret is recorded now, and is a later pod's to name; nobody else is let in by it.
    play("later", pod("later", keyed)).succeeded();
    play("bare", pod("bare", "")).refused();
    // Also when it is played together with one that has the key.
    let other = pod("other", "").replace("/x:1", "/y:1");
    let together = pod("again", keyed) + "---\n" + &other;
    let told = play("together", together).refused();
    assert!(told.contains("refuses access to image `y:1`"), "{told}");
    assert!(!site.path("home").exists(), "a login was kept");
}
