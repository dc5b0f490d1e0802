//! ICC profiles, written anew from the tags that colors need.
//!
//! A profile is a container of its own: it can name its owner, the display's serial number and any text. [`KEPT`] lists
//! the tags that stay. Each is parsed by its type and cut to the size that the type declares, with reserved bytes and
//! padding zeroed; description and copyright are constants; creator, device, date, platform and profile id are zero.
//! Profiles that differ in nothing else become the same bytes.
//!
//! **Invariant:** sanitizing what is sanitized gives the same bytes.

use crate::photos::picture::reader::Reader;

/// The largest profiles of displays and printers have half of that. A longer one counts as none.
pub(super) const MAX_PROFILE_BYTES: usize = 4 << 20;
/// Profiles have 10 to 30.
const MAX_TAGS: u32 = 200;
const HEADER_BYTES: usize = 128;
const ENTRY_BYTES: usize = 12;
/// D50, the light that all profiles refer to, as the header has it.
const D50: [u8; 12] = [0, 0, 0xf6, 0xd6, 0, 1, 0, 0, 0, 0, 0xd3, 0x2d];
const DESCRIPTION: &str = "Color profile";
const COPYRIGHT: &str = "Not stated";

/// The value of a tag.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Value {
    /// Three numbers.
    Xyz,
    /// A curve of one channel.
    Curve,
    /// A matrix of nine numbers.
    Matrix,
    /// Four code points of ITU-T H.273.
    CodePoints,
    /// A table of several channels, in one of four types.
    Table,
}

/// The tags that stay, in the order in which they are written.
const KEPT: [([u8; 4], Value); 19] = [
    (*b"wtpt", Value::Xyz),
    (*b"bkpt", Value::Xyz),
    (*b"rXYZ", Value::Xyz),
    (*b"gXYZ", Value::Xyz),
    (*b"bXYZ", Value::Xyz),
    (*b"lumi", Value::Xyz),
    (*b"rTRC", Value::Curve),
    (*b"gTRC", Value::Curve),
    (*b"bTRC", Value::Curve),
    (*b"kTRC", Value::Curve),
    (*b"chad", Value::Matrix),
    (*b"cicp", Value::CodePoints),
    (*b"A2B0", Value::Table),
    (*b"A2B1", Value::Table),
    (*b"A2B2", Value::Table),
    (*b"B2A0", Value::Table),
    (*b"B2A1", Value::Table),
    (*b"B2A2", Value::Table),
    (*b"gamt", Value::Table),
];

type Tag = ([u8; 4], Vec<u8>);

/// Where a kept tag has its value.
struct Place {
    name: [u8; 4],
    value: Value,
    offset: usize,
    length: usize,
}

/// The profile without anything but its colors; `None` if it is none, or broken, or too large.
pub(super) fn sanitize(bytes: &[u8]) -> Option<Vec<u8>> {
    let length = usize::try_from(u32::from_be_bytes(*bytes.first_chunk()?)).ok()?;
    if length > MAX_PROFILE_BYTES {
        return None;
    }
    let profile = bytes.get(..length)?;
    let header = header(profile)?;
    let places = places(profile)?;
    let is_v2 = profile.get(8)? < &4;
    let mut tags: Vec<Tag> = vec![
        (*b"desc", if is_v2 { description_v2(DESCRIPTION)? } else { localized(DESCRIPTION)? }),
        (*b"cprt", if is_v2 { text(COPYRIGHT) } else { localized(COPYRIGHT)? }),
    ];
    let mut total = 0;
    for Place { name, value: kind, offset, length } in places {
        let value = value(kind, profile.get(offset..offset.checked_add(length)?)?)?;
        total += value.len();
        if total > MAX_PROFILE_BYTES {
            return None;
        }
        tags.push((name, value));
    }
    let has = |wanted: &[&[u8; 4]]| wanted.iter().all(|wanted| tags.iter().any(|(name, _)| name == *wanted));
    let has_table = has(&[b"A2B0"]) || has(&[b"A2B1"]) || has(&[b"A2B2"]);
    let is_complete = match profile.get(16..20)? {
        b"RGB " => has_table || has(&[b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC"]),
        b"GRAY" => has_table || has(&[b"kTRC"]),
        _ => has_table,
    };
    if is_complete { assemble(header, &tags) } else { None }
}

/// The header with what a reader needs: version, class, color spaces and rendering intent.
fn header(profile: &[u8]) -> Option<Vec<u8>> {
    let field = |at: usize, length: usize| profile.get(at..at + length);
    let (class, space, connection) = (field(12, 4)?, field(16, 4)?, field(20, 4)?);
    let is_known = matches!(class, b"scnr" | b"mntr" | b"prtr" | b"spac")
        && matches!(space, b"RGB " | b"GRAY" | b"CMYK")
        && matches!(connection, b"XYZ " | b"Lab ")
        && field(36, 4)? == b"acsp";
    let (major, minor) = (*profile.get(8)?, *profile.get(9)?);
    if !is_known || profile.len() < HEADER_BYTES || !matches!(major, 2 | 4) {
        return None;
    }
    let intent = *profile.get(67)? & 3;
    let mut header = vec![0; 8];
    header.extend([major, minor & 0xf0, 0, 0]);
    header.extend([class, space, connection, &[0; 12], b"acsp", &[0; 24], &[0, 0, 0, intent], &D50].concat());
    header.resize(HEADER_BYTES, 0);
    Some(header)
}

/// The kept tags with their places, in the order of [`KEPT`]. Places are inside the profile and behind its table; two
/// are the same or have nothing in common.
fn places(profile: &[u8]) -> Option<Vec<Place>> {
    let mut reader = Reader::new(profile.get(HEADER_BYTES..)?);
    let count = reader.u32_be().ok()?;
    if count > MAX_TAGS {
        return None;
    }
    let mut entries = Vec::new();
    for _ in 0..count {
        let name: [u8; 4] = reader.array().ok()?;
        let (offset, length) = (reader.u32_be().ok()?, reader.u32_be().ok()?);
        entries.push((name, usize::try_from(offset).ok()?, usize::try_from(length).ok()?));
    }
    let first = HEADER_BYTES + 4 + entries.len() * ENTRY_BYTES;
    let mut places: Vec<Place> = Vec::new();
    for (name, value) in KEPT {
        let Some(&(_, offset, length)) = entries.iter().find(|(entry, ..)| *entry == name) else { continue };
        let end = offset.checked_add(length)?;
        let is_apart = |other: &Place| {
            let is_same = (other.offset, other.length) == (offset, length);
            is_same || end <= other.offset || other.offset + other.length <= offset
        };
        if offset < first || end > profile.len() || !places.iter().all(is_apart) {
            return None;
        }
        places.push(Place { name, value, offset, length });
    }
    Some(places)
}

/// Header, table and values; equal values are stored once, as profiles do with the curves of three channels.
fn assemble(mut profile: Vec<u8>, tags: &[Tag]) -> Option<Vec<u8>> {
    let mut offsets: Vec<usize> = Vec::with_capacity(tags.len());
    let mut values = Vec::new();
    let first = HEADER_BYTES + 4 + tags.len() * ENTRY_BYTES;
    for (number, (_, value)) in tags.iter().enumerate() {
        let same = tags.iter().take(number).position(|(_, other)| other == value);
        let offset = same.and_then(|same| offsets.get(same).copied()).unwrap_or(first + values.len());
        if same.is_none() {
            values.extend_from_slice(value);
            pad(&mut values);
        }
        offsets.push(offset);
    }
    profile.extend(u32::try_from(tags.len()).ok()?.to_be_bytes());
    for ((name, value), offset) in tags.iter().zip(offsets) {
        profile.extend(name);
        profile.extend(u32::try_from(offset).ok()?.to_be_bytes());
        profile.extend(u32::try_from(value.len()).ok()?.to_be_bytes());
    }
    profile.append(&mut values);
    let length = u32::try_from(profile.len()).ok()?.to_be_bytes();
    profile.splice(..4, length);
    Some(profile)
}

fn value(kind: Value, tag: &[u8]) -> Option<Vec<u8>> {
    match (kind, tag.get(..4)?) {
        (Value::Xyz, b"XYZ ") => fixed(tag, 20),
        (Value::Matrix, b"sf32") => fixed(tag, 8 + 9 * 4),
        (Value::CodePoints, b"cicp") => fixed(tag, 12),
        (Value::Curve, _) => curve(tag),
        (Value::Table, b"mft1" | b"mft2") => old_table(tag),
        (Value::Table, b"mAB " | b"mBA ") => new_table(tag),
        _ => None,
    }
}

/// So many bytes of a value, the reserved ones zeroed.
fn fixed(tag: &[u8], length: usize) -> Option<Vec<u8>> {
    let mut value = tag.get(..length)?.to_vec();
    value.get_mut(4..8)?.fill(0);
    Some(value)
}

fn curve(tag: &[u8]) -> Option<Vec<u8>> {
    match tag.get(..4)? {
        b"curv" => {
            let count = u32::from_be_bytes(*tag.get(8..)?.first_chunk()?);
            fixed(tag, usize::try_from(count).ok()?.checked_mul(2)?.checked_add(12)?)
        }
        b"para" => {
            let kind = u16::from_be_bytes(*tag.get(8..)?.first_chunk()?);
            let parameters = *[1, 3, 4, 5, 7].get(usize::from(kind))?;
            let mut value = fixed(tag, 12 + 4 * parameters)?;
            value.get_mut(10..12)?.fill(0);
            Some(value)
        }
        _ => None,
    }
}

/// `lut8Type` and `lut16Type`: a matrix, input curves, a grid and output curves, of one or two bytes an entry.
fn old_table(tag: &[u8]) -> Option<Vec<u8>> {
    let mut reader = Reader::new(tag.get(8..)?);
    let [inputs, outputs, points, _] = reader.array::<4>().ok()?.map(u64::from);
    let has_words = tag.starts_with(b"mft2");
    let (start, width, before, after) = if has_words {
        reader.take(36).ok()?;
        (52, 2, u64::from(reader.u16_be().ok()?), u64::from(reader.u16_be().ok()?))
    } else {
        (48, 1, 256, 256)
    };
    let entries = before * inputs + grid(&[points; 4], inputs, outputs)? + after * outputs;
    let mut value = fixed(tag, usize::try_from(start + width * entries).ok()?)?;
    value.get_mut(11..12)?.fill(0);
    Some(value)
}

/// Entries of a grid with so many points a channel.
fn grid(points: &[u64], inputs: u64, outputs: u64) -> Option<u64> {
    if !(1..=4).contains(&inputs) || !(1..=4).contains(&outputs) {
        return None;
    }
    points.iter().take(usize::try_from(inputs).ok()?).try_fold(outputs, |entries, points| entries.checked_mul(*points))
}

/// `lutAToBType` and `lutBToAType`: curves, a matrix, curves, a grid and curves, each where its offset says.
fn new_table(tag: &[u8]) -> Option<Vec<u8>> {
    let mut reader = Reader::new(tag.get(8..)?);
    let [inputs, outputs, _, _] = reader.array().ok()?;
    let offsets = [(); 5].map(|()| reader.u32_be().ok());
    let (first, last) = if tag.starts_with(b"mAB ") { (inputs, outputs) } else { (outputs, inputs) };
    let mut value = tag.get(..4)?.to_vec();
    value.extend([0, 0, 0, 0, inputs, outputs, 0, 0]);
    value.resize(32, 0);
    for (number, offset) in offsets.into_iter().enumerate() {
        let offset = usize::try_from(offset?).ok()?;
        if offset == 0 {
            continue;
        }
        let element = tag.get(offset..)?;
        let mut element = match number {
            1 => element.get(..48)?.to_vec(),
            3 => grid_element(element, inputs, outputs)?,
            4 => curves(element, first)?,
            _ => curves(element, last)?,
        };
        let at = u32::try_from(value.len()).ok()?.to_be_bytes();
        value.splice(12 + 4 * number..16 + 4 * number, at);
        value.append(&mut element);
        // Elements may share bytes, within reason.
        if value.len() > 2 * tag.len() {
            return None;
        }
    }
    Some(value)
}

fn curves(mut element: &[u8], count: u8) -> Option<Vec<u8>> {
    let mut curves = Vec::new();
    for _ in 0..count {
        let curve = curve(element)?;
        element = element.get(curve.len().next_multiple_of(4)..).unwrap_or_default();
        curves.extend(curve);
        pad(&mut curves);
    }
    Some(curves)
}

fn grid_element(element: &[u8], inputs: u8, outputs: u8) -> Option<Vec<u8>> {
    let used = usize::from(inputs);
    let points = element.get(..16)?.iter().copied().map(u64::from).collect::<Vec<_>>();
    let width = *element.get(16)?;
    if !matches!(width, 1 | 2) {
        return None;
    }
    let entries = grid(&points, inputs.into(), outputs.into())?;
    let bytes = usize::try_from(entries.checked_mul(width.into())?).ok()?;
    let mut value = element.get(..used)?.to_vec();
    value.resize(16, 0);
    value.extend([width, 0, 0, 0]);
    value.extend_from_slice(element.get(20..bytes.checked_add(20)?)?);
    pad(&mut value);
    Some(value)
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

/// `textType`.
fn text(text: &str) -> Vec<u8> {
    [b"text\0\0\0\0", text.as_bytes(), b"\0"].concat()
}

/// `textDescriptionType`, without its Unicode and Macintosh forms.
fn description_v2(text: &str) -> Option<Vec<u8>> {
    let length = u32::try_from(text.len() + 1).ok()?.to_be_bytes();
    Some([b"desc\0\0\0\0", &length[..], text.as_bytes(), b"\0", &[0; 78]].concat())
}

/// `multiLocalizedUnicodeType`, in one language.
fn localized(text: &str) -> Option<Vec<u8>> {
    let units = text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<_>>();
    let length = u32::try_from(units.len()).ok()?.to_be_bytes();
    Some([b"mluc\0\0\0\0\0\0\0\x01\0\0\0\x0cenUS", &length[..], &[0, 0, 0, 28], &units].concat())
}
