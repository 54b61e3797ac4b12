//! Sessions in clear, of any version: what is read can be written, and is read the same again.

#![no_main]

use moorline::store::{export, export_v1, import};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let Ok(record) = import(text) else { return };
    let again = import(&export(&record).unwrap()).unwrap();
    assert_eq!(again, record);
    if let Ok(v1) = export_v1(&record) {
        import(&v1).unwrap();
    }
});
