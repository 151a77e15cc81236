//! Link arguments of the shared library; writes nothing.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        // Until 1.0 every minor version of the interface may break: the name says which is meant.
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libeventstore.so.0");
        // The writer's thread and Rust's thread-local destructors must not outlive their code.
        println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
