//! What is measured: kernels over a market, an index and an order in one account.
//!
//! An account of [`QUOTE`] to [`BUY_VIL`] holds a [`Head`], then assets,
//! constituents, fractions, the asset units traded (one per constituent), then
//! the bytecode of the buy and of its subroutine. An account of the joins holds
//! a [`JoinHead`], then the market's labels and values, then the index's.

use bytemuck::{Pod, Zeroable};
use flagstone_kernels::index::{Constituent, Quote};
use flagstone_kernels::market::Asset;
use flagstone_kernels::orders::{Fill, OrderRow, Terms, buy, sell};
use flagstone_kernels::vil::join::{self, JoinRule};
use flagstone_kernels::vil::{
    Config, JoinVariant, LoadError, Mode, Program, Refused, Slot, Store, Workspace,
};
use flagstone_kernels::{Amount, Arithmetic, Compat, Stable};

/// Finds the parts of the account and does nothing: what the others pay for that too.
pub const IDLE: u8 = 0;
/// `update_quote`, stable.
pub const QUOTE: u8 = 1;
/// A buy, stable.
pub const BUY: u8 = 2;
/// A sell, stable.
pub const SELL: u8 = 3;
/// A buy in the paper's arithmetic.
pub const BUY_COMPAT: u8 = 4;
/// The same buy as a listing on the VIL machine, with the join variant of the option.
pub const BUY_VIL: u8 = 5;
/// As [`IDLE`], for an account of the joins.
pub const JOIN_IDLE: u8 = 6;
/// `JFLT` with the join variant of the option.
pub const JOIN_FILTER: u8 = 7;
/// `JUPD`.
pub const JOIN_UPDATE: u8 = 8;
/// `JADD`.
pub const JOIN_ADD: u8 = 9;

/// The account or the instruction is not what it should be.
pub const BAD_INPUT: u32 = 1;
/// The kernel refused.
pub const REFUSED: u32 = 2;

/// Words that the machine's lists may take, 96 KiB.
pub const HEAP_WORDS: usize = 6_144;

/// Operands and registers that the machine may use.
const SLOTS: usize = 64;

/// Ids of what the VIL listing of a buy names.
pub mod id {
    /// Labels of the constituents.
    pub const ASSET_NAMES: u128 = 1;
    /// Labels of the market.
    pub const MARKET_ASSET_NAMES: u128 = 2;
    /// Weights.
    pub const WEIGHTS: u128 = 3;
    /// Contribution fractions.
    pub const FRACTIONS: u128 = 4;
    /// The order's row.
    pub const ORDER: u128 = 5;
    /// The index's quote.
    pub const QUOTE: u128 = 6;
    /// Asset units traded.
    pub const EXECUTED_ASSETS: u128 = 7;
    /// Cost and index units.
    pub const EXECUTED_FILL: u128 = 8;
    /// Index units, and those that margin kept back.
    pub const EXECUTED_INDEX: u128 = 9;
    /// The subroutine.
    pub const SOLVE_QUADRATIC: u128 = 10;
    /// The first number of an asset, its label; the others follow as they lie in it.
    pub const COLUMN: u128 = 100;
}

/// Start of an account: lengths of what follows, the order, and what came of it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
pub struct Head {
    /// Assets of the market.
    pub assets: u64,
    /// Constituents of the index.
    pub constituents: u64,
    /// Contribution fractions: one per constituent, or none.
    pub fractions: u64,
    /// Bytes of the buy's bytecode.
    pub code: u64,
    /// Bytes of its subroutine's.
    pub subroutine: u64,
    /// Registers of the buy.
    pub registers: u64,
    /// The index's quote: read by orders, written by [`QUOTE`].
    pub quote: Quote,
    /// The order.
    pub row: OrderRow,
    /// Added to the order.
    pub added: Amount,
    /// Taken out of it.
    pub removed: Amount,
    /// Quote units that one call may trade.
    pub order_size_max: Amount,
    /// What a native order gave, got, wanted and might have.
    pub fill: [Amount; 4],
}

/// Start of an account of the joins.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
pub struct JoinHead {
    /// Labels of the market.
    pub market: u64,
    /// Labels of the index.
    pub index: u64,
}

/// The parts of an account.
struct Parts<'a> {
    head: &'a mut Head,
    assets: &'a mut [Asset],
    constituents: &'a [Constituent],
    fractions: &'a [Amount],
    traded: &'a mut [Amount],
    code: &'a [u8],
    subroutine: &'a [u8],
}

/// Runs an operation; `words` is the machine's memory.
///
/// # Errors
/// [`BAD_INPUT`], [`REFUSED`].
pub fn run(op: u8, option: u8, bytes: &mut [u8], words: &mut [u128]) -> Result<(), u32> {
    if op >= JOIN_IDLE {
        return run_join(op, option, bytes);
    }
    let mut parts = parts(bytes).ok_or(BAD_INPUT)?;
    match op {
        IDLE => Ok(()),
        QUOTE => quote(&mut parts),
        BUY => order(&mut parts, bought::<Stable>),
        SELL => order(&mut parts, sold::<Stable>),
        BUY_COMPAT => order(&mut parts, bought::<Compat>),
        BUY_VIL => buy_vil(parts, option, words),
        _ => Err(BAD_INPUT),
    }
}

#[inline(never)]
fn parts(bytes: &mut [u8]) -> Option<Parts<'_>> {
    let (head, rest) = bytes.split_at_mut_checked(size_of::<Head>())?;
    let head: &mut Head = bytemuck::try_from_bytes_mut(head).ok()?;
    let (assets, rest) = take(rest, head.assets)?;
    let (constituents, rest) = take(rest, head.constituents)?;
    let (fractions, rest) = take(rest, head.fractions)?;
    let (traded, rest) = take(rest, head.constituents)?;
    let (code, rest) = take(rest, head.code)?;
    let (subroutine, _) = take(rest, head.subroutine)?;
    Some(Parts {
        head,
        assets,
        constituents,
        fractions,
        traded,
        code,
        subroutine,
    })
}

/// The next `count` records, and what follows.
fn take<T: Pod>(bytes: &mut [u8], count: u64) -> Option<(&mut [T], &mut [u8])> {
    let length = usize::try_from(count).ok()?.checked_mul(size_of::<T>())?;
    let (records, rest) = bytes.split_at_mut_checked(length)?;
    Some((bytemuck::try_cast_slice_mut(records).ok()?, rest))
}

#[inline(never)]
fn quote(parts: &mut Parts<'_>) -> Result<(), u32> {
    let quote = Stable::update_quote(parts.assets, parts.constituents);
    parts.head.quote = quote.map_err(|_| REFUSED)?;
    Ok(())
}

type Order = fn(
    &mut [Asset],
    &[Constituent],
    &mut OrderRow,
    &Terms<'_>,
    &mut [Amount],
) -> flagstone_kernels::market::Result<Fill>;

#[inline(always)]
fn order(parts: &mut Parts<'_>, order: Order) -> Result<(), u32> {
    let head = &mut *parts.head;
    let terms = Terms {
        quote: &head.quote,
        added: head.added,
        removed: head.removed,
        order_size_max: head.order_size_max,
        fractions: Some(parts.fractions).filter(|fractions| !fractions.is_empty()),
    };
    let filled = order(
        parts.assets,
        parts.constituents,
        &mut head.row,
        &terms,
        parts.traded,
    );
    let fill = filled.map_err(|_| REFUSED)?;
    head.fill = [fill.given, fill.got, fill.wanted, fill.capacity];
    Ok(())
}

#[inline(never)]
fn bought<A: Arithmetic>(
    assets: &mut [Asset],
    of: &[Constituent],
    row: &mut OrderRow,
    terms: &Terms<'_>,
    traded: &mut [Amount],
) -> flagstone_kernels::market::Result<Fill> {
    buy::<A>(assets, of, row, terms, |position, quantity| {
        if let Some(traded) = traded.get_mut(position) {
            *traded = Amount::new(quantity);
        }
    })
}

#[inline(never)]
fn sold<A: Arithmetic>(
    assets: &mut [Asset],
    of: &[Constituent],
    row: &mut OrderRow,
    terms: &Terms<'_>,
    traded: &mut [Amount],
) -> flagstone_kernels::market::Result<Fill> {
    sell::<A>(assets, of, row, terms, |position, quantity| {
        if let Some(traded) = traded.get_mut(position) {
            *traded = Amount::new(quantity);
        }
    })
}

#[inline(never)]
fn buy_vil(mut parts: Parts<'_>, option: u8, words: &mut [u128]) -> Result<(), u32> {
    let config = Config {
        mode: Mode::Strict,
        join: *JoinVariant::ALL.get(usize::from(option)).ok_or(BAD_INPUT)?,
        ..Config::default()
    };
    let registers = u8::try_from(parts.head.registers).map_err(|_| BAD_INPUT)?;
    let program = Program::validated_before(parts.code, registers);
    let library: [(u128, &[u8]); 1] = [(id::SOLVE_QUADRATIC, parts.subroutine)];
    let mut slots = [Slot::Empty; SLOTS];
    let workspace = Workspace {
        slots: &mut slots,
        words,
    };
    flagstone_kernels::vil::run(&program, &library[..], &mut parts, workspace, &config)
        .map_err(|_| REFUSED)?;
    Ok(())
}

/// The numbers of an asset.
const COLUMNS: usize = size_of::<Asset>() / size_of::<Amount>();

/// Where in an asset the number is that an id names.
fn column(id: u128) -> Option<usize> {
    let column = usize::try_from(id.checked_sub(id::COLUMN)?).ok()?;
    (column < COLUMNS).then_some(column)
}

/// Copies amounts to the front of `into`.
#[inline(always)]
fn copy(from: impl ExactSizeIterator<Item = u128>, into: &mut [u128]) -> Result<usize, LoadError> {
    let count = from.len();
    let into = into.get_mut(..count).ok_or(LoadError::TooLong)?;
    for (into, from) in into.iter_mut().zip(from) {
        *into = from;
    }
    Ok(count)
}

impl Store for Parts<'_> {
    fn load_vector(&self, id: u128, into: &mut [u128]) -> Result<usize, LoadError> {
        let Head { quote, row, .. } = &*self.head;
        if let Some(column) = column(id) {
            let numbers: &[[Amount; COLUMNS]] = bytemuck::cast_slice(self.assets);
            return copy(numbers.iter().map(|asset| asset[column].get()), into);
        }
        match id {
            id::WEIGHTS => copy(self.constituents.iter().map(|one| one.weight.get()), into),
            id::FRACTIONS => copy(self.fractions.iter().map(|one| one.get()), into),
            id::ORDER => {
                let row = [row.remaining, row.given, row.got];
                copy(row.into_iter().map(Amount::get), into)
            }
            id::QUOTE => {
                let quote = [quote.capacity, quote.price, quote.slope];
                copy(quote.into_iter().map(Amount::get), into)
            }
            _ => Err(LoadError::NotFound),
        }
    }

    fn load_labels(&self, id: u128, into: &mut [u128]) -> Result<usize, LoadError> {
        match id {
            id::ASSET_NAMES => {
                let labels = self.constituents.iter().map(|one| one.place.label.get());
                copy(labels, into)
            }
            id::MARKET_ASSET_NAMES => copy(self.assets.iter().map(|one| one.label.get()), into),
            _ => Err(LoadError::NotFound),
        }
    }

    fn store_vector(&mut self, id: u128, vector: &[u128]) -> Result<(), Refused> {
        if let Some(column) = column(id) {
            let numbers: &mut [[Amount; COLUMNS]] = bytemuck::cast_slice_mut(self.assets);
            if numbers.len() != vector.len() {
                return Err(Refused);
            }
            for (asset, number) in numbers.iter_mut().zip(vector) {
                asset[column] = Amount::new(*number);
            }
            return Ok(());
        }
        match (id, vector) {
            (id::ORDER, &[remaining, given, got]) => {
                self.head.row = OrderRow {
                    remaining: Amount::new(remaining),
                    given: Amount::new(given),
                    got: Amount::new(got),
                };
            }
            (id::EXECUTED_ASSETS, vector) if vector.len() == self.traded.len() => {
                for (traded, number) in self.traded.iter_mut().zip(vector) {
                    *traded = Amount::new(*number);
                }
            }
            // The head has no place for them: the row and the assets say it all.
            (id::EXECUTED_FILL | id::EXECUTED_INDEX, &[_, _]) => {}
            _ => return Err(Refused),
        }
        Ok(())
    }

    fn store_labels(&mut self, _id: u128, _labels: &[u128]) -> Result<(), Refused> {
        Err(Refused)
    }
}

/// A join of the index's values into the market's.
#[inline(always)]
fn run_join(op: u8, option: u8, bytes: &mut [u8]) -> Result<(), u32> {
    let (head, rest) = bytes
        .split_at_mut_checked(size_of::<JoinHead>())
        .ok_or(BAD_INPUT)?;
    let head: &JoinHead = bytemuck::try_from_bytes(head).map_err(|_| BAD_INPUT)?;
    let (labels, rest) = take::<u128>(rest, head.market).ok_or(BAD_INPUT)?;
    let (values, rest) = take::<u128>(rest, head.market).ok_or(BAD_INPUT)?;
    let (joined, rest) = take::<u128>(rest, head.index).ok_or(BAD_INPUT)?;
    let (from, _) = take::<u128>(rest, head.index).ok_or(BAD_INPUT)?;
    let variant = JoinVariant::ALL.get(usize::from(option)).ok_or(BAD_INPUT)?;
    let rule = JoinRule::exact(*variant);
    match op {
        JOIN_IDLE => Ok(()),
        JOIN_FILTER => join::filter(rule, values, labels, joined, &mut ())
            .map(|_| ())
            .map_err(|_| REFUSED),
        JOIN_UPDATE => {
            join::update(rule, values, labels, from, joined, &mut ()).map_err(|_| REFUSED)
        }
        JOIN_ADD => {
            let sum = |left: u128, right: u128| {
                let sum = flagstone_kernels::compat::add(left, right);
                sum.map_err(|_| flagstone_kernels::vil::VilError::MathOverflow)
            };
            join::add(rule, (values, labels), (from, joined), &mut (), sum).map_err(|_| REFUSED)
        }
        _ => Err(BAD_INPUT),
    }
}
