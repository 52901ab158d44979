//! A model of the money path, small enough to explore every interleaving.
//!
//! Two users trade at two slabs. The first slab is honest and follows the
//! engine's rules. The second one is hostile: whenever the Router reads it, it
//! shows whatever suits it, so its own state needs no modelling. Every step is
//! a transaction that anybody may send at any time and that may be the last
//! one: a client that crashes is a client whose next step never comes.
//!
//! | module | what it models |
//! |---|---|
//! | [`router`] | capabilities, booking, settle, refund (`programs/router`) |
//! | [`honest`] | holds and counters of the honest slab (`slab-engine`) |
//! | [`world`] | all of it together, the steps, what must hold |
//!
//! [`Rules`] switches single rules off. The tests do that to show that the
//! properties notice.

pub mod honest;
pub mod router;
pub mod world;

/// Rules that can be switched off; all are on in the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// A charge above what the capability has left is evidence (X4).
    pub charge_within_capability: bool,
    /// The results have to add up to what the counter moved by (X4).
    pub results_explain_counter: bool,
    /// A booked capability is burned (X4).
    pub booking_burns: bool,
    /// A capability record that is live is not minted over (X4).
    pub live_records_stay: bool,
    /// A refund books charges first (X1).
    pub refund_books_first: bool,
    /// A committed hold stays until the Router has booked it (T5).
    pub results_stay_until_booked: bool,
    /// A capability ends within its longest life, whatever the slab says (X1).
    pub lifetime_is_bounded: bool,
}

impl Rules {
    /// The protocol.
    pub const ALL: Self = Self {
        charge_within_capability: true,
        results_explain_counter: true,
        booking_burns: true,
        live_records_stay: true,
        refund_books_first: true,
        results_stay_until_booked: true,
        lifetime_is_bounded: true,
    };
}

/// Most that a hold of the model may charge, in atoms.
pub const CHARGE_MAX: u8 = 2;

/// Slots for which a hold and its capability live.
pub const LIFE: u8 = 1;
