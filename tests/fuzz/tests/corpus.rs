//! Everything that was ever of interest to a target is fed to it again.

use std::fs;
use std::path::Path;

use fuzz::TARGETS;

#[test]
fn all_targets_stand_their_corpora() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (name, target) in TARGETS {
        let folder = corpora.join(name);
        let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut fed = 0;
        for entry in entries {
            let path = entry.expect("an entry").path();
            let data = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            println!("{}", path.display());
            target(&data);
            fed += 1;
        }
        assert!(fed > 0, "{} is empty", folder.display());
    }
}
