//! Compiles the `.proto` files without a system `protoc`.

use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut files = Vec::new();
    for folder in ["godwit/agents/v1", "godwit/store/v1", "godwit/v1"] {
        println!("cargo::rerun-if-changed={folder}");
        for entry in std::fs::read_dir(folder)? {
            files.push(entry?.path());
        }
    }
    files.sort();
    // Source information carries the comments into server reflection, where grpcurl users read them.
    let descriptors = protox::Compiler::new(["."])?
        .include_imports(true)
        .include_source_info(true)
        .open_files(&files)?
        .file_descriptor_set();
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    // How the hub keeps its records is no part of the API, nor is what agents ask each other.
    let mut described = descriptors.clone();
    described
        .file
        .retain(|file| !["godwit/agents/", "godwit/store/"].iter().any(|own| file.name().starts_with(own)));
    std::fs::write(out.join("descriptors.bin"), prost::Message::encode_to_vec(&described))?;
    let mut config = tonic_prost_build::Config::new();
    // Ordered maps: the same message always encodes to the same bytes.
    config.btree_map(["."]);
    // Types know their full name, by which the JSON form finds their descriptor.
    config.enable_type_names();
    tonic_prost_build::configure().compile_fds_with_config(descriptors, config)?;
    Ok(())
}
