//! Rebuilds the crate when a catalogue file changes: `include_dir!` alone does not notice new files.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=../../catalog");
}
