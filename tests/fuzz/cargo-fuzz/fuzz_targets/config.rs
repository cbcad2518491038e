//! libFuzzer calls the target `config`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| jetbase_fuzz::run("config", data));
