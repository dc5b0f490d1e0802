//! EXIF as cameras write it: orientation, owner, place and a note of the maker, all of them secrets but the first.

use super::SECRET;

/// A block with everything in it.
pub fn block(orientation: u8, large_first: bool) -> Vec<u8> {
    let short = |value: u16| if large_first { value.to_be_bytes() } else { value.to_le_bytes() };
    let long = |value: u32| if large_first { value.to_be_bytes() } else { value.to_le_bytes() };
    let secret = format!("{SECRET}\0");
    let length = u32::try_from(secret.len()).expect("a short secret");
    let entry = |tag: u16, kind: u16, count: u32, value: [u8; 4]| {
        [&short(tag)[..], &short(kind)[..], &long(count)[..], &value[..]].concat()
    };
    // Header, five entries and the next directory's place; then the secret; then the place.
    let (ascii, gps) = (8 + 2 + 5 * 12 + 4, 8 + 2 + 5 * 12 + 4 + length);
    let mut number = [0; 4];
    number[..2].copy_from_slice(&short(orientation.into()));
    let mut block = [if large_first { &b"MM\0*"[..] } else { &b"II*\0"[..] }, &long(8)[..], &short(5)[..]].concat();
    block.extend(entry(0x010e, 2, length, long(ascii)));
    block.extend(entry(0x0112, 3, 1, number));
    block.extend(entry(0x013b, 2, length, long(ascii)));
    block.extend(entry(0x8298, 2, length, long(ascii)));
    block.extend(entry(0x8825, 4, 1, long(gps)));
    block.extend(long(0));
    block.extend(secret.bytes());
    block.extend(short(3));
    block.extend(entry(1, 2, 2, *b"N\0\0\0"));
    block.extend(entry(2, 5, 3, long(gps + 2 + 3 * 12 + 4)));
    block.extend(entry(0x1b, 7, length, long(ascii)));
    block.extend(long(0));
    for value in [52, 1, 31, 1, 12, 1] {
        block.extend(long(value));
    }
    block
}

/// XMP with a place.
pub fn xmp() -> Vec<u8> {
    format!(
        "<?xpacket begin=''?><x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF \
         xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'><rdf:Description \
         xmlns:dc='http://purl.org/dc/elements/1.1/' dc:source='{SECRET}'/></rdf:RDF></x:xmpmeta><?xpacket end='w'?>"
    )
    .into_bytes()
}
