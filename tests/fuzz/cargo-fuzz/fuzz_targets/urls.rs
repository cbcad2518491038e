//! libFuzzer calls the target `urls`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| jetbase_fuzz::run("urls", data));
