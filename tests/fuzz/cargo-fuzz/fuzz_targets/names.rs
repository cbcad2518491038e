//! libFuzzer calls the target `names`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| jetbase_fuzz::run("names", data));
