//! The vectors that a stored program reads, and where those go that it stores.

use alloc::vec::Vec;
use flagstone_index_engine::market::QuoteSide;
use flagstone_index_engine::records::IndexHead;
use flagstone_index_engine::table::{Table, Word, number};
use flagstone_interface::index::vil as ids;
use flagstone_kernels::index::Constituent;
use flagstone_kernels::market::Asset;
use flagstone_kernels::vil::store::{LoadError, Refused, Store, copy_words};

use crate::market::MarketRef;

/// Elements that a run may log: what a transaction's log has room for.
const LOGGED_WORDS_MAX: usize = 256;

/// Kinds of a table's vectors.
const NUMBERS: u32 = 0;
const LABELS: u32 = 1;

/// The vectors of market and index, a table before them, and what is to be logged.
pub struct Vectors<'a> {
    assets: &'a [Asset],
    head: &'a IndexHead,
    constituents: &'a [Constituent],
    table: Option<OpenTable<'a>>,
    logged: Vec<(u128, Vec<u128>)>,
    words: usize,
}

/// A table, and whether its owner lets this run write it.
pub struct OpenTable<'a> {
    /// The table.
    pub table: Table<'a>,
    /// Whether stores go to it.
    pub writable: bool,
}

type Loaded = core::result::Result<usize, LoadError>;
type Kept = core::result::Result<(), Refused>;

impl<'a> Vectors<'a> {
    /// The vectors of a market and an index.
    pub fn new(
        market: &MarketRef<'a>,
        head: &'a IndexHead,
        constituents: &'a [Constituent],
        table: Option<OpenTable<'a>>,
    ) -> Self {
        Self {
            assets: market.assets,
            head,
            constituents,
            table,
            logged: Vec::new(),
            words: 0,
        }
    }

    /// Writes what no table took to the log.
    pub fn log(&self) {
        for (id, vector) in &self.logged {
            let length = vector.len() as u128;
            let mut record = Vec::with_capacity(32 + 16 * vector.len());
            record.extend_from_slice(&id.to_le_bytes());
            record.extend_from_slice(&length.to_le_bytes());
            for word in vector {
                record.extend_from_slice(&word.to_le_bytes());
            }
            anchor_lang::sol_log_data(&[&record]);
        }
    }

    fn written(&self, id: u128, kind: u32) -> Option<&[Word]> {
        let table = &self.table.as_ref()?.table;
        table.get(id, kind)
    }

    /// A vector of the table; `None` when it has none, or an empty one, which
    /// shadows nothing.
    fn shadow(&self, id: u128, kind: u32, into: &mut [u128]) -> Option<Loaded> {
        let found = self.written(id, kind)?;
        if found.is_empty() && id < ids::OUTPUTS_FROM {
            return None;
        }
        Some(gather(found, into, |word| number(*word)))
    }

    fn keep(&mut self, id: u128, kind: u32, vector: &[u128]) -> Kept {
        if self.written(id, kind).is_some() {
            let open = self.table.as_mut().filter(|open| open.writable);
            let table = &mut open.ok_or(Refused)?.table;
            let numbers = vector.iter().copied();
            return table.write(id, kind, 0, numbers).map_err(|_| Refused);
        }
        self.words += vector.len();
        if kind != NUMBERS || id < ids::OUTPUTS_FROM || self.words > LOGGED_WORDS_MAX {
            return Err(Refused);
        }
        self.logged.retain(|(known, _)| *known != id);
        self.logged.push((id, vector.to_vec()));
        Ok(())
    }
}

/// Copies what `read` says of each item.
#[inline(always)]
fn gather<T>(items: &[T], into: &mut [u128], read: impl Fn(&T) -> u128) -> Loaded {
    let room = into.get_mut(..items.len()).ok_or(LoadError::TooLong)?;
    for (place, item) in room.iter_mut().zip(items) {
        *place = read(item);
    }
    Ok(items.len())
}

fn quote(side: &QuoteSide, into: &mut [u128]) -> Loaded {
    let numbers = [side.capacity, side.price, side.slope];
    gather(&numbers, into, |word| number(*word))
}

impl Store for Vectors<'_> {
    fn load_vector(&self, id: u128, into: &mut [u128]) -> Loaded {
        if let Some(loaded) = self.shadow(id, NUMBERS, into) {
            return loaded;
        }
        let assets = self.assets;
        match id {
            ids::PRICES => gather(assets, into, |asset| asset.price.get()),
            ids::SLOPES => gather(assets, into, |asset| asset.slope.get()),
            ids::LIQUIDITY => gather(assets, into, |asset| asset.liquidity.get()),
            ids::MARGINS => gather(assets, into, |asset| asset.margin.get()),
            ids::SUPPLY_LONG => gather(assets, into, |asset| asset.supply_long.get()),
            ids::SUPPLY_SHORT => gather(assets, into, |asset| asset.supply_short.get()),
            ids::DEMAND_LONG => gather(assets, into, |asset| asset.demand_long.get()),
            ids::DEMAND_SHORT => gather(assets, into, |asset| asset.demand_short.get()),
            ids::DELTA_LONG => gather(assets, into, |asset| asset.delta_long.get()),
            ids::DELTA_SHORT => gather(assets, into, |asset| asset.delta_short.get()),
            ids::INDEX_WEIGHTS => gather(self.constituents, into, |item| item.weight.get()),
            ids::QUOTE_ASK => quote(&self.head.state.quote.ask, into),
            ids::QUOTE_BID => quote(&self.head.state.quote.bid, into),
            _ => {
                let found = self.logged.iter().find(|(known, _)| *known == id);
                copy_words(&found.ok_or(LoadError::NotFound)?.1, into)
            }
        }
    }

    fn load_labels(&self, id: u128, into: &mut [u128]) -> Loaded {
        if let Some(loaded) = self.shadow(id, LABELS, into) {
            return loaded;
        }
        match id {
            ids::MARKET_LABELS => gather(self.assets, into, |asset| asset.label.get()),
            ids::INDEX_LABELS => gather(self.constituents, into, |item| item.place.label.get()),
            _ => Err(LoadError::NotFound),
        }
    }

    fn store_vector(&mut self, id: u128, vector: &[u128]) -> Kept {
        self.keep(id, NUMBERS, vector)
    }

    fn store_labels(&mut self, id: u128, labels: &[u128]) -> Kept {
        self.keep(id, LABELS, labels)
    }
}
