//! Reads and writes that the kernel makes shorter than asked: the rest is done too.
//!
//! strace cannot shorten a call, so a small library in front of libc does.

use std::fs;
use std::path::Path;
use std::process::Command;

use eventstore::store::{BackendKind, ReaderOptions, open_crashed_run};

use super::RUN;
use crate::common::flow::assert_is_flow;
use crate::common::process::{self, Finished};
use crate::common::sample::INSTANCE;
use crate::common::shared;
use crate::common::temporary::TemporaryFolder;

const SHIM: &str = r#"
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static _Atomic long shortened;

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) {
    int first = 0;
    while (first + 1 < count && parts[first].iov_len == 0) first++;
    size_t length = parts[first].iov_len;
    if (length > 1000) length = 1000;
    if (length < parts[first].iov_len || first + 1 < count) shortened++;
    return syscall(SYS_pwrite64, fd, parts[first].iov_base, length, offset);
}

ssize_t pread(int fd, void *out, size_t length, off_t offset) {
    if (length > 900) { length = 900; shortened++; }
    return syscall(SYS_pread64, fd, out, length, offset);
}

__attribute__((destructor)) static void tell(void) { dprintf(1, "shortened %ld\n", shortened); }
"#;

#[test]
fn shortened_reads_and_writes_are_completed() {
    let folder = TemporaryFolder::new("short");
    let (source, library) = (folder.path().join("short.c"), folder.path().join("short.so"));
    fs::write(&source, SHIM).expect("the folder is ours");
    let compiled =
        Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).output();
    let Ok(compiled) = compiled else {
        shared::not_run_without_tool("short writes", "there is no C compiler");
        return;
    };
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    for backend in [BackendKind::Redb, BackendKind::Log] {
        shorten_calls(backend, &library, &folder.path().join(format!("{backend:?}")));
    }
}

fn shorten_calls(backend: BackendKind, library: &Path, base: &Path) {
    let mut command = process::command("survives");
    command.env("LD_PRELOAD", library).env("ES_BASE", base).env("ES_STEPS", "30");
    command.env("ES_BACKEND", format!("{backend:?}"));
    let finished = Finished::of(command).expect_success();
    let shortened = finished.last_number("shortened").expect("the library said it");
    eprintln!("{backend:?}: {shortened} shortened calls completed");
    assert!(shortened > 500, "{shortened}");
    let reader = open_crashed_run(base, INSTANCE, RUN, &ReaderOptions::default());
    let reader = reader.expect("a sealed run opens");
    assert_eq!(Some(assert_is_flow(reader.view())), finished.last_number("written"));
}
