//! Mistakes in what an object is: its metadata, its kind, and whose name it has.

use crate::{WEB, check, errors};

#[test]
fn metadata() {
    check(&[
        (
            "name: web",
            "name: Web_1",
            "(4, 9): Deployment Web_1: metadata.name: name \"Web_1\" is not valid: it must be lower-case letters, digits and '-', beginning and ending with a letter or digit; choose another name",
        ),
        (
            "name: web",
            "name: 7",
            "(4, 9): Deployment: metadata.name: 7 is not a text; put it in quotes: \"7\"",
        ),
        (
            "name: web",
            "generateName: web-",
            "(4, 17): Deployment: metadata.generateName: a generated name differs in each cluster and each time; write metadata.name instead",
        ),
        (
            "name: web",
            "name: web\n  namespace: Shop",
            "(5, 14): Deployment web: metadata.namespace: namespace \"Shop\" is not valid: it must be lower-case letters, digits and '-', beginning and ending with a letter or digit; choose another namespace",
        ),
        (
            "name: web",
            "name: web\n  labels:\n    version: 1.10",
            "(6, 14): Deployment web: metadata.labels.version: 1.1 is not a text; put it in quotes: \"1.1\"",
        ),
        (
            "name: web",
            "name: web\n  annotations:\n    godwit.dev/police: even",
            "(6, 24): Deployment web: metadata.annotations[godwit.dev/police]: godwit.dev/police is not for manifests: the prefix is Godwit's own; did you mean \"godwit.dev/policy\"?",
        ),
        (
            "name: web",
            "name: web\n  annotations:\n    godwit.dev/policy: Even!",
            "(6, 24): Deployment web: metadata.annotations[godwit.dev/policy]: policy name \"Even!\" is not valid: it must be lower-case letters, digits and '-', beginning and ending with a letter or digit; write the name of a policy",
        ),
        (
            "name: web",
            "name: web\n  labels:\n    godwit.dev/uid: x",
            "(6, 21): Deployment web: metadata.labels[godwit.dev/uid]: godwit.dev/uid is not for manifests: the prefix is Godwit's own; remove it",
        ),
        (
            "name: web",
            "name: web\n  ownerReferences: [{uid: x}]",
            "(5, 20): Deployment web: metadata.ownerReferences: an owner lives in one cluster; in the others the object would be collected as garbage; remove the field",
        ),
    ]);
}

#[test]
fn kinds_that_cannot_be_handled() {
    check(&[
        (
            "apps/v1",
            "extensions/v1beta1",
            "(1, 1): Deployment web: a Deployment cannot be handled: Kubernetes serves it as apps/v1 only; write apiVersion: apps/v1",
        ),
        (
            "apps/v1",
            "v1",
            "(1, 1): Deployment web: a Deployment cannot be handled: Kubernetes serves it as apps/v1 only; write apiVersion: apps/v1",
        ),
        (
            "apps/v1",
            "apps/v1/x",
            "(1, 13): Deployment web: apiVersion: apiVersion \"apps/v1/x\" is not valid: it must be VERSION or GROUP/VERSION, such as v1 or apps/v1; correct it",
        ),
        (
            "apiVersion: apps/v1\n",
            "",
            "(1, 1): Deployment web: apiVersion: it is missing; write one, such as apiVersion: apps/v1",
        ),
        (
            "kind: Deployment",
            "kind: deployment",
            "(2, 7): deployment web: kind: kind \"deployment\" is not valid: it must be a capital letter followed by letters and digits, such as Deployment; correct it",
        ),
        (
            "kind: Deployment",
            "kind: Deploymnet",
            "(1, 1): Deploymnet web: Kubernetes has no Deploymnet in apps/v1; did you mean \"Deployment\"? (a custom kind has a group with a dot)",
        ),
        (
            "kind: Deployment",
            "kind: Job",
            "(1, 1): Job web: a Job cannot be handled: Kubernetes serves it as batch/v1 only; write apiVersion: batch/v1",
        ),
        (
            "kind: Deployment",
            "kind: ReplicaSet",
            "(1, 1): ReplicaSet web: a ReplicaSet cannot be handled: it cannot roll from one revision to the next; write it as a Deployment",
        ),
        (
            "apiVersion: apps/v1\nkind: Deployment",
            "apiVersion: v1\nkind: Pod",
            "(1, 1): Pod web: a Pod cannot be handled: nothing starts it again elsewhere when its node or cluster is lost; write it as a Deployment",
        ),
        (
            "apiVersion: apps/v1\nkind: Deployment",
            "apiVersion: godwit.dev/v1\nkind: Policy",
            "(1, 1): Policy web: a Policy cannot be handled: it is for the hub itself and no part of an application; apply it on its own, before the application",
        ),
    ]);
}

#[test]
fn two_objects_of_one_identity_are_refused() {
    let message = errors(&format!("{WEB}---\n{WEB}"));
    let place = "document 2 (line 22, column 1): Deployment web: ";
    let problem = "there is already a Deployment default/web, in document 1";
    assert_eq!(message, format!("{place}{problem}; remove one of the two, or rename it"));
}
