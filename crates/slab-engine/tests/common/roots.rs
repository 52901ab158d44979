//! The root of a slab's accounts recomputed from a copy of its bytes: its own
//! arithmetic, whole levels at a time, nothing of the engine but the layouts.

use flagstone_interface::root::Leaf;
use flagstone_interface::slab::{PoolId, SlabAccount};
use flagstone_slab_engine::Slab;
use flagstone_units::{SignedLots, Slot};
use std::collections::BTreeMap;

/// A digest.
pub type Hash = [u8; 32];

/// SHA-256 of a tag and a message.
pub fn digest(tag: u8, message: &[u8]) -> Hash {
    let bytes: Vec<u8> = std::iter::once(tag)
        .chain(message.iter().copied())
        .collect();
    solana_sha256_hasher::hash(&bytes).to_bytes()
}

/// Leaves, and every level of the tree from the leaves' hashes up.
pub struct Model {
    /// Leaf per account index.
    pub leaves: BTreeMap<u32, Leaf>,
    /// Hashes per level.
    pub levels: Vec<Vec<Hash>>,
    /// Pages.
    pub pages: u32,
    /// Sum of the equities above zero.
    pub sum_atoms: i128,
    /// Sum of all equities.
    pub net_atoms: i128,
    /// The root.
    pub root: Hash,
}

impl Model {
    /// The root that the slab would publish if it stood still in `slot`.
    pub fn of(slab: &mut Slab<'_>, slot: u32) -> Self {
        for number in 0..slab.header.pool(PoolId::Instruments).high_water as u8 {
            slab.accrue_funding(number, Slot(slot));
        }
        let high_water = slab.header.pool(PoolId::Accounts).high_water;
        let mut pages = 1;
        while pages * 64 < high_water {
            pages += 1;
        }
        let mut leaves = BTreeMap::new();
        for (index, account) in slab.accounts.iter() {
            // Open or closed, but bound.
            if account.flags & 9 != 0 {
                leaves.insert(index, leaf(slab, index, account, slot));
            }
        }
        let mut width = 64;
        while width < pages as usize * 64 {
            width *= 2;
        }
        let mut lowest = vec![[0; 32]; width];
        for (index, leaf) in &leaves {
            lowest[*index as usize - 1] = digest(1, bytemuck::bytes_of(leaf));
        }
        let mut levels = vec![lowest];
        while levels.last().unwrap().len() > 1 {
            let tag = match levels.len() {
                ..6 => 2,
                6 => 3,
                _ => 4,
            };
            let above = levels.last().unwrap().chunks(2).map(|pair| {
                if pair.concat().iter().all(|byte| *byte == 0) {
                    [0; 32]
                } else {
                    digest(tag, &pair.concat())
                }
            });
            levels.push(above.collect());
        }
        let equities = leaves.values().map(|leaf| i128::from(leaf.equity_atoms));
        let sum_atoms: i128 = equities.clone().filter(|equity| *equity > 0).sum();
        let mut message = levels.last().unwrap()[0].to_vec();
        message.extend(pages.to_le_bytes());
        message.extend(slot.to_le_bytes());
        message.extend((sum_atoms as i64).to_le_bytes());
        Self {
            net_atoms: equities.sum(),
            leaves,
            levels,
            pages,
            sum_atoms,
            root: digest(5, &message),
        }
    }

    /// The neighbours on the way up from an account's leaf.
    pub fn siblings(&self, account: u32) -> Vec<Hash> {
        let mut at = account as usize - 1;
        let mut siblings = Vec::new();
        for level in &self.levels[..self.levels.len() - 1] {
            siblings.push(level[at ^ 1]);
            at /= 2;
        }
        siblings
    }
}

fn leaf(slab: &Slab<'_>, index: u32, account: &SlabAccount, slot: u32) -> Leaf {
    let mut equity = i128::from(account.cash_atoms);
    let profit = equity - i128::from(account.principal_atoms);
    let (seen, now) = (account.haircut_index, slab.header.haircut_index);
    if profit > 0 && equity > 0 {
        let (seen_left, left) = (
            (1i128 << 32) - i128::from(seen as u32),
            (1i128 << 32) - i128::from(now as u32),
        );
        let kept = if seen >> 32 == now >> 32 {
            profit * left / seen_left
        } else {
            0
        };
        equity -= profit - kept;
    }
    let mut positions = BTreeMap::new();
    for (_, position) in slab.positions.iter() {
        let mine = position.used == 1 && u32::from(position.account) == index;
        if !mine || position.lots == SignedLots(0) {
            continue;
        }
        let instrument = &slab.instruments[usize::from(position.instrument)];
        let lots = i128::from(position.lots.0);
        let price = i128::from(instrument.mark.0) * i128::from(instrument.atoms_per_tick);
        let moved = i128::from(instrument.funding_index) - i128::from(position.funding_index);
        // Rounded up whichever way it goes: more is paid, less received.
        let owed = -(-(lots * moved)).div_euclid(1 << 16);
        equity += lots * price - i128::from(position.cost_atoms) - owed;
        let mut bytes = u32::from(position.instrument).to_le_bytes().to_vec();
        bytes.extend(position.lots.0.to_le_bytes());
        bytes.extend(position.cost_atoms.to_le_bytes());
        assert!(positions.insert(position.instrument, bytes).is_none());
    }
    let positions: Vec<u8> = positions.into_values().flatten().collect();
    Leaf {
        escrow: account.escrow,
        positions: if positions.is_empty() {
            [0; 32]
        } else {
            digest(0, &positions)
        },
        equity_atoms: equity.try_into().unwrap(),
        deposited_seen_atoms: account.deposited_seen_atoms,
        debited_total_atoms: account.debited_total_atoms,
        released_total_atoms: account.released_total_atoms,
        covered_seen_atoms: account.covered_seen_atoms,
        account: index,
        generation: account.generation,
        slot: Slot(slot),
        padding: 0,
    }
}
