//! Markdown on standard output: the table, and the ratios it was made for.

use std::io::{self, Write};

use crate::{
    cell::Candidate,
    operation::Operation,
    sample::{Row, Sample},
};

/// What a round says about one property.
type Figure = fn(&Sample) -> f64;

const RATE: Figure = |sample| sample.requests_per_second;
const PROCESSOR: Figure = |sample| sample.processor_microseconds;

pub(crate) fn print(header: &str, rows: &[Row]) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{header}. Every number checked: unique, gap-free, in order.\n")?;
    table(&mut out, rows)?;
    if rows.iter().any(|row| matches!(row.cell.candidate, Candidate::Cloakroom(_))) {
        writeln!(out)?;
        ratios(&mut out, rows)?;
    }
    Ok(())
}

fn table(out: &mut impl Write, rows: &[Row]) -> anyhow::Result<()> {
    writeln!(
        out,
        "| server | operation | users | connections | requests/s | p50 / p99 ms | server CPU µs/request | ÷ hello | ÷ naive |"
    )?;
    writeln!(out, "|---|---|--:|--:|--:|--:|--:|--:|--:|")?;
    for row in rows {
        let cell = &row.cell;
        let hello = ratio(row, same_load(rows, row, Candidate::Hello), RATE);
        let naive = naive_beside(row.cell.candidate).map(|naive| ratio(row, same_load(rows, row, naive), RATE));
        writeln!(
            out,
            "| {} | {} | {} | {} | {} | {:.1} / {:.1} | {:.1} | {} | {} |",
            cell.candidate,
            cell.operation,
            thousands(cell.users as f64),
            cell.connections,
            Spread::of(row.samples.iter().map(RATE)).rates(),
            Spread::of(row.samples.iter().map(|sample| sample.median_milliseconds)).median,
            Spread::of(row.samples.iter().map(|sample| sample.tail_milliseconds)).median,
            Spread::of(row.samples.iter().map(PROCESSOR)).median,
            hello.unwrap_or_default(),
            naive.flatten().unwrap_or_default(),
        )?;
    }
    Ok(())
}

/// How the product stands at 256 connections, in requests and in processor time.
fn ratios(out: &mut impl Write, rows: &[Row]) -> anyhow::Result<()> {
    writeln!(out, "| at 256 connections | users | rate ÷ | paired by round | CPU per request ÷ |")?;
    writeln!(out, "|---|--:|---|--:|--:|")?;
    for row in rows {
        let Candidate::Cloakroom(store) = row.cell.candidate else { continue };
        if row.cell.connections != 256 {
            continue;
        }
        for other in [Candidate::Hello, Candidate::Memory, Candidate::Naive(store)] {
            let beside = same_load(rows, row, other);
            let (Some(rate), Some(processor)) = (ratio(row, beside, RATE), ratio(row, beside, PROCESSOR)) else {
                continue;
            };
            let users = thousands(row.cell.users as f64);
            writeln!(
                out,
                "| {}, {} | {users} | {other} | {rate} | {processor} |",
                row.cell.candidate, row.cell.operation
            )?;
        }
    }
    Ok(())
}

fn naive_beside(candidate: Candidate) -> Option<Candidate> {
    match candidate {
        Candidate::Cloakroom(store) => Some(Candidate::Naive(store)),
        Candidate::Hello | Candidate::Memory | Candidate::Naive(_) | Candidate::Peer(_) => None,
    }
}

/// The row of `candidate` under the same load. Saying hello knows no users, and references know one operation.
fn same_load<'a>(rows: &'a [Row], row: &Row, candidate: Candidate) -> Option<&'a Row> {
    rows.iter().find(|other| {
        let hello = other.cell.operation == Operation::Hello;
        other.cell.candidate == candidate
            && other.cell.connections == row.cell.connections
            && (hello || other.cell.users == row.cell.users)
    })
}

/// Paired by round, so that what disturbed both cancels out. Nothing to say about a row beside itself.
fn ratio(row: &Row, beside: Option<&Row>, figure: Figure) -> Option<String> {
    let beside = beside.filter(|beside| beside.cell != row.cell)?;
    let pairs = row.samples.iter().zip(&beside.samples);
    Some(Spread::of(pairs.map(|(sample, other)| figure(sample) / figure(other))).ratios())
}

/// The median of some samples and their extremes.
pub(crate) struct Spread {
    pub(crate) median: f64,
    least: f64,
    most: f64,
}

impl Spread {
    pub(crate) fn of(samples: impl Iterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = samples.collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
        let middle = sorted.len() / 2;
        // The two in the middle, which are the same one of an odd number.
        let median = at(sorted.len().saturating_sub(1) / 2).midpoint(at(middle));
        Self { median, least: at(0), most: at(sorted.len().saturating_sub(1)) }
    }

    pub(crate) fn rates(&self) -> String {
        format!("{} [{}-{}]", thousands(self.median), thousands(self.least), thousands(self.most))
    }

    pub(crate) fn ratios(&self) -> String {
        // About three digits: 19.5, 4.27, 0.48, 0.031.
        let decimals = match self.median {
            ..0.095 => 3,
            ..9.95 => 2,
            _ => 1,
        };
        let Self { median, least, most } = self;
        format!("{median:.decimals$} [{least:.decimals$}-{most:.decimals$}]")
    }
}

/// `12,345`
pub(crate) fn thousands(figure: f64) -> String {
    let digits = format!("{figure:.0}");
    let first = digits.len() % 3;
    let mut groups: Vec<&str> = vec![digits.get(..first).unwrap_or_default()];
    groups.extend((first..digits.len()).step_by(3).filter_map(|start| digits.get(start..start + 3)));
    groups.retain(|group| !group.is_empty());
    groups.join(",")
}
