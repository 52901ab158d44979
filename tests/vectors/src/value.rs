//! Numbers of the files, and comparison with what they expect.

use crate::Result;
use flagstone_kernels::asm::{format_decimal, parse_decimal};
use flagstone_kernels::{Amount, KernelError, MathError};
use serde_json::Value;

/// A decimal in units of 1e-18.
///
/// # Errors
/// A sentence when it is none.
pub fn number(value: &Value) -> Result<u128> {
    value
        .as_str()
        .and_then(parse_decimal)
        .ok_or_else(|| format!("{value} is no decimal"))
}

/// A decimal as an amount.
///
/// # Errors
/// A sentence when it is none.
pub fn amount(value: &Value) -> Result<Amount> {
    number(value).map(Amount::new)
}

/// The elements of a list.
///
/// # Errors
/// A sentence when it is none.
pub fn list(value: &Value) -> Result<&Vec<Value>> {
    value
        .as_array()
        .ok_or_else(|| format!("{value} is no list"))
}

/// A list of decimals.
///
/// # Errors
/// A sentence when it is none.
pub fn numbers(value: &Value) -> Result<Vec<u128>> {
    list(value)?.iter().map(number).collect()
}

/// A list of labels.
///
/// # Errors
/// A sentence when it is none.
pub fn labels(value: &Value) -> Result<Vec<u128>> {
    let label = |label: &Value| {
        let number = label.as_u64().map(u128::from);
        number.ok_or_else(|| format!("{label} is no label"))
    };
    list(value)?.iter().map(label).collect()
}

/// A number as the files write it.
pub fn decimal(number: u128) -> Value {
    Value::String(format_decimal(number))
}

/// Numbers as the files write them.
pub fn decimals(numbers: impl IntoIterator<Item = u128>) -> Value {
    Value::Array(numbers.into_iter().map(decimal).collect())
}

/// An error as the files write it.
pub fn error(error: KernelError) -> Value {
    let text = match error {
        KernelError::Math(MathError::DivisionByZero) => "TRAP division by zero".to_owned(),
        other => other.to_string(),
    };
    serde_json::json!({ "error": text })
}

/// Whether `own` has everything that is expected; it may have more in objects.
///
/// # Errors
/// A sentence that names the first difference.
pub fn covers(own: &Value, expected: &Value, at: &str) -> Result<()> {
    match (own, expected) {
        (Value::Object(own), Value::Object(expected)) => {
            if own.contains_key("error") != expected.contains_key("error") {
                return Err(format!("{at}: {own:?} instead of {expected:?}"));
            }
            for (key, expected) in expected {
                let at = format!("{at}/{key}");
                let own = own
                    .get(key)
                    .ok_or_else(|| format!("{at} is not computed"))?;
                covers(own, expected, &at)?;
            }
            Ok(())
        }
        (Value::Array(own), Value::Array(expected)) => {
            if own.len() != expected.len() {
                return Err(format!(
                    "{at}: {} elements instead of {}",
                    own.len(),
                    expected.len()
                ));
            }
            for (index, (own, expected)) in own.iter().zip(expected).enumerate() {
                covers(own, expected, &format!("{at}/{index}"))?;
            }
            Ok(())
        }
        (own, expected) if own == expected => Ok(()),
        _ => Err(format!("{at}: {own} instead of {expected}")),
    }
}
