//! Markdown on standard output: a table for each group of peers.

use std::io::{self, Write};

use super::{Line, STORES, Subject};
use crate::{
    cell::{Candidate, Cell, Store},
    ledger::Faults,
    report::{Spread, thousands},
    sample::Sample,
};

pub(super) fn print(header: &str, groups: &[Vec<Line>]) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{header}. Ratios are Cloakroom's rate by the peer's, of the same round.")?;
    for lines in groups {
        let ours = STORES.map(|store| format!("Cloakroom, {store} ÷ it")).join(" | ");
        writeln!(
            out,
            "\n| server | operation | users | connections | requests/s | p50 / p99 ms | server CPU µs/request | {ours} | values right? |"
        )?;
        writeln!(out, "|---|---|--:|--:|--:|--:|--:|--:|--:|---|")?;
        for line in lines {
            row(&mut out, line, lines)?;
        }
    }
    Ok(())
}

fn row(out: &mut impl Write, line: &Line, lines: &[Line]) -> anyhow::Result<()> {
    let (users, connections) = line.subject.load();
    let spread = |figure: fn(&Sample) -> f64| Spread::of(line.samples.iter().map(figure));
    let processor = spread(|sample| sample.processor_microseconds).median;
    let processor = if processor.is_nan() { String::new() } else { format!("{processor:.1}") };
    let ours = STORES.map(|store| ratio(line, lines, store)).join(" | ");
    writeln!(
        out,
        "| {} | {} | {} | {connections} | {} | {:.1} / {:.1} | {processor} | {ours} | {} |",
        line.subject.name(),
        line.subject.operation(),
        thousands(users as f64),
        spread(|sample| sample.requests_per_second).rates(),
        spread(|sample| sample.median_milliseconds).median,
        spread(|sample| sample.tail_milliseconds).median,
        verdict(&line.faults, line.subject),
    )?;
    Ok(())
}

/// Cloakroom's rate under the same load by this one, paired by round.
fn ratio(line: &Line, lines: &[Line], store: Store) -> String {
    if matches!(line.subject, Subject::Server(Cell { candidate: Candidate::Cloakroom(_), .. })) {
        return String::new();
    }
    let ours = lines.iter().find(|other| {
        let same_load = other.subject.load() == line.subject.load();
        matches!(other.subject, Subject::Server(cell) if cell.candidate == Candidate::Cloakroom(store)) && same_load
    });
    let Some(ours) = ours else { return String::new() };
    let pairs = ours.samples.iter().zip(&line.samples);
    Spread::of(pairs.map(|(ours, its)| ours.requests_per_second / its.requests_per_second)).ratios()
}

fn verdict(faults: &Faults, subject: Subject) -> String {
    if !faults.none() {
        let count = |number: u64| thousands(number as f64);
        let (repeated, lost, late) = (count(faults.repeated), count(faults.lost), count(faults.late));
        return format!("**no**: {repeated} repeated, {lost} lost, {late} out of order");
    }
    match subject {
        Subject::Server(_) => "yes".to_owned(),
        // Their clients keep no answers.
        Subject::Redis { .. } | Subject::Pgbench { .. } => "yes, by their sum".to_owned(),
    }
}
