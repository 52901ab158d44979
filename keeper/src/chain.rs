//! What a keeper needs of a chain: reading accounts, and sending transactions
//! that its own key pays for.

use flagstone_sdk::interface::Record;
use flagstone_sdk::read_record;
use solana_address::Address;
use solana_instruction::Instruction;

/// A view of a chain, and a way to send to it.
pub trait Chain {
    /// Why a transaction failed.
    type Failure: core::fmt::Display;

    /// Current slot.
    fn slot(&self) -> u64;

    /// Who pays for what is sent.
    fn payer(&self) -> Address;

    /// Data of an account; `None` when there is none.
    fn data(&self, key: &Address) -> Option<Vec<u8>>;

    /// Sends one transaction, signed by the payer alone.
    ///
    /// # Errors
    /// When any instruction fails; then none had an effect.
    fn send(&mut self, instructions: &[Instruction]) -> Result<(), Self::Failure>;
}

/// A Router record, copied; `None` when the account is not one.
pub(crate) fn record<C: Chain, T: Record>(chain: &C, key: &Address) -> Option<T> {
    read_record(&chain.data(key)?)
}

#[cfg(feature = "embedded")]
mod embedded {
    use super::{Address, Chain, Instruction};
    use flagstone_sdk::embedded::{Failure, Session};

    impl Chain for Session {
        type Failure = Box<Failure>;

        fn slot(&self) -> u64 {
            Self::slot(self)
        }

        fn payer(&self) -> Address {
            Self::payer(self)
        }

        fn data(&self, key: &Address) -> Option<Vec<u8>> {
            let data = Self::data(self, key);
            (!data.is_empty()).then_some(data)
        }

        fn send(&mut self, instructions: &[Instruction]) -> Result<(), Self::Failure> {
            self.send_large(instructions, &[]).map(drop)
        }
    }
}
