//! See `flagstone_fuzz_bodies::account_bytes`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| flagstone_fuzz_bodies::account_bytes(data));
