use crate::access::{Owned, fail, require_same, require_top_level};
use crate::market::{MarketRef, read_head, read_index};
use alloc::vec;
use alloc::vec::Vec;
use anchor_lang::prelude::*;
use flagstone_index_engine::IndexError;
use flagstone_index_engine::records::VilProgram;
use flagstone_interface::index::vil as ids;
use flagstone_kernels::index::Constituent;
use flagstone_kernels::market::Asset;
use flagstone_kernels::vil::machine::run as run_program;
use flagstone_kernels::vil::program::Program as VilCode;
use flagstone_kernels::vil::store::{LoadError, NoLibrary, Refused, Store, copy_words};
use flagstone_kernels::vil::{Config, Limits};
use flagstone_kernels::vil::{Slot, Workspace};

/// Operands and registers of a run.
const SLOTS: usize = 96;
/// Elements of all lists of a run together: the heap is 32 KiB.
const WORDS: usize = 1_024;
/// Elements that a run may store: what a transaction's log has room for.
const OUTPUT_WORDS_MAX: usize = 256;
/// Most work of a run.
const STEPS_MAX: u64 = 20_000;

/// Accounts of `execute_vil`.
#[derive(Accounts)]
pub struct ExecuteVil {
    /// The market.
    pub market: Owned,
    /// The index.
    pub index: Owned,
    /// The stored program.
    pub program: Owned,
}

/// Each vector that the program stores is a log record: id, number of elements
/// and elements, 16 bytes each.
#[inline(never)]
pub fn run(ctx: &mut Context<ExecuteVil>) -> Result<()> {
    require_top_level()?;
    let accounts = &ctx.accounts;
    let market = MarketRef::open(accounts.market.bytes())?;
    let (head, constituents) = read_index(accounts.index.bytes())?;
    require_same(&head.market, accounts.market.key())?;
    let data = accounts.program.bytes();
    let program = read_head::<VilProgram>(data)?;
    let from = size_of::<VilProgram>();
    let code = data.get(from..from + program.code_bytes as usize);
    let code = code.ok_or(fail(IndexError::WrongRecord))?;
    let mut vectors = Vectors {
        assets: market.assets,
        constituents,
        outputs: Vec::new(),
        words: 0,
    };
    let (mut slots, mut words) = (vec![Slot::Empty; SLOTS], vec![0u128; WORDS]);
    let workspace = Workspace {
        slots: &mut slots,
        words: &mut words,
    };
    let config = Config {
        limits: Limits {
            steps_max: STEPS_MAX,
            ..Limits::DEFAULT
        },
        ..Config::default()
    };
    let code = VilCode::validated_before(code, program.registers);
    run_program(&code, &NoLibrary, &mut vectors, workspace, &config)
        .map_err(|_| fail(IndexError::ProgramFailed))?;
    for (id, vector) in &vectors.outputs {
        let length = vector.len() as u128;
        let mut record = Vec::with_capacity(32 + 16 * vector.len());
        record.extend_from_slice(&id.to_le_bytes());
        record.extend_from_slice(&length.to_le_bytes());
        for word in vector {
            record.extend_from_slice(&word.to_le_bytes());
        }
        anchor_lang::sol_log_data(&[&record]);
    }
    Ok(())
}

/// The vectors of market and index, and what the program stored.
struct Vectors<'a> {
    assets: &'a [Asset],
    constituents: &'a [Constituent],
    outputs: Vec<(u128, Vec<u128>)>,
    words: usize,
}

impl Vectors<'_> {
    fn output(&self, id: u128) -> Option<&Vec<u128>> {
        let found = self.outputs.iter().find(|(known, _)| *known == id);
        found.map(|(_, vector)| vector)
    }

    fn keep(&mut self, id: u128, vector: &[u128]) -> core::result::Result<(), Refused> {
        self.words += vector.len();
        if id < ids::OUTPUTS_FROM || self.words > OUTPUT_WORDS_MAX {
            return Err(Refused);
        }
        self.outputs.retain(|(known, _)| *known != id);
        self.outputs.push((id, vector.to_vec()));
        Ok(())
    }
}

/// Copies what `read` says of each item.
fn gather<T>(
    items: &[T],
    into: &mut [u128],
    read: impl Fn(&T) -> u128,
) -> core::result::Result<usize, LoadError> {
    let room = into.get_mut(..items.len()).ok_or(LoadError::TooLong)?;
    for (place, item) in room.iter_mut().zip(items) {
        *place = read(item);
    }
    Ok(items.len())
}

impl Store for Vectors<'_> {
    fn load_vector(&self, id: u128, into: &mut [u128]) -> core::result::Result<usize, LoadError> {
        let read: fn(&Asset) -> u128 = match id {
            ids::PRICES => |asset| asset.price.get(),
            ids::SLOPES => |asset| asset.slope.get(),
            ids::LIQUIDITY => |asset| asset.liquidity.get(),
            ids::MARGINS => |asset| asset.margin.get(),
            ids::SUPPLY_LONG => |asset| asset.supply_long.get(),
            ids::SUPPLY_SHORT => |asset| asset.supply_short.get(),
            ids::DEMAND_LONG => |asset| asset.demand_long.get(),
            ids::DEMAND_SHORT => |asset| asset.demand_short.get(),
            ids::DELTA_LONG => |asset| asset.delta_long.get(),
            ids::DELTA_SHORT => |asset| asset.delta_short.get(),
            ids::INDEX_WEIGHTS => {
                return gather(self.constituents, into, |item| item.weight.get());
            }
            _ => return copy_words(self.output(id).ok_or(LoadError::NotFound)?, into),
        };
        gather(self.assets, into, read)
    }

    fn load_labels(&self, id: u128, into: &mut [u128]) -> core::result::Result<usize, LoadError> {
        match id {
            ids::MARKET_LABELS => gather(self.assets, into, |asset| asset.label.get()),
            ids::INDEX_LABELS => gather(self.constituents, into, |item| item.place.label.get()),
            _ => Err(LoadError::NotFound),
        }
    }

    fn store_vector(&mut self, id: u128, vector: &[u128]) -> core::result::Result<(), Refused> {
        self.keep(id, vector)
    }

    fn store_labels(&mut self, _: u128, _: &[u128]) -> core::result::Result<(), Refused> {
        Err(Refused)
    }
}
