//! The checksums of other tools. Each is computed from the text of the old file, as its tool does.

use std::fmt::Write;

use sha2::{Digest, Sha384};

/// The checksum of sqlx: the SHA-384 of the bytes of the file.
pub(super) fn sha384(text: &str) -> String {
    let mut digits = String::with_capacity(96);
    for byte in Sha384::digest(text.as_bytes()) {
        // Writing to a String cannot fail.
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

/// The checksum of Flyway: the CRC-32 of the lines without their ends, as a signed number. A byte
/// order mark does not count.
pub(super) fn crc32_of_lines(text: &str) -> String {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let bytes = text.bytes().filter(|byte| !matches!(byte, b'\r' | b'\n'));
    crc32(bytes).cast_signed().to_string()
}

/// Returns the number of the lock that sqlx takes while it migrates a database.
#[must_use]
pub fn sqlx_lock_id(database: &str) -> i64 {
    0x3d32_ad9e * i64::from(crc32(database.bytes()))
}

fn crc32(bytes: impl Iterator<Item = u8>) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

/// The checksums that refinery may have recorded: the SipHash-1-3 of name, version and text, with a
/// version of 32 bits, and with one of 64 bits (its feature `int8-versions`).
pub(super) fn refinery(name: &str, version: i64, text: &str) -> Vec<String> {
    let hash = |version: &[u8]| {
        let mut bytes = Vec::with_capacity(name.len() + text.len() + 10);
        bytes.extend(name.bytes().chain([0xff]));
        bytes.extend(version);
        bytes.extend(text.bytes().chain([0xff]));
        sip_hash_1_3(&bytes).to_string()
    };
    let short = i32::try_from(version).ok().map(|version| hash(&version.to_le_bytes()));
    short.into_iter().chain([hash(&version.to_le_bytes())]).collect()
}

/// SipHash with one round for each word and three at the end, and a key of zeros.
fn sip_hash_1_3(bytes: &[u8]) -> u64 {
    let mut state = [
        0x736f_6d65_7073_6575_u64,
        0x646f_7261_6e64_6f6d,
        0x6c79_6765_6e65_7261,
        0x7465_6462_7974_6573,
    ];
    let (words, rest) = bytes.as_chunks::<8>();
    let mut last = [0; 8];
    for (to, from) in last.iter_mut().zip(rest) {
        *to = *from;
    }
    let [.., top] = &mut last;
    *top = bytes.len().to_le_bytes()[0];
    for word in words.iter().chain([&last]) {
        let word = u64::from_le_bytes(*word);
        state[3] ^= word;
        sip_round(&mut state);
        state[0] ^= word;
    }
    state[2] ^= 0xff;
    for _ in 0..3 {
        sip_round(&mut state);
    }
    state.into_iter().fold(0, |hash, word| hash ^ word)
}

fn sip_round([a, b, c, d]: &mut [u64; 4]) {
    *a = a.wrapping_add(*b);
    *b = b.rotate_left(13) ^ *a;
    *a = a.rotate_left(32);
    *c = c.wrapping_add(*d);
    *d = d.rotate_left(16) ^ *c;
    *a = a.wrapping_add(*d);
    *d = d.rotate_left(21) ^ *a;
    *c = c.wrapping_add(*b);
    *b = b.rotate_left(17) ^ *c;
    *c = c.rotate_left(32);
}

#[cfg(test)]
mod tests {
    use std::hash::Hasher;

    use super::*;

    #[test]
    fn the_checksum_of_flyway_ignores_line_ends() {
        // The check value of the CRC-32 is cbf43926.
        assert_eq!(crc32_of_lines("123456789"), (0xcbf4_3926_u32.cast_signed()).to_string());
        assert_eq!(crc32_of_lines("\u{feff}1234\r\n567\r89\n"), crc32_of_lines("123456789"));
    }

    #[test]
    fn the_checksum_of_refinery_is_the_hash_of_std() {
        for text in ["", "1234567", "12345678", "a longer text, with ü and more than two words"] {
            // Its algorithm is not promised, but it is this one since refinery exists.
            let mut hasher = std::hash::DefaultHasher::new();
            hasher.write(text.as_bytes());
            assert_eq!(sip_hash_1_3(text.as_bytes()), hasher.finish(), "{text}");
        }
    }

    #[test]
    fn the_checksum_of_sqlx_is_a_sha_384() {
        assert!(sha384("").starts_with("38b060a751ac96384cd9327eb1b1e36a21fdb71114be0743"));
    }
}
