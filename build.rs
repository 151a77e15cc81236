//! Link arguments of the shared library; writes nothing.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        // The major version of the interface; minor ones only add (tests/abi.rs). The installed
        // library is linked by xtask, with the same name and with symbol versions.
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libeventstore.so.0");
        // The writer's thread and Rust's thread-local destructors must not outlive their code.
        println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
