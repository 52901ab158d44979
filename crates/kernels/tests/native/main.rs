//! Native kernels against big integers and invariants, on random markets.
#![allow(missing_docs, reason = "tests")]

mod invariants;
mod limits;
mod reference;
mod reweigh;
mod same;
mod world;
