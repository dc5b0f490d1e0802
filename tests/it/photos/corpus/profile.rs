//! ICC profiles: where they are in a file, and tag by tag.

use std::io::Read as _;

use flate2::read::ZlibDecoder;

/// The profile of a clean image.
pub fn of(file: &[u8]) -> Vec<u8> {
    let found = |name: &[u8]| file.windows(name.len()).position(|bytes| bytes == name);
    if file.starts_with(b"\x89PNG") {
        let start = found(b"iCCPICC\0\0").expect("a profile") + 9;
        let mut profile = Vec::new();
        ZlibDecoder::new(&file[start..]).read_to_end(&mut profile).expect("a stream");
        return profile;
    }
    let start = if file.starts_with(b"RIFF") {
        found(b"ICCP").expect("a profile") + 8
    } else {
        found(b"ICC_PROFILE\0\x01\x01").expect("a profile in one piece") + 14
    };
    let length = u32::from_be_bytes(file[start..start + 4].try_into().expect("four bytes"));
    file[start..start + length as usize].to_vec()
}

/// A profile of these tags; each has its value for itself.
pub fn profile(header: &[u8], tags: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let mut table = u32::try_from(tags.len()).expect("few tags").to_be_bytes().to_vec();
    let mut values = Vec::new();
    for (name, value) in tags {
        let offset = 132 + 12 * tags.len() + values.len();
        table.extend(*name);
        table.extend(u32::try_from(offset).expect("a short profile").to_be_bytes());
        table.extend(u32::try_from(value.len()).expect("a short tag").to_be_bytes());
        values.extend_from_slice(value);
        values.resize(values.len().next_multiple_of(4), 0);
    }
    let mut profile = [&header[..128], &table, &values].concat();
    let length = u32::try_from(profile.len()).expect("a short profile").to_be_bytes();
    profile[..4].copy_from_slice(&length);
    profile
}

/// The tags of a profile with their values.
pub fn tags(profile: &[u8]) -> Vec<([u8; 4], Vec<u8>)> {
    let number = |at: usize| u32::from_be_bytes(profile[at..at + 4].try_into().expect("four bytes")) as usize;
    let entry = |entry: usize| {
        let at = 132 + 12 * entry;
        let (offset, length) = (number(at + 4), number(at + 8));
        (profile[at..at + 4].try_into().expect("four bytes"), profile[offset..offset + length].to_vec())
    };
    (0..number(128)).map(entry).collect()
}

/// The value of a tag.
pub fn value(profile: &[u8], name: &[u8; 4]) -> Option<Vec<u8>> {
    tags(profile).into_iter().find(|(tag, _)| tag == name).map(|(_, value)| value)
}
