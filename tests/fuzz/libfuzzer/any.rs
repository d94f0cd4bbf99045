//! Any of the targets: the environment variable `TARGET` says which.
#![no_main]

use std::sync::LazyLock;

static TARGET: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let name = std::env::var("TARGET").expect("TARGET names a target of fuzz::TARGETS");
    let found = fuzz::TARGETS.into_iter().find(|(known, _)| *known == name);
    found.expect("TARGET names a target of fuzz::TARGETS").1
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| TARGET(data));
