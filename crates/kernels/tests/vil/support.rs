//! A store in maps, and sessions that assemble and run listings on it.

use std::collections::BTreeMap;

use flagstone_kernels::asm::listings::Listing;
use flagstone_kernels::asm::{AsmErrorKind, Symbols, assemble, parse_decimal};
use flagstone_kernels::vil::store::copy_words;
use flagstone_kernels::vil::{
    Config, Era, Fault, Library, Limits, LoadError, Mode, Outcome, Program, Refused, Slot, Store,
    VilError, Workspace, run, validate_tree,
};

/// Bounds for tests that are not about bounds.
pub(crate) const ROOMY: Limits = Limits {
    steps_max: 10_000_000,
    depth_max: 8,
    code_bytes_max: 100_000,
};

pub(crate) const STRICT: Config = Config {
    mode: Mode::Strict,
    join: flagstone_kernels::vil::JoinVariant::Galloping,
    limits: ROOMY,
};

pub(crate) const COMPAT: Config = Config {
    mode: Mode::Compat(Era::January2026),
    ..STRICT
};

/// A number with 18 decimals.
pub(crate) fn n(text: &str) -> u128 {
    parse_decimal(text).unwrap_or_else(|| panic!("no number: {text}"))
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) vectors: BTreeMap<u128, Vec<u128>>,
    pub(crate) labels: BTreeMap<u128, Vec<u128>>,
    pub(crate) read_only: bool,
}

impl Store for Stored {
    fn load_vector(&self, id: u128, into: &mut [u128]) -> Result<usize, LoadError> {
        copy_words(self.vectors.get(&id).ok_or(LoadError::NotFound)?, into)
    }
    fn load_labels(&self, id: u128, into: &mut [u128]) -> Result<usize, LoadError> {
        copy_words(self.labels.get(&id).ok_or(LoadError::NotFound)?, into)
    }
    fn store_vector(&mut self, id: u128, vector: &[u128]) -> Result<(), Refused> {
        if self.read_only {
            return Err(Refused);
        }
        self.vectors.insert(id, vector.to_vec());
        Ok(())
    }
    fn store_labels(&mut self, id: u128, labels: &[u128]) -> Result<(), Refused> {
        if self.read_only {
            return Err(Refused);
        }
        self.labels.insert(id, labels.to_vec());
        Ok(())
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Codes(pub(crate) BTreeMap<u128, Vec<u8>>);

impl Library for Codes {
    fn code(&self, id: u128) -> Option<&[u8]> {
        self.0.get(&id).map(Vec::as_slice)
    }
}

/// Runs code with memory of the given size, after validation, whose refusal is a result too.
pub(crate) fn run_code(
    code: &[u8],
    registers: u8,
    codes: &Codes,
    store: &mut Stored,
    size: (usize, usize),
    config: &Config,
) -> Result<Outcome, Fault> {
    validate_tree(code, registers, codes, 100_000, config)?;
    run_unvalidated(code, registers, codes, store, size, config)
}

/// Runs code that nobody has looked at before.
pub(crate) fn run_unvalidated(
    code: &[u8],
    registers: u8,
    codes: &Codes,
    store: &mut Stored,
    (slots, words): (usize, usize),
    config: &Config,
) -> Result<Outcome, Fault> {
    let program = Program::validated_before(code, registers);
    let (mut slots, mut words) = (vec![Slot::Empty; slots], vec![0; words]);
    let workspace = Workspace {
        slots: &mut slots,
        words: &mut words,
    };
    run(&program, codes, store, workspace, config)
}

/// Named values and programs; names get ids when they are first used.
#[derive(Clone, Debug, Default)]
pub(crate) struct Session {
    pub(crate) symbols: Symbols,
    pub(crate) stored: Stored,
    pub(crate) codes: Codes,
}

impl Session {
    pub(crate) fn id(&mut self, name: &str) -> u128 {
        if let Some(id) = self.symbols.value(name) {
            return id;
        }
        let id = 1_000 + self.symbols.iter().count() as u128;
        self.symbols.define(name, id);
        id
    }

    pub(crate) fn vector(&mut self, name: &str, vector: &[u128]) {
        let id = self.id(name);
        self.stored.vectors.insert(id, vector.to_vec());
    }

    pub(crate) fn labels(&mut self, name: &str, labels: &[u128]) {
        let id = self.id(name);
        self.stored.labels.insert(id, labels.to_vec());
    }

    pub(crate) fn scalar(&mut self, name: &str, value: u128) {
        self.symbols.define(name, value);
    }

    pub(crate) fn get(&self, name: &str) -> &[u128] {
        let id = self
            .symbols
            .value(name)
            .unwrap_or_else(|| panic!("no name {name}"));
        self.stored
            .vectors
            .get(&id)
            .unwrap_or_else(|| panic!("{name} is not stored"))
    }

    pub(crate) fn get_labels(&self, name: &str) -> &[u128] {
        let id = self
            .symbols
            .value(name)
            .unwrap_or_else(|| panic!("no name {name}"));
        self.stored
            .labels
            .get(&id)
            .unwrap_or_else(|| panic!("{name} is not stored"))
    }

    /// Assembles text; names that are new become ids.
    pub(crate) fn assemble(&mut self, text: &str) -> (Vec<u8>, u8) {
        loop {
            match assemble(text, &self.symbols) {
                Ok(assembly) => return (assembly.code, assembly.registers),
                Err(error) => match error.kind {
                    AsmErrorKind::UnknownName(name) => self.id(&name),
                    _ => panic!("{error}"),
                },
            };
        }
    }

    pub(crate) fn program(&mut self, name: &str, text: &str) {
        let (code, _) = self.assemble(text);
        let id = self.id(name);
        self.codes.0.insert(id, code);
    }

    pub(crate) fn run_text(&mut self, text: &str, config: &Config) -> Result<Outcome, Fault> {
        let (code, registers) = self.assemble(text);
        run_code(
            &code,
            registers,
            &self.codes,
            &mut self.stored,
            (512, 40_000),
            config,
        )
    }

    pub(crate) fn run(&mut self, listing: &Listing, config: &Config) -> Result<Outcome, Fault> {
        self.run_text(listing.text, config)
    }
}

/// Runs text in an empty session and returns why it failed.
pub(crate) fn failure(text: &str, config: &Config) -> VilError {
    let mut session = Session::default();
    fill(&mut session);
    session.run_text(text, config).expect_err(text).error
}

/// Runs text in a session and returns the vector that it stored as `out`.
pub(crate) fn result(text: &str, config: &Config) -> Vec<u128> {
    let mut session = Session::default();
    fill(&mut session);
    session
        .run_text(text, config)
        .unwrap_or_else(|fault| panic!("{text}: {fault}"));
    session.get("out").to_vec()
}

/// Short lists that tests of single operations use.
pub(crate) fn fill(session: &mut Session) {
    session.vector("v2", &[n("1"), n("2")]);
    session.vector("v3", &[n("1"), n("2"), n("3")]);
    session.vector("w3", &[n("10"), n("20"), n("30")]);
    session.vector("v5", &[n("1"), n("2"), n("3"), n("4"), n("5")]);
    session.vector("empty", &[]);
    session.labels("none", &[]);
    session.labels("l3", &[51, 53, 54]);
    session.labels("l5", &[51, 52, 53, 54, 55]);
    session.labels("past_end", &[51, 55, 99]);
    session.labels("foreign", &[50, 53, 54]);
    session.labels("unsorted", &[53, 51, 54]);
    session.labels("twice", &[51, 51, 54]);
}
