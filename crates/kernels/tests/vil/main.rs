//! The VIL machine and its assembler, from outside.

mod assembler;
mod before_and_during;
mod differential;
mod errors;
mod listings;
mod memory;
mod modes;
mod random;
mod support;
mod vectors;
