//! Server-sent events, from bytes cut anywhere.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| moorline_cip0103::fuzzing::sse(bytes));
