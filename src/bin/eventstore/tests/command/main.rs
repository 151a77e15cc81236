//! The command as a user has it: run as a process, judged by what it prints, how it exits, and
//! what it leaves on the disk.

mod bench;
mod capture;
mod convert;
mod golden;
mod harness;
mod kill;
mod logged;
mod mend;
mod output;
mod refusal;
mod tail;
mod verdict;
