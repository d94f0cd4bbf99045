//! Mistakes in texts as a whole, and how many of them are told.

use godwit_manifest::{MAX_ERRORS, parse_application};

use crate::{WEB, errors};

/// Texts, and what is wrong with them.
const WHOLE_TEXTS: &[(&str, &str)] = &[
    (
        "",
        "the text is empty; an application has at least one Deployment, StatefulSet, DaemonSet, Job or CronJob",
    ),
    (
        "# nothing\n---\n",
        "the text is empty; an application has at least one Deployment, StatefulSet, DaemonSet, Job or CronJob",
    ),
    (
        "a: [1",
        "document 1 (line 1, column 4): this is not well-formed YAML: unclosed bracket '['; correct the text there",
    ),
    (
        "{\"a\": 1} {",
        "document 1: apiVersion: it is missing; write one, such as apiVersion: apps/v1\ndocument 1: kind: it is missing; write one, such as kind: Deployment\ndocument 2 (line 1, column 10): this is not well-formed JSON: EOF while parsing an object; correct the text there",
    ),
    ("{\"a\": 1, \"a\": 2}", "document 1 (line 1, column 10): the key \"a\" appears twice; keep one of them"),
    ("hello", "document 1 (line 1, column 1): \"hello\" is not valid here; write a mapping"),
    ("- a\n", "document 1 (line 1, column 1): a list is not valid here; write a mapping"),
    (
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x\ndata:\n  port: 80\n",
        "document 1 (line 6, column 9): ConfigMap x: data.port: 80 is not a text; put it in quotes: \"80\"",
    ),
    (
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x\n",
        "none of the objects is a workload; an application has at least one Deployment, StatefulSet, DaemonSet, Job or CronJob (a custom resource is one with the annotation godwit.dev/workload: \"true\")",
    ),
    (
        "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: x\n  namespace: y\n",
        "document 1 (line 5, column 14): Namespace x: metadata.namespace: a Namespace belongs to no namespace; remove the field",
    ),
    (
        "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Pod\n  metadata: {name: x}\n- 3\n",
        "document 1 (line 4, column 3): Pod x: items[0]: a Pod cannot be handled: nothing starts it again elsewhere when its node or cluster is lost; write it as a Deployment\ndocument 1 (line 7, column 3): items[1]: 3 is not valid here; write a mapping",
    ),
    (
        "\u{1}",
        "document 1 (line 1, column 1): this is not well-formed YAML: unexpected character: `\\u{1}'; correct the text there",
    ),
    (
        "a: &a [*a]",
        "document 1 (line 1, column 8): this alias stands inside of what it names; write the value out",
    ),
    ("a: 1\na: 2\n", "document 1 (line 2, column 1): the key \"a\" appears twice; keep one of them"),
    (
        "a: &x y\nb: *z",
        "document 1 (line 2, column 4): this is not well-formed YAML: while parsing node, found unknown anchor; correct the text there",
    ),
    (
        "<<: 3\n",
        "document 1 (line 1, column 5): only mappings can be merged; write an alias of a mapping after <<",
    ),
    (
        "? [a]\n: b\n",
        "document 1 (line 1, column 3): a key must be a text; correct the key, or put it in quotes",
    ),
    (
        "a: !secret b\n",
        "document 1 (line 1, column 12): the tag !secret means nothing to Kubernetes; write it in quotes and without a tag if it is meant as a text",
    ),
    (
        "a: !!int b\n",
        "document 1 (line 1, column 10): \"b\" is not what its tag tag:yaml.org,2002:int says; write it in quotes and without a tag if it is meant as a text",
    ),
    (
        "a: .inf\n",
        "document 1 (line 1, column 4): .inf is not a finite number; write it in quotes and without a tag if it is meant as a text",
    ),
    (
        "a: 1\n---\nb: [\n---\nc: 1\nc: 2\n",
        "document 1 (line 1, column 1): apiVersion: it is missing; write one, such as apiVersion: apps/v1\ndocument 1 (line 1, column 1): kind: it is missing; write one, such as kind: Deployment\ndocument 2 (line 3, column 4): this is not well-formed YAML: unclosed bracket '['; correct the text there\ndocument 3 (line 6, column 1): the key \"c\" appears twice; keep one of them",
    ),
];

#[test]
fn whole_texts() {
    for (text, message) in WHOLE_TEXTS {
        assert_eq!(&errors(text), message, "{text:?}");
    }
}

#[test]
fn all_mistakes_are_reported_together_up_to_a_limit() {
    let both = WEB.replace("replicas: 3", "replicas: -1").replace("cpu: 100m", "cpu: lots");
    assert_eq!(parse_application(&both).unwrap_err().errors().len(), 2);
    let many = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n---\n".repeat(MAX_ERRORS + 5);
    let many = parse_application(&many).unwrap_err();
    assert_eq!((many.errors().len(), many.more()), (MAX_ERRORS, 5));
    assert!(many.to_string().ends_with("\nand 5 more"));
}

#[test]
fn the_contents_of_a_secret_are_not_repeated() {
    let secret = |content: &str| {
        errors(&format!("{WEB}---\napiVersion: v1\nkind: Secret\nmetadata: {{name: login}}\n{content}\n"))
    };
    for content in ["stringData: {pin: 471100815}", "data: {pin: [471100815]}", "data: {pin: {x: 471100815}}"]
    {
        let message = secret(content);
        assert!(
            message.contains("Secret login: ") && message.to_lowercase().contains("data.pin"),
            "{message}"
        );
        assert!(message.contains("it is not a text; put the value in quotes"), "{message}");
        assert!(!message.contains("471100815"), "{message}");
    }
}
