//! Only tests: `tests/cases.rs`.
