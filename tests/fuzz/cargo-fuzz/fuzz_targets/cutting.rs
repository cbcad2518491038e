//! libFuzzer calls the target `cutting`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| jetbase_fuzz::run("cutting", data));
