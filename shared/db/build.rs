//! Rebuilds this crate when a migration is added: the binary carries the whole folder.

fn main() {
    println!("cargo:rerun-if-changed=../../migrations");
}
