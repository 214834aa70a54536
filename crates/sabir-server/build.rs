//! Compiles the Model Manager's schema.
//!
//! Invariant: nothing is fetched and no `protoc` is needed.

use std::{env, error::Error, fs, path::PathBuf};

use prost::Message;

#[expect(clippy::disallowed_methods, reason = "cargo says where to write in a variable")]
fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let files = protox::compile(["proto/model_service.proto"], ["proto"])?;
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets no OUT_DIR")?);
    fs::write(out.join("model_service.binpb"), files.encode_to_vec())?;
    tonic_prost_build::configure().build_client(false).build_transport(false).compile_fds(files)?;
    Ok(())
}
