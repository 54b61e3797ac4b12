//! What events mean to a session.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| moorline_cip0103::fuzzing::events(bytes));
