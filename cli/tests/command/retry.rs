//! A request whose connection breaks is sent again, and takes effect once.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use crate::stage::Dev;

/// After so many bytes from the client, the first connection breaks as soon as the hub says anything.
const BREAK_AFTER: usize = 60_000;

#[test]
fn a_broken_connection_is_made_again_and_the_request_takes_effect_once() {
    let dev = Dev::start(&["--clusters", "1"]);
    let config = std::fs::read_to_string(dev.folder.path().join(".godwit/dev/config.yaml")).unwrap();
    let hub: SocketAddr =
        config.split("https://").nth(1).unwrap().lines().next().unwrap().trim().parse().unwrap();
    let (proxy, connections) = fragile(hub);
    let config = config.replace(&hub.to_string(), &proxy.to_string());
    std::fs::write(dev.folder.path().join(".godwit/dev/fragile.yaml"), config).unwrap();
    let manifests = json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web"}, "data": {"large": "x".repeat(100_000)}},
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": "web"}]},
            },
        }},
    ]});
    std::fs::write(dev.folder.path().join("web.json"), manifests.to_string()).unwrap();
    let applied = dev.works(&["--config", ".godwit/dev/fragile.yaml", "apply", "-f", "web.json"]);
    assert!(applied.starts_with("deployment/web created: 3 alpha\n"), "{applied}");
    assert!(connections.load(Ordering::SeqCst) >= 2, "the first connection was to break");
    let events = dev.json(&["get", "events", "deployment/web", "-o", "json"]);
    let deployed = events["items"].as_array().unwrap().iter().filter(|event| event["reason"] == "Deployed");
    assert_eq!(deployed.count(), 1);
}

/// A proxy whose first connection breaks; how many there were is counted.
fn fragile(hub: SocketAddr) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let count = connections.clone();
    std::thread::spawn(move || {
        while let Ok((client, _)) = listener.accept() {
            let breaks = count.fetch_add(1, Ordering::SeqCst) == 0;
            let hub = TcpStream::connect(hub).unwrap();
            let sent = Arc::new(AtomicUsize::new(0));
            let (from_client, to_hub) = (client.try_clone().unwrap(), hub.try_clone().unwrap());
            let counted = sent.clone();
            std::thread::spawn(move || {
                pump(from_client, to_hub, |bytes| {
                    counted.fetch_add(bytes, Ordering::SeqCst);
                    true
                })
            });
            std::thread::spawn(move || {
                pump(hub, client, |_| !breaks || sent.load(Ordering::SeqCst) < BREAK_AFTER)
            });
        }
    });
    (address, connections)
}

/// Passes bytes on while `goes_on` says so, then ends both sides.
fn pump(mut from: TcpStream, mut to: TcpStream, goes_on: impl Fn(usize) -> bool) {
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        if !goes_on(read) || to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
