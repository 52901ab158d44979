//! Larger pieces of the standard library, which mix everything.

use core::fmt::Write as _;
use std::collections::BTreeMap;

use super::{Op, Words, hash};

fn format(a: u128, b: u128) -> Words {
    let mut text = String::new();
    let signed = a as i64;
    let done = write!(
        text,
        "{a} {b:#x} {signed:>+24} {:?} {:08b}",
        (a as u8, "é\n"),
        b as u16
    );
    [hash(text.as_bytes()), u128::from(done.is_ok())]
}

fn parse(a: u128, b: u128) -> Words {
    let text = (a >> (b % 128)).to_string();
    let whole = text.parse::<u128>().unwrap_or(1);
    let narrow = text.parse::<u64>().map_or(3, u128::from);
    [whole, narrow]
}

fn sort(a: u128, b: u128) -> Words {
    let mut items = [0u128; 24];
    let mut x = a | 1;
    for item in &mut items {
        x = x.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(b);
        *item = x >> 64;
    }
    items.sort_unstable();
    let place = items.binary_search(&items[(b % 24) as usize]).unwrap_or(99);
    [items[(a % 24) as usize], place as u128]
}

fn collections(a: u128, b: u128) -> Words {
    let mut map = BTreeMap::new();
    for step in 0..20u128 {
        map.insert(a.wrapping_mul(step) % 31, b.wrapping_add(step));
    }
    map.remove(&(b % 31));
    let folded = map.iter().fold(0u128, |f, (k, v)| f.rotate_left(7) ^ k ^ v);
    let list: Vec<u64> = map
        .keys()
        .map(|k| *k as u64)
        .filter(|k| k % 2 == 0)
        .collect();
    [folded, list.iter().map(|k| u128::from(*k)).sum()]
}

fn boxes(a: u128, b: u128) -> Words {
    let steps: Vec<Box<dyn Fn(u128) -> u128>> = vec![
        Box::new(move |x| x.wrapping_add(b)),
        Box::new(move |x| x.wrapping_mul(a | 1)),
        Box::new(|x| x.rotate_right(13)),
    ];
    let result = steps.iter().cycle().take(7).fold(a, |x, step| step(x));
    [result, steps.len() as u128]
}

fn text(a: u128, b: u128) -> Words {
    let text = format!("{a:x}-{b:x}");
    let upper = text.to_uppercase();
    let parts: Vec<&str> = upper.split('-').collect();
    let found = upper.find(parts[1]).unwrap_or(0);
    [hash(upper.as_bytes()), (found + parts[0].len()) as u128]
}

pub(super) const OPS: &[Op] = &[
    ("formatting", format),
    ("parsing", parse),
    ("sorting", sort),
    ("a map", collections),
    ("boxed closures", boxes),
    ("text", text),
];
