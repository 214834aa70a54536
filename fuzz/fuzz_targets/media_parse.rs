//! Fuzzes [`sabir_fuzz::wire::media_parse`]. Invariant: nothing but the shared body is called.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sabir_fuzz::wire::media_parse(data));
