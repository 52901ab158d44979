//! What doing nothing costs. An id decoded from base58 at run time would show
//! here as more than a thousand compute units.

use flagstone_lowering_tests::Chain;
use solana_address::Address;
use solana_instruction::AccountMeta;

const IDLE_UNITS_MAX: u64 = 400;

fn units(instruction: u8) -> u64 {
    let id: Address = "Fg6PaFpoGXkYsidMpWTK6W2BeZ7FEfcYkg476zPFsLnS"
        .parse()
        .expect("an address");
    let mut chain = Chain::with_program("flagstone_declared_id.so", id);
    let payer = AccountMeta::new_readonly(chain.payer(), true);
    let outcome = chain.send(&[instruction], vec![payer]);
    assert!(
        outcome.error.is_none(),
        "{:?} {:#?}",
        outcome.error,
        outcome.meta.logs
    );
    // The compute budget's own instruction is not counted as ours.
    outcome.meta.compute_units_consumed - 150
}

#[test]
fn an_idle_instruction_is_cheap() {
    let units = units(0);
    assert!(units < IDLE_UNITS_MAX, "{units} compute units");
}

#[test]
fn asking_for_the_programs_id_is_cheap() {
    let units = units(1);
    assert!(units < IDLE_UNITS_MAX, "{units} compute units");
}
