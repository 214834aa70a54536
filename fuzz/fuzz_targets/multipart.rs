//! Fuzzes [`sabir_fuzz::wire::multipart`]. Invariant: nothing but the shared body is called.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sabir_fuzz::wire::multipart(data));
