//! See `flagstone_fuzz_bodies::index_history`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    flagstone_fuzz_bodies::index_history(data);
});
