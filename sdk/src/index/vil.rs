//! Stored programs of the vector machine, and the tables they write.

use super::{Pair, SYSTEM, Seeded, instruction, list, number, readable, signer, writable};
use crate::address;
use flagstone_index_engine::table::{Table, TableHead, TableSpec, number as value, word};
use solana_address::Address;
use solana_instruction::{AccountMeta, Instruction};

pub use flagstone_index_engine::table::table_bytes;

/// Stores a program that can be run alone; `owner` signs and pays.
pub fn store_program(owner: &Address, id: u64, registers: u8, code: &[u8]) -> Instruction {
    store_subroutine(owner, id, registers, 0, code)
}

/// Stores a program that expects `inputs` operands of its caller, which names it
/// by `id`; `owner` signs and pays.
pub fn store_subroutine(
    owner: &Address,
    id: u64,
    registers: u8,
    inputs: u8,
    code: &[u8],
) -> Instruction {
    let mut data = vec![number::STORE_PROGRAM];
    data.extend(id.to_le_bytes());
    data.extend([registers, inputs]);
    data.extend((code.len() as u32).to_le_bytes());
    data.extend(code);
    instruction(
        data,
        vec![
            AccountMeta::new(*owner, true),
            writable(&address::vil_program(owner, id)),
            readable(&SYSTEM),
        ],
    )
}

/// A run of a stored program.
#[derive(Clone, Copy, Debug, Default)]
pub struct VilRun<'a> {
    /// The program.
    pub program: Address,
    /// Programs that it calls, and that these call; of the same owner.
    pub subroutines: &'a [Address],
    /// Where its stores go.
    pub table: Option<Address>,
    /// Owner of the table, who signs; without, the table is only read.
    pub owner: Option<Address>,
    /// Elements that may be alive at once; 0 for 1,024. Above, the transaction
    /// has to request a larger heap ([`VilRun::heap`]).
    pub words: u32,
}

/// The runtime's program of transaction-wide limits.
const COMPUTE_BUDGET: Address =
    Address::from_str_const("ComputeBudget111111111111111111111111111111");

/// Bytes of heap that a program has without asking.
const HEAP_BYTES: u32 = 32 * 1024;

impl VilRun<'_> {
    /// What requests the heap that the run needs, to go before it; `None` when
    /// it needs no more than there is.
    pub fn heap(&self) -> Option<Instruction> {
        if self.words <= 1_024 {
            return None;
        }
        let bytes = HEAP_BYTES + (self.words * 16).next_multiple_of(1_024);
        // `RequestHeapFrame`.
        let mut data = vec![1];
        data.extend(bytes.min(256 * 1024).to_le_bytes());
        Some(Instruction {
            program_id: COMPUTE_BUDGET,
            accounts: Vec::new(),
            data,
        })
    }

    /// Runs it on the vectors of market and index. Anyone may send it.
    pub fn instruction(&self, pair: &Pair) -> Instruction {
        let mut data = vec![number::EXECUTE_VIL];
        data.extend(self.words.to_le_bytes());
        let mut accounts = [&pair.market, &pair.index, &self.program]
            .map(readable)
            .to_vec();
        accounts.extend(self.subroutines.iter().map(readable));
        accounts.extend(self.table.map(|table| match self.owner {
            Some(_) => writable(&table),
            None => readable(&table),
        }));
        accounts.extend(self.owner.as_ref().map(signer));
        instruction(data, accounts)
    }
}

/// Runs a stored program that calls no other and stores to the log.
pub fn execute_vil(pair: &Pair, program: &Address) -> Instruction {
    let run = VilRun {
        program: *program,
        ..VilRun::default()
    };
    run.instruction(pair)
}

/// Creates and initialises a table of empty vectors, in the order of their ids;
/// the base becomes its owner.
pub fn create_table(account: &Seeded<'_>, specs: &[TableSpec]) -> Option<Vec<Instruction>> {
    let table = account.address()?;
    let mut all = account.create(table_bytes(specs))?;
    let mut data = list(number::CREATE_TABLE, bytemuck::cast_slice(specs));
    account.argument(&mut data);
    all.push(instruction(
        data,
        vec![writable(&table), signer(&account.base)],
    ));
    Some(all)
}

/// Writes elements of a table's vector from the number `from` on, where it then
/// ends; `owner` signs. About 60 fit a transaction.
pub fn write_table(
    table: &Address,
    owner: &Address,
    id: u128,
    from: u32,
    numbers: &[u128],
) -> Instruction {
    let mut data = vec![number::WRITE_TABLE];
    data.extend(id.to_le_bytes());
    data.extend(from.to_le_bytes());
    data.extend((size_of_val(numbers) as u32).to_le_bytes());
    for number in numbers {
        data.extend(bytemuck::bytes_of(&word(*number)));
    }
    instruction(data, vec![writable(table), signer(owner)])
}

/// The numbers (kind 0) or labels (kind 1) of a table's vector.
pub fn read_table(data: &[u8], id: u128, kind: u32) -> Option<Vec<u128>> {
    // Account data of a client lies anywhere; a table is read aligned.
    let mut aligned = vec![0u64; data.len().div_ceil(8)];
    let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut aligned);
    let bytes = bytes.get_mut(..data.len())?;
    bytes.copy_from_slice(data);
    let minimum = size_of::<TableHead>();
    let table = Table::open(bytes).ok().filter(|_| data.len() >= minimum)?;
    let found = table.get(id, kind)?;
    Some(found.iter().map(|word| value(*word)).collect())
}
