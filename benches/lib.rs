//! Owns the criterion benchmarks, so that criterion stays out of the shipped crates. Holds no code of its own.
