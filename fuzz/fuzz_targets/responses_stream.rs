//! Fuzzes [`sabir_fuzz::wire::responses_stream`]. Invariant: nothing but the shared body is called.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sabir_fuzz::wire::responses_stream(data));
