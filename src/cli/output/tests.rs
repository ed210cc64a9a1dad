//! The three forms of an output, each from the same rows.

use super::*;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Animal {
    id: String,
    names: Vec<&'static str>,
    legs: u32,
}

impl Row for Animal {
    fn columns() -> &'static [Column<Self>] {
        &[
            Column {
                name: "ID",
                heading: "ANIMAL ID",
                value: |row| row.id[..4].to_value(),
            },
            Column {
                name: "Names",
                heading: "NAMES",
                value: |row| row.names.join(",").to_value(),
            },
        ]
    }
}

fn shown(format: &str, headings: Headings) -> String {
    let animals = [
        Animal {
            id: "abcdefgh".into(),
            names: vec!["cat", "puss"],
            legs: 4,
        },
        Animal {
            id: "12345678".into(),
            names: vec![""],
            legs: 2,
        },
    ];
    let mut bytes = Vec::new();
    Output::new(&mut bytes)
        .rows(
            &animals,
            &Format::parse(format).unwrap(),
            &["ID", "Names"],
            headings,
        )
        .unwrap();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_table_is_aligned_and_has_no_trailing_spaces() {
    assert_eq!(
        shown("table", Headings::Shown),
        "ANIMAL ID  NAMES\nabcd       cat,puss\n1234\n"
    );
    assert_eq!(shown("table", Headings::Hidden), "abcd  cat,puss\n1234\n");
}

#[test]
fn json_has_what_the_row_serialises() {
    let value: serde_json::Value = serde_json::from_str(&shown("json", Headings::Shown)).unwrap();
    assert_eq!(value[0]["Id"], "abcdefgh");
    assert_eq!(value[0]["Names"][1], "puss");
    assert!(shown("json", Headings::Shown).starts_with("[\n    {\n        \"Id\""));
}

#[test]
fn templates_see_columns_before_json_fields() {
    assert_eq!(
        shown("{{.ID}} {{.Names}} {{.Legs}}", Headings::Shown),
        "abcd cat,puss 4\n1234  2\n"
    );
    assert_eq!(
        shown("table {{.ID}}\\t{{.Names}}", Headings::Shown),
        "ANIMAL ID  NAMES\nabcd       cat,puss\n1234\n"
    );
    assert_eq!(
        shown("{{len .ID}}{{if eq .Legs 4}} four{{end}}", Headings::Shown),
        "4 four\n4\n"
    );
}

impl Object for serde_json::Value {}

#[test]
fn templates_print_lists_and_maps_as_go_does() {
    let mut bytes = Vec::new();
    let object = serde_json::json!({"Env": ["a=1", "b=2"], "Labels": {"z": "1", "a": "2"}, "Ok": true, "None": null});
    let format = Format::parse("{{.Env}} {{.Labels}} {{.Ok}} {{index .Labels \"a\"}} {{json .Env}} {{range .Env}}<{{.}}>{{end}}").unwrap();
    Output::new(&mut bytes)
        .objects(&[object], Some(&format))
        .unwrap();
    assert_eq!(
        String::from_utf8(bytes).unwrap(),
        "[a=1 b=2] map[a:2 z:1] true 2 [\"a=1\",\"b=2\"] <a=1><b=2>\n"
    );
}

#[test]
fn a_field_that_is_not_there_is_an_error() {
    let format = Format::parse("{{.Nonsense}}").unwrap();
    let result = Output::new(Vec::new()).objects(&[serde_json::json!({"Id": 1})], Some(&format));
    assert!(matches!(result, Err(OutputError::Template(_))));
    assert!(Format::parse("{{.ID").is_err());
}

#[test]
fn a_closed_pipe_is_told_from_other_errors() {
    struct Gone;
    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    assert!(matches!(
        Output::new(Gone).line("x"),
        Err(OutputError::Closed)
    ));
}
