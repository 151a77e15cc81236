//! Compiles this crate, and only this crate, under `--cfg loom`.

fn main() {
    println!("cargo:rustc-cfg=loom");
    println!("cargo:rerun-if-changed=build.rs");
}
