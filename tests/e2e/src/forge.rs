//! Accounts that no program wrote.

use flagstone_sdk::embedded::Session;
use solana_account::Account;
use solana_address::Address;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signer::Signer;

/// A key that nobody holds.
pub fn stranger() -> Address {
    Keypair::new().pubkey()
}

/// The account at `key`, which has to exist.
#[track_caller]
pub fn account(session: &Session, key: &Address) -> Account {
    session.svm.get_account(key).expect("an account")
}

/// Puts an account at an address nobody derived.
pub fn plant(session: &mut Session, account: Account) -> Address {
    let key = stranger();
    session
        .svm
        .set_account(key, account)
        .expect("an account that the chain accepts");
    key
}

/// Plants a copy of the account at `key` after changing it.
#[track_caller]
pub fn plant_copy(
    session: &mut Session,
    key: &Address,
    change: impl FnOnce(&mut Account),
) -> Address {
    let mut copy = account(session, key);
    change(&mut copy);
    plant(session, copy)
}

/// Runs `test` while the account at `key` is changed, then puts it back.
#[track_caller]
pub fn while_changed(
    session: &mut Session,
    key: &Address,
    change: impl FnOnce(&mut Account),
    test: impl FnOnce(&mut Session),
) {
    let original = account(session, key);
    let mut changed = original.clone();
    change(&mut changed);
    session
        .svm
        .set_account(*key, changed)
        .expect("a changed account");
    test(session);
    session
        .svm
        .set_account(*key, original)
        .expect("the original account");
}

/// The instruction with another account at one of its places.
pub fn swapped(instruction: &Instruction, place: usize, key: Address) -> Instruction {
    let mut other = instruction.clone();
    other.accounts[place].pubkey = key;
    other
}

/// Ways to spoil a record so that its program must not read it as one: owned
/// by another program or by none, wrong discriminator, wrong version, cut short.
pub fn spoilers() -> [fn(&mut Account); 5] {
    [
        |account| account.owner = stranger(),
        |account| account.owner = Address::default(),
        |account| account.data[0] ^= 1,
        |account| account.data[8] ^= 2,
        |account| account.data.truncate(200),
    ]
}
