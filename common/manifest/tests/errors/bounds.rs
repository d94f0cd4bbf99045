//! Nothing without a bound is read, nor anything that no cluster would store.

use godwit_common::link::MANIFEST_MAX;
use godwit_manifest::{MAX_DOCUMENTS, MAX_OBJECTS, MAX_TEXT_BYTES, parse_application};

use crate::{WEB, errors};

#[test]
fn nothing_without_a_bound_is_read() {
    let deep = "a: {".repeat(100);
    assert!(errors(&deep).ends_with("it nests too deep; at most 64 levels are read"));
    let deep = format!("{{\"a\": {}1{}}}", "[".repeat(100), "]".repeat(100));
    assert!(errors(&deep).contains("it nests too deep"));
    let deep = "{\"a\":".repeat(100_000);
    assert!(parse_application(&deep).is_err());

    let long = " ".repeat(MAX_TEXT_BYTES + 1);
    assert!(errors(&long).contains("the text has 4194305 bytes"));
    let many = "---\na: 1\n".repeat(MAX_DOCUMENTS + 1);
    let all = parse_application(&many).unwrap_err();
    assert!(all.errors().iter().any(|error| error.problem.contains("more than 1000 documents")), "{all}");
    let item = "- apiVersion: v1\n  kind: Secret\n  metadata:\n    name: s";
    let items: String = (0..=MAX_OBJECTS).map(|index| format!("{item}{index}\n")).collect();
    let list = format!("apiVersion: v1\nkind: List\nitems:\n{items}");
    assert!(errors(&list).contains("items[1000]: the application has more than 1000 objects"));
}

#[test]
fn an_object_that_no_cluster_would_store_is_refused() {
    let data = "x".repeat(MANIFEST_MAX);
    let object =
        format!("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: large}}\ndata: {{k: {data}}}\n");
    let message = errors(&format!("{WEB}{object}"));
    assert!(message.contains("ConfigMap large"), "{message}");
    assert!(message.ends_with("at most 1572864 are stored; make it smaller, or divide it"), "{message}");
}

#[test]
fn aliases_that_multiply_are_stopped() {
    let mut bomb = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n".to_owned();
    for level in 1..10 {
        let alias = format!("*a{}", level - 1);
        let row = [alias.as_str(); 9].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{row}]\n"));
    }
    assert!(errors(&bomb).contains("its aliases expand to too many"), "{}", errors(&bomb));
    let text = "x".repeat(1 << 20);
    let wide = format!("a: &a {text}\nb: [{}]\n", "*a, ".repeat(900));
    assert!(errors(&wide).contains("its aliases expand to too many"));
    let many = format!("a: &a 1\nb: [{}]\n", "*a, ".repeat(1_001));
    assert!(errors(&many).contains("more than 1000 aliases"));
}
