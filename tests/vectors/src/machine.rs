//! VIL programs, joins and arithmetic on the VIL machine.

use crate::Result;
use crate::value::{decimals, labels, list, number, numbers};
use flagstone_kernels::asm::assemble;
use flagstone_kernels::compat;
use flagstone_kernels::vil::store::copy_words;
use flagstone_kernels::vil::{
    Config, Era, Fault, JoinVariant, Library, Limits, LoadError, Mode, Refused, Slot, Store,
    Workspace, run as run_program, validate_tree,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Programs that the strict machine runs otherwise than the paper's last runtime, and why.
pub const SUPERSEDED: [(&str, &str); 5] = [
    ("ops/vmin_empty_is_max", "the least of nothing is refused"),
    (
        "ops/jflt_label_past_end",
        "a label is not dropped in silence",
    ),
    (
        "ops/jupd_label_past_end_lost",
        "a value is not dropped in silence",
    ),
    (
        "ops/jupd_same_labels_adds",
        "an update replaces, whatever its labels",
    ),
    (
        "ops/transpose_one_unpacks",
        "one vector transposes to vectors",
    ),
];

/// Bounds that no golden program reaches.
const LIMITS: Limits = Limits {
    steps_max: 10_000_000,
    depth_max: 8,
    code_bytes_max: 100_000,
};

/// Stored values of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Shelf {
    vectors: BTreeMap<u128, Vec<u128>>,
    labels: BTreeMap<u128, Vec<u128>>,
}

impl Store for Shelf {
    fn load_vector(&self, id: u128, into: &mut [u128]) -> std::result::Result<usize, LoadError> {
        copy_words(self.vectors.get(&id).ok_or(LoadError::NotFound)?, into)
    }

    fn load_labels(&self, id: u128, into: &mut [u128]) -> std::result::Result<usize, LoadError> {
        copy_words(self.labels.get(&id).ok_or(LoadError::NotFound)?, into)
    }

    fn store_vector(&mut self, id: u128, vector: &[u128]) -> std::result::Result<(), Refused> {
        self.vectors.insert(id, vector.to_vec());
        Ok(())
    }

    fn store_labels(&mut self, id: u128, labels: &[u128]) -> std::result::Result<(), Refused> {
        self.labels.insert(id, labels.to_vec());
        Ok(())
    }
}

#[derive(Clone, Debug, Default)]
struct Codes(BTreeMap<u128, Vec<u8>>);

impl Library for Codes {
    fn code(&self, id: u128) -> Option<&[u8]> {
        self.0.get(&id).map(Vec::as_slice)
    }
}

/// A program with what it finds stored.
struct Session {
    code: Vec<u8>,
    registers: u8,
    codes: Codes,
    shelf: Shelf,
}

impl Session {
    fn read(initial: &Value) -> Result<Self> {
        let mut shelf = Shelf::default();
        for (id, vector) in entries(&initial["vectors"])? {
            shelf.vectors.insert(id, numbers(vector)?);
        }
        for (id, names) in entries(&initial["labels"])? {
            shelf.labels.insert(id, labels(names)?);
        }
        let mut codes = Codes::default();
        for (id, listing) in entries(&initial["codes"])? {
            codes.0.insert(id, assembled(listing)?);
        }
        let registers = initial["registers"]
            .as_u64()
            .and_then(|count| u8::try_from(count).ok());
        Ok(Self {
            code: assembled(&initial["program"])?,
            registers: registers.ok_or("the number of registers is missing")?,
            codes,
            shelf,
        })
    }

    /// What is stored afterwards; on failure what was stored before.
    fn run(&self, mode: Mode) -> (std::result::Result<(), Fault>, Shelf) {
        let config = Config {
            mode,
            join: JoinVariant::Galloping,
            limits: LIMITS,
        };
        let mut shelf = self.shelf.clone();
        let (mut slots, mut words) = (vec![Slot::Empty; 64], vec![0; 4_096]);
        let workspace = Workspace {
            slots: &mut slots,
            words: &mut words,
        };
        let tree = validate_tree(&self.code, self.registers, &self.codes, 100_000, &config);
        let done = tree.and_then(|(program, _)| {
            run_program(&program, &self.codes, &mut shelf, workspace, &config).map(|_| ())
        });
        match done {
            Ok(()) => (Ok(()), shelf),
            Err(fault) => (Err(fault), self.shelf.clone()),
        }
    }
}

fn entries(value: &Value) -> Result<Vec<(u128, &Value)>> {
    let object = value
        .as_object()
        .ok_or_else(|| format!("{value} is no object"))?;
    let entry = |(id, value): (&String, _)| {
        let id = id.parse().map_err(|_| format!("{id} is no id"))?;
        Ok((id, value))
    };
    object
        .iter()
        .map(|(id, value)| entry((id, value)))
        .collect()
}

fn assembled(listing: &Value) -> Result<Vec<u8>> {
    let text = listing.as_str().ok_or("a listing is missing")?;
    match assemble(text, &Default::default()) {
        Ok(assembly) => Ok(assembly.code),
        Err(error) => Err(format!("{text}: {error:?}")),
    }
}

/// Runs a call of a program, transposition, joins or arithmetic case.
///
/// # Errors
/// A sentence when the case cannot be run.
pub fn run(kind: &str, case: &Value, call: &Value) -> Result<Value> {
    let initial = &case["initial"];
    match (kind, call["op"].as_str().unwrap_or("")) {
        ("vil_program", "run") => programs(initial, call),
        ("transpose", "transpose") => transposed(initial),
        ("joins", op) => joined(initial, op),
        ("amount", "amount") => amounts(&call["expected"]),
        (_, op) => Err(format!("op {op} is unknown")),
    }
}

/// A program in both of the paper's runtimes, and its bytecode.
fn programs(initial: &Value, call: &Value) -> Result<Value> {
    let session = Session::read(initial)?;
    let hex: String = session
        .code
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    if call["bytecode_u8"] != hex {
        return Err(format!("assembled to {hex}"));
    }
    let mut value = json!({});
    for (name, era) in [("head", Era::January2026), ("v0", Era::November2025)] {
        let (done, shelf) = session.run(Mode::Compat(era));
        let expected = &call["expected"][name];
        let mut result = json!({ "status": status(&done, era)?, "vectors": {}, "labels": {} });
        for (id, vector) in &shelf.vectors {
            if !session.shelf.vectors.contains_key(id) {
                result["vectors"][id.to_string()] = decimals(vector.iter().copied());
            }
        }
        for (id, names) in &shelf.labels {
            if !session.shelf.labels.contains_key(id) {
                let names = names.iter().map(|name| *name as u64);
                result["labels"][id.to_string()] = names.collect();
            }
        }
        // What is stored must be what is expected, not only contain it.
        if result != *expected {
            return Err(format!("{name}: {result} instead of {expected}"));
        }
        value[name] = result;
    }
    Ok(value)
}

/// The name that a runtime of the paper has for an outcome.
fn status(done: &std::result::Result<(), Fault>, era: Era) -> Result<String> {
    let Err(fault) = done else {
        return Ok("OK".to_owned());
    };
    let name = fault
        .error
        .upstream_name(era, fault.op)
        .ok_or_else(|| format!("{:?} is unknown upstream", fault.error))?;
    // November passed the error of a subroutine through; January wraps it.
    if era == Era::November2025 || name == "TRAP" {
        return Ok(name.to_owned());
    }
    let wrap = |inner, _| format!("SubroutineError({inner})");
    Ok((0..fault.depth).fold(name.to_owned(), wrap))
}

/// Why the strict machine differs from the paper's last runtime on a program; `None` if it does not.
///
/// # Errors
/// A sentence when it differs and is not on the list, or is and does not.
pub fn strict_difference(case: &Value, _call: &Value) -> Result<Option<String>> {
    let session = Session::read(&case["initial"])?;
    let (strict, shelf) = session.run(Mode::Strict);
    let (last, last_shelf) = session.run(Mode::Compat(Era::January2026));
    let error = |done: std::result::Result<(), Fault>| done.err().map(|fault| fault.error);
    let (strict, last) = (error(strict), error(last));
    let differs = strict != last || shelf != last_shelf;
    let listed = SUPERSEDED.iter().find(|(id, _)| case["id"] == *id);
    match (differs, listed) {
        (false, None) => Ok(None),
        (true, Some((_, reason))) => Ok(Some(format!("strict machine: {reason}"))),
        (true, None) => Err(format!("strict machine: {strict:?} instead of {last:?}")),
        (false, Some(_)) => Err("strict machine: listed as different, and is not".to_owned()),
    }
}

/// Runs a listing on the last runtime, with rows and labels stored under 1, 2, ...
fn stored(listing: &str, vectors: &[Vec<u128>], names: &[Vec<u128>]) -> Result<Shelf> {
    let under = |lists: &[Vec<u128>], first: u128| {
        let ids = (0..).map(move |offset: u128| first + offset);
        ids.zip(lists.iter().cloned()).collect::<BTreeMap<_, _>>()
    };
    let session = Session {
        code: assembled(&Value::from(listing))?,
        registers: 0,
        codes: Codes::default(),
        shelf: Shelf {
            vectors: under(vectors, 1),
            labels: under(names, 1),
        },
    };
    let (done, shelf) = session.run(Mode::Compat(Era::January2026));
    done.map_err(|fault| format!("{listing}: {fault:?}"))?;
    Ok(shelf)
}

fn transposed(initial: &Value) -> Result<Value> {
    let rows: Vec<Vec<u128>> = list(&initial["rows"])?
        .iter()
        .map(numbers)
        .collect::<Result<_>>()?;
    let columns = rows.first().map_or(0, Vec::len) as u128;
    let loads: String = (1..=rows.len()).map(|id| format!("LDV {id} ")).collect();
    let stores: String = (0..columns)
        .rev()
        .map(|id| format!(" STV {}", 101 + id))
        .collect();
    let shelf = stored(&format!("{loads}T {}{stores}", rows.len()), &rows, &[])?;
    let column = |id: u128| decimals(shelf.vectors.get(&(101 + id)).cloned().unwrap_or_default());
    Ok((0..columns).map(column).collect())
}

/// A union of label lists, or values expanded to it: zeros, updated by a join.
fn joined(initial: &Value, op: &str) -> Result<Value> {
    let names: Vec<Vec<u128>> = list(&initial["labels"])?
        .iter()
        .map(labels)
        .collect::<Result<_>>()?;
    let values: Vec<Vec<u128>> = list(&initial["values"])?
        .iter()
        .map(numbers)
        .collect::<Result<_>>()?;
    let union = "LDL 1 LDL 2 LUNION 1 LDL 3 LUNION 1 STL 9";
    let expand = |of: &[u8]| {
        let updates: String = of
            .iter()
            .map(|id| format!(" LDL {id} LDV {id} LDV 8 JUPD 1 3 2 STV 8 POPN 2"))
            .collect();
        format!("{union} LDL 9 ZEROS 0 STV 8{updates}")
    };
    let shelf = match op {
        "union" => stored(union, &values, &names)?,
        "expand_1_then_2" => stored(&expand(&[1, 2]), &values, &names)?,
        "expand_3" => stored(&expand(&[3]), &values, &names)?,
        _ => return Err(format!("op {op} is unknown")),
    };
    if op == "union" {
        let union = shelf.labels.get(&9).cloned().unwrap_or_default();
        return Ok(union.into_iter().map(|label| label as u64).collect());
    }
    Ok(decimals(shelf.vectors.get(&8).cloned().unwrap_or_default()))
}

/// Recomputes the last column of rows `[op, left, right, result]`.
fn amounts(expected: &Value) -> Result<Value> {
    let row = |row: &Value| {
        let op: fn(u128, u128) -> compat::Result<u128> = match row[0].as_str() {
            Some("add") => compat::add,
            Some("sub") => compat::sub,
            Some("mul") => compat::mul,
            Some("div") => compat::div,
            other => return Err(format!("op {other:?} is unknown")),
        };
        let result =
            op(number(&row[1])?, number(&row[2])?).map_err(|error| format!("{error:?}"))?;
        Ok(json!([
            row[0],
            row[1],
            row[2],
            crate::value::decimal(result)
        ]))
    };
    list(expected)?.iter().map(row).collect()
}
