//! Compute units of single instructions, out of a transaction's log.

/// One top-level instruction of a transaction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Executed<'a> {
    /// Compute units, those of programs that it called included.
    pub(crate) compute_units: u64,
    /// Its part of the log.
    pub(crate) logs: &'a [String],
}

/// Splits a log at its top-level instructions. Builtins, which report no
/// compute units, are left out.
pub(crate) fn instructions(logs: &[String]) -> Vec<Executed<'_>> {
    let starts: Vec<usize> = (0..logs.len())
        .filter(|at| logs[*at].ends_with(" invoke [1]"))
        .collect();
    let ends = starts.iter().skip(1).copied().chain([logs.len()]);
    let parts = starts
        .iter()
        .zip(ends)
        .map(|(start, end)| &logs[*start..end]);
    parts
        .filter_map(|logs| {
            // The last report is the instruction's own; calls report before it.
            let compute_units = logs.iter().rev().find_map(|line| consumed(line))?;
            Some(Executed {
                compute_units,
                logs,
            })
        })
        .collect()
}

fn consumed(line: &str) -> Option<u64> {
    let (_, report) = line.strip_prefix("Program ")?.split_once(" consumed ")?;
    let (units, _) = report.split_once(" of ")?;
    units.parse().ok()
}

/// Middle, 95th percentile and maximum of a sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spread {
    /// Size of the sample.
    pub(crate) count: usize,
    /// Half are no larger.
    pub(crate) p50: u64,
    /// 95 of 100 are no larger.
    pub(crate) p95: u64,
    /// Largest.
    pub(crate) max: u64,
}

impl Spread {
    /// Sorts the sample and reads it off; all zero when it is empty.
    pub(crate) fn of(sample: &mut [u64]) -> Self {
        sample.sort_unstable();
        let rank = |percent: usize| {
            let at = (sample.len() * percent).div_ceil(100).saturating_sub(1);
            sample.get(at).copied().unwrap_or(0)
        };
        Self {
            count: sample.len(),
            p50: rank(50),
            p95: rank(95),
            max: rank(100),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_instruction_gets_its_own_units() {
        let logs = [
            "Program ComputeBudget111111111111111111111111111111 invoke [1]",
            "Program ComputeBudget111111111111111111111111111111 success",
            "Program A invoke [1]",
            "Program B invoke [2]",
            "Program B consumed 70 of 900 compute units",
            "Program B success",
            "Program A consumed 100 of 1000 compute units",
            "Program A success",
            "Program C invoke [1]",
            "Program C consumed 9 of 900 compute units",
            "Program C success",
        ]
        .map(str::to_string);
        let units: Vec<_> = instructions(&logs)
            .iter()
            .map(|part| part.compute_units)
            .collect();
        assert_eq!(units, [100, 9]);
    }

    #[test]
    fn percentiles_are_nearest_ranks() {
        let mut sample: Vec<u64> = (1..=100).rev().collect();
        assert_eq!(
            Spread::of(&mut sample),
            Spread {
                count: 100,
                p50: 50,
                p95: 95,
                max: 100
            }
        );
        assert_eq!(
            Spread::of(&mut [7]),
            Spread {
                count: 1,
                p50: 7,
                p95: 7,
                max: 7
            }
        );
        assert_eq!(Spread::of(&mut []), Spread::default());
    }
}
