//! Values as bytes, for what this program puts aside and takes up again itself.

/// Appends values to bytes.
#[derive(Debug, Default)]
pub(super) struct Packer(Vec<u8>);

impl Packer {
    /// Returns what was packed.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Forgets what was packed, and keeps the room for more.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Puts other bytes in place of the first.
    pub(super) fn overwrite(&mut self, first: &[u8]) {
        self.0[..first.len()].copy_from_slice(first);
    }

    /// Appends bytes whose length is known to whoever unpacks them.
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Appends a number, seven bits a byte: most are small.
    pub(super) fn number(&mut self, number: impl Into<u64>) {
        let mut rest = number.into();
        while rest > 0x7f {
            self.0.push(rest.to_le_bytes()[0] | 0x80);
            rest >>= 7;
        }
        self.0.push(rest.to_le_bytes()[0]);
    }

    pub(super) fn length(&mut self, length: usize) {
        self.number(length as u64);
    }

    pub(super) fn signed(&mut self, number: i32) {
        self.number(number.cast_unsigned());
    }

    pub(super) fn text(&mut self, text: &str) {
        self.length(text.len());
        self.raw(text.as_bytes());
    }
}

/// Takes values from bytes in the order in which they were packed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unpacker<'b>(&'b [u8]);

impl<'b> Unpacker<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Self {
        Self(bytes)
    }

    /// Returns what is left.
    pub(super) fn rest(self) -> &'b [u8] {
        self.0
    }

    pub(super) fn raw(&mut self, length: usize) -> &'b [u8] {
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken
    }

    pub(super) fn number(&mut self) -> u64 {
        let (mut number, mut shift) = (0, 0);
        loop {
            let byte = self.raw(1)[0];
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return number;
            }
            shift += 7;
        }
    }

    pub(super) fn length(&mut self) -> usize {
        usize::try_from(self.number()).expect("a length that was packed")
    }

    pub(super) fn small(&mut self) -> u32 {
        u32::try_from(self.number()).expect("a small number that was packed")
    }

    pub(super) fn signed(&mut self) -> i32 {
        self.small().cast_signed()
    }

    pub(super) fn text(&mut self) -> &'b str {
        let length = self.length();
        std::str::from_utf8(self.raw(length)).expect("a text that was packed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_back() {
        let mut packer = Packer::default();
        let numbers = [
            0,
            1,
            0x7f,
            0x80,
            0x3fff,
            0x4000,
            u64::from(u32::MAX),
            u64::MAX,
        ];
        for number in numbers {
            packer.number(number);
        }
        for number in [0, -1, i32::MIN, i32::MAX] {
            packer.signed(number);
        }
        packer.text("");
        packer.text("ü\0");
        packer.raw(b"raw");
        let mut unpacker = Unpacker::new(packer.bytes());
        assert_eq!(numbers, numbers.map(|_| unpacker.number()));
        let signed: Vec<i32> = (0..4).map(|_| unpacker.signed()).collect();
        assert_eq!(signed, [0, -1, i32::MIN, i32::MAX]);
        assert_eq!((unpacker.text(), unpacker.text()), ("", "ü\0"));
        assert_eq!(unpacker.rest(), b"raw");
    }
}
