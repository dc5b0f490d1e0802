//! Bits of a JPEG scan, the highest of a byte first, without the zeros that follow 0xFF.

/// Reads bits; behind the end there are zeros.
pub(super) struct BitReader<'a> {
    data: &'a [u8],
    /// The next byte that is not in the buffer.
    at: usize,
    buffer: u64,
    /// Bits in the buffer.
    count: u32,
}

impl<'a> BitReader<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self { data, at: 0, buffer: 0, count: 0 }
    }

    /// Makes at least 56 bits available.
    pub(super) fn refill(&mut self) {
        if let Some(bytes) = self.data.get(self.at..).and_then(|rest| rest.first_chunk()) {
            // The bits behind the last whole byte are the ones that come next: to set them again changes nothing.
            self.buffer |= u64::from_be_bytes(*bytes) >> self.count;
            let bytes = (63 - self.count) / 8;
            self.at += bytes as usize;
            self.count += bytes * 8;
            return;
        }
        while self.count <= 56 {
            let byte = self.data.get(self.at).copied().unwrap_or_default();
            self.buffer |= u64::from(byte) << (56 - self.count);
            self.at += 1;
            self.count += 8;
        }
    }

    /// The next bits, from 1 to 32, of those that are available.
    pub(super) fn peek(&self, bits: u32) -> u32 {
        u32::try_from(self.buffer >> (64 - bits)).unwrap_or(u32::MAX)
    }

    /// Passes so many of the available bits.
    pub(super) fn skip(&mut self, bits: u32) {
        self.buffer <<= bits;
        self.count -= bits;
    }

    /// Takes up to 16 bits of those that are available.
    pub(super) fn take(&mut self, bits: u32) -> u32 {
        if bits == 0 {
            return 0;
        }
        let value = self.peek(bits);
        self.skip(bits);
        value
    }

    /// Passes any number of bits.
    pub(super) fn skip_far(&mut self, mut bits: u32) {
        while bits > 0 {
            self.refill();
            let some = bits.min(32);
            self.skip(some);
            bits -= some;
        }
    }

    /// Bits that were passed.
    pub(super) fn position(&self) -> usize {
        self.at * 8 - self.count as usize
    }

    /// Whether bits were passed that are not there.
    pub(super) fn is_over(&self) -> bool {
        self.position() > self.data.len() * 8
    }
}

/// Writes bits behind those of another scan.
pub(super) struct BitWriter {
    bytes: Vec<u8>,
    /// Bits of the last byte that are taken; 8 if all are.
    used: u32,
}

impl BitWriter {
    /// With the first bits of the data.
    pub(super) fn new(data: &[u8], bits: usize) -> Self {
        let bytes = data.get(..bits.div_ceil(8)).unwrap_or(data).to_vec();
        let used = u32::try_from(bits % 8).unwrap_or_default();
        let mut writer = Self { bytes, used: if used == 0 { 8 } else { used } };
        let kept = writer.used;
        // Bits that were not wanted.
        writer.bytes.last_mut().into_iter().for_each(|last| *last &= u8::MAX << (8 - kept));
        writer
    }

    pub(super) fn put(&mut self, value: u32, bits: u32) {
        for bit in (0..bits).rev() {
            if self.used == 8 {
                self.bytes.push(0);
                self.used = 0;
            }
            let value = u8::from(value >> bit & 1 == 1) << (7 - self.used);
            self.bytes.last_mut().into_iter().for_each(|last| *last |= value);
            self.used += 1;
        }
    }

    /// The bytes as they are stored: filled up with ones, and with a zero behind each 0xFF.
    pub(super) fn finish(mut self, out: &mut Vec<u8>) {
        let used = self.used;
        if used < 8 {
            self.bytes.last_mut().into_iter().for_each(|last| *last |= u8::MAX >> used);
        }
        let mut rest = &self.bytes[..];
        while let Some(at) = rest.iter().position(|byte| *byte == u8::MAX) {
            let (taken, left) = rest.split_at(at + 1);
            out.extend_from_slice(taken);
            out.push(0);
            rest = left;
        }
        out.extend_from_slice(rest);
    }
}
