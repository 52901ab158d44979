//! See `flagstone_fuzz_bodies::slab_operations`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    flagstone_fuzz_bodies::slab_operations(data);
});
