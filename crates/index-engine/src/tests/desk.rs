//! The desk: who may act, and that a key holds one role only.

use super::support::{ADMIN, GRANTED, LIMITS, OWNER, World, key};
use crate::IndexError;
use crate::chain::Chain;
use crate::roles::{Desk, Limits, Party, Role};
use flagstone_units::{Ppm, Slot};

#[test]
fn ix10_a_signer_acts_only_in_the_role_that_it_holds() {
    let world = World::new();
    for role in GRANTED {
        for holder in GRANTED {
            let party = world.desk.party(role, &key(holder as u8 + 0x40));
            assert_eq!(party.is_ok(), role == holder, "{role:?} by {holder:?}");
        }
        assert!(world.desk.party(role, &ADMIN).is_err());
        assert!(world.desk.party(role, &[0; 32]).is_err());
    }
    let unknown = world.desk.party(Role::Owner, &OWNER);
    assert_eq!(unknown, Err(IndexError::UnknownCode));
}

#[test]
fn ix10_a_key_cannot_hold_two_roles_and_a_vacant_role_has_no_signer() {
    let mut world = World::new();
    let mut desk = world.desk;
    let admin = desk.party(Role::Admin, &ADMIN).unwrap();
    let solver = world.role(Role::Solver);
    let taken = world.run(|j| desk.grant(&admin, Role::OrderManager, solver.key(), j));
    assert_eq!(taken, Err(IndexError::RoleTaken));
    world
        .run(|j| desk.grant(&admin, Role::Solver, [0; 32], j))
        .unwrap();
    assert!(desk.party(Role::Solver, &solver.key()).is_err());
    assert!(desk.party(Role::Solver, &[0; 32]).is_err());
    world
        .run(|j| desk.grant(&admin, Role::OrderManager, solver.key(), j))
        .unwrap();
    assert_eq!(desk.record(Role::OrderManager).unwrap().generation, 2);
    let by_role = world.run(|j| desk.grant(&solver, Role::Solver, key(9), j));
    assert_eq!(by_role, Err(IndexError::WrongSigner));
    for role in [Role::Anyone, Role::Owner, Role::Admin] {
        let odd = world.run(|j| desk.grant(&admin, role, key(9), j));
        assert_eq!(odd, Err(IndexError::UnknownCode));
    }
}

#[test]
fn ix10_a_party_of_another_desk_is_nobody_here() {
    let world = World::new();
    let mut other = world.desk;
    other.chain = Chain::new(key(0xd1));
    for role in GRANTED {
        let signer = key(role as u8 + 0x40);
        let party = other.party(role, &signer).unwrap();
        assert!(party.must_be(role, world.desk.address()).is_err());
        assert!(party.must_be(role, other.address()).is_ok());
    }
    assert!(Party::owner(&OWNER, &ADMIN).is_err());
    assert!(Party::owner(&[0; 32], &[0; 32]).is_err());
}

#[test]
fn limits_out_of_range_are_refused() {
    let bad: [fn(&mut Limits); 8] = [
        |l| l.order_atoms_max = 0,
        |l| l.order_atoms_max = l.batch_atoms_max + 1,
        |l| l.mint_threshold = Ppm(0),
        |l| l.mint_threshold = Ppm(l.fill_threshold.0 + 1),
        |l| l.fill_threshold = Ppm(1_000_001),
        |l| l.exchange_fee_max = Ppm(1_000_001),
        |l| l.collateral_slots = Slot(0),
        |l| l.batch_slots = Slot(0),
    ];
    for spoil in bad {
        let mut limits = LIMITS;
        spoil(&mut limits);
        let made = Desk::new(key(1), ADMIN, limits);
        assert_eq!(made, Err(IndexError::BadParameter), "{limits:?}");
    }
    let nobody = Desk::new(key(1), [0; 32], LIMITS);
    assert_eq!(nobody, Err(IndexError::BadParameter));
}
