//! The bare engine on a buffer: the same code without programs around it.

use super::{Call, Custody, Done, Reply, Request, Venue, taking};
use anyhow::{Context, Result, bail};
use bytemuck::Zeroable;
use flagstone_sdk::engine::cancels::Reduced;
use flagstone_sdk::engine::instruments::InstrumentParams;
use flagstone_sdk::engine::{Slab, SlabError, SlabSize};
use flagstone_sdk::interface::Key;
use flagstone_sdk::interface::event::Traded;
use flagstone_sdk::interface::router::Escrow;
use flagstone_sdk::units::{Lots, Slot};

/// A full slab in memory.
pub(crate) struct Host {
    /// The account's data; whole words, so that it is 8-aligned.
    words: Vec<u64>,
    /// Copy to go back to after a refusal.
    undo: Vec<u64>,
    slot: Slot,
}

/// Index of a participant's account.
const fn account_of(user: usize) -> u32 {
    user as u32 + 1
}

fn key(kind: u8, account: u32) -> Key {
    let mut key = [kind; 32];
    key[..4].copy_from_slice(&account.to_le_bytes());
    key
}

fn trader(account: u32) -> Key {
    key(7, account)
}

impl Host {
    /// An empty slab with an instrument, and `users` participants of `atoms` each.
    ///
    /// # Errors
    /// When the slab refuses the instrument or an account.
    pub(crate) fn start(params: &InstrumentParams, users: usize, atoms: u64) -> Result<Self> {
        let mut words = vec![0u64; SlabSize::Full.account_bytes() as usize / 8];
        let slot = Slot(100);
        Slab::initialize(
            bytemuck::cast_slice_mut(&mut words),
            &SlabSize::Full.capacities(),
        )?;
        let mut slab = Slab::open(bytemuck::cast_slice_mut(&mut words))?;
        slab.add_instrument(params, slot)
            .context("the slab refused the instrument")?;
        for user in 0..users {
            let account = account_of(user);
            let escrow = Escrow {
                trader: trader(account),
                bound_account: account,
                bound_generation: 1,
                deposited_total_atoms: atoms,
                ..Escrow::zeroed()
            };
            let address = key(9, account);
            slab.open_account(&address, &escrow, slot)?;
            slab.sync(account, &address, &escrow, slot)?;
        }
        Ok(Self {
            words,
            undo: Vec::new(),
            slot,
        })
    }

    fn slab(&mut self) -> Result<Slab<'_>> {
        Ok(Slab::open(bytemuck::cast_slice_mut(&mut self.words))?)
    }

    fn run(&mut self, request: &Request) -> Result<core::result::Result<Reply, SlabError>> {
        let (slot, account) = (self.slot, account_of(request.user));
        let mut slab = self.slab()?;
        let trader = trader(account);
        let mut traded = Traded::zeroed();
        Ok(match (request.call, request.call.order(account)) {
            (Call::Cancel { handle }, _) => slab
                .cancel(&trader, account, handle.0, handle.1)
                .map(|left| left.map_or(Reply::Stale, |left| Reply::Cancelled(left.lots))),
            (Call::Reduce { handle, lots }, _) => slab
                .reduce(&trader, account, handle.0, handle.1, Lots(lots))
                .map(|reduced| match reduced {
                    Reduced::Smaller(smaller) => Reply::Reduced(smaller.lots),
                    Reduced::Cancelled(left) => Reply::Cancelled(left.lots),
                }),
            (Call::Take { side, limit, lots }, _) => slab
                .take(
                    &trader,
                    &taking(account, side, limit, lots),
                    slot,
                    &mut traded,
                )
                .map(|()| Reply::Taken(traded.fills().to_vec())),
            (Call::Place { .. }, Some(order)) => {
                let placed = slab.place(&trader, &order, slot, &mut traded);
                match placed {
                    Ok(placed) => {
                        let rested = placed.rested.context("a post-only order does not rest")?;
                        let evicted = &placed.evicted.orders[..placed.evicted.count];
                        let evicted = evicted
                            .iter()
                            .map(|left| (left.order, left.generation))
                            .collect();
                        Ok(Reply::Placed((rested.order, rested.generation), evicted))
                    }
                    Err(error) => Err(error),
                }
            }
            (Call::Place { .. }, None) => bail!("a placement without an order"),
        })
    }
}

impl Venue for Host {
    fn set_slot(&mut self, slot: u32) {
        self.slot = Slot(slot);
    }

    fn execute(&mut self, requests: &[Request]) -> Result<Vec<Done>> {
        let mut done = Vec::with_capacity(requests.len());
        for request in requests {
            if request.may_fail {
                self.undo.clone_from(&self.words);
            }
            let reply = match self.run(request)? {
                Ok(reply) => reply,
                Err(error) if request.may_fail => {
                    self.words.clone_from(&self.undo);
                    Reply::Refused(error)
                }
                // The engine may have changed something before it refused,
                // and copying ten mebibytes before every operation is slow.
                Err(error) => bail!("the engine refused what the model expects to work: {error}"),
            };
            done.push(Done {
                reply,
                compute_units: None,
            });
        }
        Ok(done)
    }

    fn inspect(&mut self, look: &mut dyn FnMut(&Slab<'_>)) -> Result<()> {
        look(&self.slab()?);
        Ok(())
    }

    fn custody(&self) -> Option<Custody> {
        None
    }

    fn transactions(&self) -> Option<(u64, usize)> {
        None
    }

    fn name(&self) -> &'static str {
        "the engine on a buffer of the host"
    }
}
