use crate::access::{Owned, fail, require_same, require_top_level};
use crate::market::{MarketRef, read_head, read_index};
use crate::vectors::{OpenTable, Vectors};
use alloc::vec;
use alloc::vec::Vec;
use anchor_lang::AnchorAccount;
use anchor_lang::pinocchio::account::AccountView;
use anchor_lang::prelude::*;
use flagstone_index_engine::IndexError;
use flagstone_index_engine::records::VilProgram;
use flagstone_index_engine::table::{Table, TableHead};
use flagstone_interface::{Record, key_eq};
use flagstone_kernels::vil::machine::run as run_program;
use flagstone_kernels::vil::{Config, Fault, Limits, Op, Slot, VilError, Workspace, validate_tree};

/// Operands and registers of a run.
const SLOTS: usize = 96;
/// Elements of all lists of a run together that fit the heap without asking for more.
const WORDS: u32 = 1_024;
/// Most that a run may ask for, 192 KiB.
const WORDS_MAX: u32 = 12_288;
/// Most work of a run: twice a buy of 256 constituents in a market of 512, and
/// at most 1.4 million compute units.
const STEPS_MAX: u64 = 50_000;
/// Most instructions of a program and its subroutines that are looked at first.
const INSTRUCTIONS_MAX: u32 = 4_096;

/// Accounts of `execute_vil`; the subroutines, the table, and the table's owner follow.
#[derive(Accounts)]
pub struct ExecuteVil {
    /// The market.
    pub market: Owned,
    /// The index.
    pub index: Owned,
    /// The stored program.
    pub program: Owned,
}

/// Runs a program with room for `words` elements; 0 for what needs no larger heap.
///
/// Vectors go to the table where it has their id. Each of the others is a log
/// record: id, number of elements and elements, 16 bytes each.
#[inline(never)]
pub fn run(ctx: &mut Context<ExecuteVil>, words: u32) -> Result<()> {
    require_top_level()?;
    let rest = ctx.remaining_accounts()?;
    let accounts = &ctx.accounts;
    let market = MarketRef::open(accounts.market.bytes())?;
    let (head, constituents) = read_index(accounts.index.bytes())?;
    require_same(&head.market, accounts.market.key())?;
    let (program, code) = stored(accounts.program.bytes())?;
    let mut others = Others::sort(rest)?;
    let library = library(&others.programs, &program.owner)?;
    let table = open_table(&mut others.table, &others.signers)?;
    let mut vectors = Vectors::new(&market, head, constituents, table);
    let room = match words {
        0 => WORDS,
        words if words > WORDS_MAX => return Err(fail(IndexError::BadParameter)),
        words => words,
    };
    let (mut slots, mut words) = (vec![Slot::Empty; SLOTS], vec![0u128; room as usize]);
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
    // Each was validated when it was stored; together they are now.
    let library = library.as_slice();
    let (code, _) = validate_tree(code, program.registers, library, INSTRUCTIONS_MAX, &config)
        .map_err(failed)?;
    run_program(&code, library, &mut vectors, workspace, &config).map_err(failed)?;
    vectors.log();
    Ok(())
}

/// A stored program and its code.
fn stored(data: &[u8]) -> Result<(&VilProgram, &[u8])> {
    let program = read_head::<VilProgram>(data)?;
    let from = size_of::<VilProgram>();
    let code = data.get(from..from + program.code_bytes as usize);
    Ok((program, code.ok_or(fail(IndexError::WrongRecord))?))
}

/// What a run refused, as clearly as a number can say; the log has the rest:
/// the machine's error, how many subroutines deep, and the byte of the code.
#[cold]
fn failed(fault: Fault) -> Error {
    let at = fault.at.to_le_bytes();
    anchor_lang::sol_log_data(&[b"vil", &[fault.error as u8, fault.depth], &at]);
    let calls = matches!(fault.op, Some(Op::Branch | Op::Fold));
    fail(match fault.error {
        VilError::NotFound if calls => IndexError::SubroutineMissing,
        VilError::Recursion | VilError::DepthLimit => IndexError::SubroutineMissing,
        VilError::StepLimit => IndexError::OutOfSteps,
        _ => IndexError::ProgramFailed,
    })
}

/// The accounts after those that every run has.
struct Others {
    programs: Vec<Owned>,
    table: Option<Owned>,
    /// Signers among them.
    signers: Vec<[u8; 32]>,
}

impl Others {
    fn sort(rest: Vec<AccountView>) -> Result<Self> {
        let mut others = Self {
            programs: Vec::new(),
            table: None,
            signers: Vec::new(),
        };
        for view in rest {
            if view.is_signer() {
                others.signers.push(*view.address().as_array());
                continue;
            }
            let account = Owned::load(view)?;
            if account.bytes().starts_with(&TableHead::DISCRIMINATOR) {
                if others.table.is_some() {
                    return Err(fail(IndexError::OutOfOrder));
                }
                others.table = Some(account);
            } else {
                others.programs.push(account);
            }
        }
        Ok(others)
    }
}

/// The subroutines by number: those of the program's owner, so that what runs is
/// what its author meant, whoever sends it.
fn library<'a>(programs: &'a [Owned], owner: &[u8; 32]) -> Result<Vec<(u128, &'a [u8])>> {
    let mut library: Vec<(u128, &[u8])> = Vec::with_capacity(programs.len());
    for account in programs {
        let (program, code) = stored(account.bytes())?;
        require_same(owner, &program.owner)?;
        let id = u128::from(program.id);
        if library.iter().any(|(known, _)| *known == id) {
            return Err(fail(IndexError::OutOfOrder));
        }
        library.push((id, code));
    }
    Ok(library)
}

/// The table of a run, opened. Its owner signs where it is to be written.
fn open_table<'a>(
    account: &'a mut Option<Owned>,
    signers: &[[u8; 32]],
) -> Result<Option<OpenTable<'a>>> {
    let Some(account) = account else {
        return Ok(None);
    };
    let writable = account.is_writable();
    let table = Table::open(account.bytes_mut()).map_err(fail)?;
    let signed = signers.iter().any(|key| key_eq(key, &table.head.owner));
    if writable && !signed {
        return Err(fail(IndexError::WrongSigner));
    }
    Ok(Some(OpenTable { table, writable }))
}
