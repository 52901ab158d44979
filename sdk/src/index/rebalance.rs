//! New weights of an index, and trading what they leave to trade.

use super::{Pair, Seeded, instruction, list, number, readable, signer, writable};
use crate::read_record;
use flagstone_index_engine::rebalance::RebalanceHead;
use flagstone_interface::Key;
use flagstone_kernels::Amount;
use flagstone_kernels::index::Constituent;
use flagstone_kernels::market::Place;
use flagstone_kernels::rebalance::Leg;
use solana_address::Address;
use solana_instruction::Instruction;
use solana_sha256_hasher::hash;

/// Bytes of the account of an index's next weights, with room for as many
/// constituents, and legs for those of two indices and as much again pending.
pub const fn rebalance_bytes(constituents: usize) -> usize {
    let legs = if 3 * constituents < 512 {
        3 * constituents
    } else {
        512
    };
    size_of::<RebalanceHead>() + constituents * size_of::<Constituent>() + legs * size_of::<Leg>()
}

/// The index whose weights change, and the account in which they do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reweighing {
    /// Index and market.
    pub pair: Pair,
    /// Account of the next weights.
    pub account: Address,
}

impl Reweighing {
    fn administer(&self, data: Vec<u8>, admin: &Address) -> Instruction {
        let accounts = vec![
            writable(&self.account),
            writable(&self.pair.index),
            readable(&self.pair.market),
            signer(admin),
        ];
        instruction(data, accounts)
    }

    /// Creates and initialises the account; the base is the market's
    /// administrator. A change waits for `notice_slots` after its announcement
    /// and moves a token's value by `value_max_ppm` at most, for ever.
    pub fn create(
        pair: &Pair,
        account: &Seeded<'_>,
        constituents: u32,
        notice_slots: u32,
        value_max_ppm: u32,
    ) -> Option<(Self, Vec<Instruction>)> {
        let own = Self {
            pair: *pair,
            account: account.address()?,
        };
        let mut all = account.create(rebalance_bytes(constituents as usize))?;
        let mut data = vec![number::CREATE_REBALANCE];
        for number in [constituents, notice_slots, value_max_ppm] {
            data.extend(number.to_le_bytes());
        }
        account.argument(&mut data);
        all.push(own.administer(data, &account.base));
        Some((own, all))
    }

    /// Proposes weights in increasing order of slots, from the number `from` on;
    /// the part that completes them announces them. 25 fit a transaction.
    pub fn propose(
        &self,
        admin: &Address,
        from: u32,
        announces: bool,
        weights: &[(Place, Amount)],
    ) -> Instruction {
        let mut bytes = Vec::new();
        for (place, weight) in weights {
            bytes.extend(bytemuck::bytes_of(place));
            bytes.extend(bytemuck::bytes_of(weight));
        }
        let mut data = vec![number::PROPOSE_WEIGHTS];
        data.extend(from.to_le_bytes());
        data.push(u8::from(announces));
        data.extend(&list(0, &bytes)[1..]);
        self.administer(data, admin)
    }

    /// Brings the weights with this hash into force ([`weights_hash`]).
    pub fn change(&self, admin: &Address, proposal_hash: &Key) -> Instruction {
        let mut data = vec![number::CHANGE_WEIGHTS];
        data.extend(proposal_hash);
        self.administer(data, admin)
    }

    /// Trades the next `count` legs, at most 128, with `factor` of the market's
    /// capacity, at 1e-18. Anyone may send it.
    pub fn execute(&self, count: u32, factor: u64) -> Instruction {
        let mut data = vec![number::EXECUTE_REBALANCE];
        data.extend(count.to_le_bytes());
        data.extend(factor.to_le_bytes());
        let accounts = [&self.account, &self.pair.index, &self.pair.market].map(writable);
        instruction(data, accounts.to_vec())
    }
}

/// Hash by which a proposal is brought into force: of its constituents as the
/// index holds them. `None` for a weight that no index can have.
pub fn weights_hash(weights: &[(Place, Amount)]) -> Option<Key> {
    let mut bytes = Vec::new();
    for (place, weight) in weights {
        let constituent = Constituent::new(*place, *weight).ok()?;
        bytes.extend(bytemuck::bytes_of(&constituent));
    }
    Some(hash(&bytes).to_bytes())
}

/// The head of an index's next weights, what is proposed, and the legs.
pub fn read_rebalance(data: &[u8]) -> Option<(RebalanceHead, Vec<Constituent>, Vec<Leg>)> {
    let head = read_record::<RebalanceHead>(data)?;
    let from = size_of::<RebalanceHead>();
    let after = from + head.capacity as usize * size_of::<Constituent>();
    let proposed = data
        .get(from..after)?
        .chunks_exact(size_of::<Constituent>());
    let legs = data.get(after..)?.chunks_exact(size_of::<Leg>());
    let read = proposed.take(head.proposed as usize);
    Some((
        head,
        read.map(bytemuck::pod_read_unaligned).collect(),
        legs.take(head.legs as usize)
            .map(bytemuck::pod_read_unaligned)
            .collect(),
    ))
}
