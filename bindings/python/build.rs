//! What a library without an interpreter of its own needs of the linker, where that is picky.
//!
//! Invariant: nothing is generated here.

fn main() {
    pyo3_build_config::add_extension_module_link_args();
}
