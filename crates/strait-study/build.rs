//! Rebuilds the crate when a file of the catalogue or a scenario changes: `include_dir!` alone does not notice new files.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=../../catalog");
    println!("cargo::rerun-if-changed=../../scenarios");
}
