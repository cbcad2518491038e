//! The benchmarks of the parts that need no database are in `benches/pure.rs`.
