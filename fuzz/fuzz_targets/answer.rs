//! Answers to requests: JSON-RPC, pages, anything.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| moorline_cip0103::fuzzing::answer(bytes));
