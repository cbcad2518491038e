//! libFuzzer calls the target `scripts`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| jetbase_fuzz::run("scripts", data));
