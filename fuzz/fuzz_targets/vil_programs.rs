//! See `flagstone_fuzz_bodies::vil_programs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    flagstone_fuzz_bodies::vil_programs(data);
});
