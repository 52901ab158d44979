//! The VIL machine and its assembler, from outside.

mod assembler;
mod errors;
mod listings;
mod memory;
mod modes;
mod random;
mod support;
mod vectors;
