//! Tests that drive every module against a plain model of it.
//!
//! [`support`] has the desk, its six signers and a log that keeps, like the
//! chain, only what instructions that succeed have written.

mod allotments;
mod batches;
mod carried;
mod collateral;
mod desk;
mod histories;
mod inventory;
mod lifecycle;
mod pending;
mod replays;
mod replays_of_orders;
mod sharing;
mod support;
mod transitions;
mod updates;
mod vectors;
