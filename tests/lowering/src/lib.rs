//! Differential tests of the portable SBF build: see `tests/`.
