//! Events, in borsh layout.
//!
//! An event is a tag byte and then its fields in little-endian order without
//! padding, which is also their borsh encoding. One or more of them, one after
//! the other, are written with `sol_log_data` as one byte string. The slot is
//! the one of the transaction and is not repeated.
//!
//! | module | room for |
//! |---|---|
//! | [`slab`] | events of the Slab, tags 1 to 127, numbered within their slab |
//! | [`met`] | those of them that end with a list |
//! | [`router`] | events of the Router, tags from 128 on, without a number |
//! | [`registry`] | those of them about slabs, programs and governance |
//!
//! The tags of both programs do not overlap, but what says whose event it is
//! is the program that ran when it was logged: anybody can log these bytes.

pub mod met;
pub mod registry;
pub mod router;
pub mod slab;

pub use router::RouterEvent;
pub use slab::*;

/// An event whose last field is a list: only the entries in use are encoded.
trait Listed: bytemuck::Pod {
    /// Whether the number of entries is one that there is room for.
    fn is_sound(&self) -> bool;

    /// Bytes of the encoding.
    fn encoded_len(&self) -> usize;

    /// Bytes of the encoding that starts here, as its head tells.
    fn whole_len(bytes: &[u8]) -> usize {
        let mut event = Self::zeroed();
        let room = bytemuck::bytes_of_mut(&mut event);
        let some = room.len().min(bytes.len());
        room[..some].copy_from_slice(&bytes[..some]);
        event.encoded_len()
    }

    /// Decodes one event; `None` when the bytes are not exactly one.
    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut event = Self::zeroed();
        let room = bytemuck::bytes_of_mut(&mut event);
        room.get_mut(..bytes.len())?.copy_from_slice(bytes);
        (event.is_sound() && event.encoded_len() == bytes.len()).then_some(event)
    }
}

/// Defines an event: `head` are the fields that all events of a program share.
macro_rules! event {
    (
        { $($(#[$hdoc:meta])* $head:ident: $htype:ty,)* }
        $(#[$doc:meta])* $name:ident = $tag:literal
        { $($(#[$fdoc:meta])* $field:ident: $type:ty,)* }
    ) => {
        $(#[$doc])*
        #[repr(C, packed)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
        pub struct $name {
            /// Kind of event.
            pub tag: u8,
            $($(#[$hdoc])* pub $head: $htype,)*
            $($(#[$fdoc])* pub $field: $type,)*
        }

        impl $name {
            /// Kind of event.
            pub const TAG: u8 = $tag;
        }
    };
}
use event;

/// Defines the events of a program, and one type for any of them and for those
/// of fixed size that are defined elsewhere.
macro_rules! events {
    (
        $(#[$edoc:meta])* $event:ident of $head:tt
        fixed { $($(#[$doc:meta])* $name:ident = $tag:literal $fields:tt)* }
        elsewhere { $($other:ident),* $(,)? }
        listed { $($listed:ident),* }
    ) => {
        $(super::event! { $head $(#[$doc])* $name = $tag $fields })*

        events! {
            @any $(#[$edoc])* $event
            fixed { $($name,)* $($other),* }
            listed { $($listed),* }
        }
    };
    (
        @any $(#[$edoc:meta])* $event:ident
        fixed { $($name:ident),* $(,)? }
        listed { $($listed:ident),* }
    ) => {
        $(#[$edoc])*
        #[derive(Clone, Copy, Debug)]
        #[allow(clippy::large_enum_variant, reason = "decoded one at a time on hosts")]
        pub enum $event {
            $(#[doc = concat!("[`", stringify!($name), "`].")] $name($name),)*
            $(#[doc = concat!("[`", stringify!($listed), "`].")] $listed($listed),)*
        }

        impl $event {
            /// Tag and name of every kind of event.
            pub const KINDS: &'static [(u8, &'static str)] = &[
                $(($name::TAG, stringify!($name)),)*
                $(($listed::TAG, stringify!($listed)),)*
            ];

            /// Decodes one event; `None` when it is none of ours or is cut short.
            pub fn decode(bytes: &[u8]) -> Option<Self> {
                Some(match *bytes.first()? {
                    $($name::TAG => {
                        Self::$name(bytemuck::try_pod_read_unaligned(bytes).ok()?)
                    })*
                    $($listed::TAG => {
                        Self::$listed(<$listed as super::Listed>::decode(bytes)?)
                    })*
                    _ => return None,
                })
            }

            /// The encoded event.
            pub fn as_bytes(&self) -> &[u8] {
                match self {
                    $(Self::$name(event) => bytemuck::bytes_of(event),)*
                    $(Self::$listed(event) => event.as_bytes(),)*
                }
            }

            /// Name of the kind of event.
            pub const fn name(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => stringify!($name),)*
                    $(Self::$listed(_) => stringify!($listed),)*
                }
            }
        }

        /// The encoded length of the event whose bytes start here.
        fn length(bytes: &[u8]) -> Option<usize> {
            Some(match *bytes.first()? {
                $($name::TAG => size_of::<$name>(),)*
                $($listed::TAG => <$listed as super::Listed>::whole_len(bytes),)*
                _ => return None,
            })
        }

        /// The events of one log record, in order. Ends early at bytes that are no
        /// event of this program.
        pub fn decode_all(record: &[u8]) -> impl Iterator<Item = $event> + '_ {
            let mut rest = record;
            core::iter::from_fn(move || {
                let (event, after) = rest.split_at_checked(length(rest)?)?;
                rest = after;
                $event::decode(event)
            })
        }
    };
}
use events;

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use bytemuck::Zeroable;
    use std::vec::Vec;

    #[test]
    fn a_trade_survives_encoding_and_a_cut_one_is_refused() {
        let mut traded = Traded::zeroed();
        traded.tag = Traded::TAG;
        traded.seq = 9;
        for order in 1..=3 {
            assert!(traded.push(Fill {
                order,
                ..Fill::zeroed()
            }));
        }
        let bytes = traded.as_bytes();
        let Some(Event::Traded(back)) = Event::decode(bytes) else {
            panic!("not decoded")
        };
        assert_eq!(back.fills(), traded.fills());
        assert!(Event::decode(&bytes[..bytes.len() - 1]).is_none());
        assert!(Event::decode(&[]).is_none());
        assert!(Event::decode(&[99; 40]).is_none());
    }

    #[test]
    fn a_record_of_several_events_is_read_in_order() {
        let freed = HoldFreed {
            tag: HoldFreed::TAG,
            seq: 1,
            hold: 4,
        };
        let mut traded = Traded::zeroed();
        (traded.tag, traded.seq) = (Traded::TAG, 2);
        assert!(traded.push(Fill::zeroed()));
        let last = OrderReduced {
            tag: OrderReduced::TAG,
            seq: 3,
            ..OrderReduced::zeroed()
        };
        let mut record = bytemuck::bytes_of(&freed).to_vec();
        record.extend(traded.as_bytes());
        record.extend(bytemuck::bytes_of(&last));
        let seqs = |bytes: &[u8]| {
            decode_all(bytes)
                .map(|event| event.seq())
                .collect::<Vec<_>>()
        };
        assert_eq!(seqs(&record), [1, 2, 3]);
        assert_eq!(seqs(&record[..record.len() - 1]), [1, 2]);
        record.push(99);
        assert_eq!(seqs(&record), [1, 2, 3]);
    }

    #[test]
    fn fills_beyond_the_bound_are_refused() {
        let mut traded = Traded::zeroed();
        for _ in 0..FILLS_MAX {
            assert!(traded.push(Fill::zeroed()));
        }
        assert!(!traded.push(Fill::zeroed()));
        assert_eq!(traded.as_bytes().len(), core::mem::size_of::<Traded>());
    }

    #[test]
    fn obs2_every_router_instruction_has_an_event_of_its_own() {
        use crate::instruction::router as number;
        let of = |number: u8| {
            let tag = router::FIRST_TAG + number;
            let kind = RouterEvent::KINDS.iter().find(|(one, _)| *one == tag);
            kind.map(|(_, name)| *name)
        };
        for instruction in 0..=number::LIQUIDATE_COLLATERAL {
            assert!(of(instruction).is_some(), "{instruction}");
        }
        assert_eq!(of(number::SETTLE), Some("Settled"));
        assert_eq!(of(number::PAY_CLAIM), Some("ClaimPaid"));
        assert_eq!(of(number::EXECUTE), Some("ProposalExecuted"));
        assert_eq!(of(number::CLOSE_PORTFOLIO), Some("PortfolioClosed"));
    }

    #[test]
    fn tags_are_unique_and_tell_the_programs_apart() {
        let slab = Event::KINDS.iter().map(|(tag, _)| *tag);
        let router = RouterEvent::KINDS.iter().map(|(tag, _)| *tag);
        let mut tags: Vec<u8> = slab.clone().chain(router.clone()).collect();
        tags.sort_unstable();
        tags.dedup();
        assert_eq!(tags.len(), Event::KINDS.len() + RouterEvent::KINDS.len());
        assert!(slab.max() < Some(router::FIRST_TAG));
        assert_eq!(router.min(), Some(router::FIRST_TAG));
    }

    #[test]
    fn an_event_of_the_router_survives_encoding_and_a_cut_one_is_refused() {
        let settled = router::Settled {
            tag: router::Settled::TAG,
            escrow: [7; 32],
            booked: router::Booked {
                charged_atoms: 1,
                returned_atoms: 2,
                released_atoms: 3,
            },
            owed_atoms: 4,
            cash_atoms: 5,
            backing_atoms: 6,
        };
        let bytes = bytemuck::bytes_of(&settled);
        assert_eq!(bytes.len(), 1 + 32 + 6 * 8);
        let Some(RouterEvent::Settled(back)) = RouterEvent::decode(bytes) else {
            panic!("not decoded")
        };
        assert_eq!(back, settled);
        let last = &bytes[bytes.len() - 8..];
        assert_eq!(last, 6u64.to_le_bytes());
        assert!(RouterEvent::decode(&bytes[1..]).is_none());
        assert!(RouterEvent::decode(&bytes[..bytes.len() - 1]).is_none());
        // Each program's reader takes its own events only.
        assert!(Event::decode(bytes).is_none());
        assert_eq!(decode_all(bytes).count(), 0);
        assert_eq!(router::decode_all(bytes).count(), 1);
    }
}
