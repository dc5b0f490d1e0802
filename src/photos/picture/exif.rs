//! EXIF, of which one number matters: how the picture is to be turned. Read leniently, since cameras write it; written
//! as the smallest block there can be.

use crate::photos::picture::orientation::Orientation;
use crate::photos::picture::reader::Reader;

const ORIENTATION: u16 = 0x0112;
const SHORT: u16 = 3;

/// What stands before EXIF in a JPEG, and by mistake elsewhere.
pub(super) const PREFIX: &[u8] = b"Exif\0\0";

/// The orientation that a block names; upright if it names none that can be read.
pub(super) fn orientation(block: &[u8]) -> Orientation {
    find(block.strip_prefix(PREFIX).unwrap_or(block)).unwrap_or_default()
}

fn find(tiff: &[u8]) -> Option<Orientation> {
    let mut reader = Reader::new(tiff);
    let large_first = match &reader.array().ok()? {
        b"II*\0" => false,
        b"MM\0*" => true,
        _ => return None,
    };
    let short = |reader: &mut Reader<'_>| if large_first { reader.u16_be() } else { reader.u16_le() };
    let long = |reader: &mut Reader<'_>| if large_first { reader.u32_be() } else { reader.u32_le() };
    let directory = usize::try_from(long(&mut reader).ok()?).ok()?;
    let mut reader = Reader::new(tiff.get(directory..)?);
    for _ in 0..short(&mut reader).ok()? {
        let (tag, kind) = (short(&mut reader).ok()?, short(&mut reader).ok()?);
        let _count = long(&mut reader).ok()?;
        let mut value = Reader::new(reader.take(4).ok()?);
        if tag == ORIENTATION {
            let value = if kind == SHORT { short(&mut value).ok()?.into() } else { long(&mut value).ok()? };
            return Orientation::new(value);
        }
    }
    None
}

/// A block that holds the orientation and nothing else; `None` where there is nothing to say.
pub(super) fn block(orientation: Orientation) -> Option<Vec<u8>> {
    if orientation.is_upright() {
        return None;
    }
    // Where the directory begins; one entry: tag, kind, count, value; no other directory.
    let mut block = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    block.push(orientation.number());
    block.extend([0; 6]);
    Some(block)
}
