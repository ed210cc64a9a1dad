//! Where manifests come from: files, directories, patterns, addresses, standard input.

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use crate::support::Manifests;

fn map(name: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\nnonsense: 1\n")
}

fn files() -> Manifests {
    let texts: Vec<(String, String)> = [
        "b.yaml",
        "a.yml",
        "sub/c.json.txt",
        "sub/d.yaml",
        "sub/deep/e.yaml",
        "ignored/f.yaml",
        "sub/skipped.yaml",
        ".hidden/g.yaml",
    ]
    .iter()
    .enumerate()
    .map(|(number, name)| ((*name).to_owned(), map(&format!("m{number}"))))
    .collect();
    let mut texts: Vec<(&str, &str)> = texts
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    texts.push((".gitignore", "ignored/\n"));
    texts.push(("sub/.podwrightignore", "skipped.yaml\n"));
    Manifests::of(&texts)
}

fn names(arguments: &[&str]) -> Vec<String> {
    let rows = files().rows(arguments);
    rows.iter()
        .map(|row| row["file"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_directory_is_read_with_all_below_it_but_what_is_ignored() {
    assert_eq!(
        names(&["."]),
        ["./a.yml", "./b.yaml", "./sub/d.yaml", "./sub/deep/e.yaml"]
    );
    assert_eq!(names(&["sub"]), ["sub/d.yaml", "sub/deep/e.yaml"]);
    assert_eq!(
        names(&["ignored/f.yaml"]),
        ["ignored/f.yaml"],
        "what is named is read"
    );
}

#[test]
fn a_pattern_stays_in_its_directory_unless_it_says_otherwise() {
    assert_eq!(names(&["*.yaml"]), ["b.yaml"]);
    assert_eq!(names(&["sub/*.yaml"]), ["sub/d.yaml"]);
    assert_eq!(names(&["sub/**/*.yaml"]), ["sub/d.yaml", "sub/deep/e.yaml"]);
    assert_eq!(names(&["*.{yml,yaml}"]), ["a.yml", "b.yaml"]);
    assert_eq!(files().validate(&["*.none"]).code, Some(2));
}

#[test]
fn several_inputs_are_read_in_their_order_and_each_file_once() {
    assert_eq!(
        names(&["sub", "b.yaml", "sub/d.yaml"]),
        ["sub/d.yaml", "sub/deep/e.yaml", "b.yaml"]
    );
}

#[test]
fn standard_input_is_a_dash() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_podwright"))
        .args(["kube", "validate", "-o", "json", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(map("a").as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let rows: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(rows[0]["file"], "-");
}

#[test]
fn an_address_is_fetched() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        for found in [true, false] {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 4096];
            assert!(stream.read(&mut request).unwrap() > 0);
            let (status, body) = match found {
                true => ("200 OK", map("a")),
                false => ("404 Not Found", String::new()),
            };
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(body.as_bytes()).unwrap();
        }
    });
    let url = format!("http://{address}/in.yaml");
    assert_eq!(names(&[&url]), [url.as_str()]);
    let said = files().validate(&[&url]);
    assert_eq!(said.code, Some(125));
    assert!(said.stderr.contains("404"), "{said:?}");
    server.join().unwrap();
}

#[test]
fn a_helm_template_is_named_as_one() {
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-a\n";
    let rows = Manifests::of(&[("in.yaml", text)]).rows(&["in.yaml"]);
    let message = rows[0]["message"].as_str().unwrap();
    assert!(
        message.starts_with("a Helm template is no manifest yet"),
        "{message}"
    );
    assert_eq!(
        (&rows[0]["line"], &rows[0]["column"]),
        (&4.into(), &9.into())
    );
}

#[test]
fn many_files_and_documents_are_told_in_their_order_whatever_thread_reads_them() {
    let texts: Vec<(String, String)> = (0..300)
        .map(|number| {
            let document = format!(
                "{}data: {{k: {}}}\n---\n",
                map(&format!("m{number}")),
                "'x'"
            );
            (format!("{number:03}.yaml"), document.repeat(20))
        })
        .collect();
    let texts: Vec<(&str, &str)> = texts
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    let files = Manifests::of(&texts);
    let rows = files.rows(&["."]);
    let places: Vec<(String, u64)> = rows
        .iter()
        .map(|row| {
            (
                row["file"].as_str().unwrap().to_owned(),
                row["line"].as_u64().unwrap(),
            )
        })
        .collect();
    assert!(places.is_sorted());
    assert!(places.len() >= 6000);
    let said = files.validate(&["-o", "json", "."]);
    assert_eq!(said, files.validate(&["-o", "json", "."]));
}
