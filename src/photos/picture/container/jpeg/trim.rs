//! A clean JPEG, with each scan cut to the codes of its blocks.

use crate::photos::picture::Refusal;
use crate::photos::picture::container::Clean;
use crate::photos::picture::reader::Reader;

use super::codes::Tables;
use super::frame::{Frame, Scan};
use super::huffman::Codes;
use super::tables::{Definition, Key};
use super::{DHT, DRI, EOI, MISPLACED, SOI, SOS, compressed, next_marker, put, scan};

pub(in crate::photos::picture::container) fn finish(clean: Clean) -> Result<Clean, Refusal> {
    let mut reader = Reader::new(&clean.bytes);
    reader.take(2)?;
    let mut bytes = Vec::with_capacity(clean.bytes.len());
    bytes.extend([0xff, SOI]);
    let mut tables = Tables::default();
    let (mut frame, mut masks) = (None, Vec::new());
    loop {
        let marker = next_marker(&mut reader)?;
        if marker == EOI {
            break;
        }
        let length = reader.u16_be()?.checked_sub(2).ok_or(MISPLACED)?;
        let content = reader.take(length.into())?;
        put(&mut bytes, marker, &[content]);
        match marker {
            DHT | DRI => define(&mut tables, marker, content)?,
            0xc0..=0xc2 => frame = Some(Frame::new(marker == 0xc2, content)?),
            SOS => {
                let frame = frame.as_ref().ok_or(MISPLACED)?;
                if frame.progressive && masks.is_empty() {
                    let blocks = frame.components.iter().map(|component| usize::try_from(component.blocks));
                    masks = blocks.map(|blocks| vec![0; blocks.unwrap_or_default()]).collect();
                }
                let header = Scan::new(content, frame)?;
                scan::rewrite(compressed(&mut reader), &header, &tables, &mut masks, &mut bytes)?;
            }
            _ => {}
        }
    }
    bytes.extend([0xff, EOI]);
    Ok(Clean { bytes, ..clean })
}

fn define(tables: &mut Tables, marker: u8, content: &[u8]) -> Result<(), Refusal> {
    for Definition { key, content } in Definition::all(marker, content)? {
        if key == Key::RESTART {
            tables.restart = content.first_chunk().map_or(0, |units| u16::from_be_bytes(*units).into());
            continue;
        }
        let codes = content.get(1..).and_then(Codes::new);
        for (id, (dc, ac)) in (0..).zip(tables.dc.iter_mut().zip(&mut tables.ac)) {
            if key == Key::dc(id) {
                *dc = codes;
                break;
            }
            if key == Key::ac(id) {
                *ac = codes;
                break;
            }
        }
    }
    Ok(())
}
