//! SHA-256, in plain arithmetic.
//!
//! The macro is compiled without optimisation in its user's build. There a
//! library for every processor costs four times as much as this file: each
//! rotation, each intrinsic is a call. So the rounds are written out, each value
//! has a name of its own, and a rotation is two shifts by constants.

const START: [u32; 8] = [
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
];

const ROUNDS: [[u32; 16]; 4] = [
    [
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
        0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
        0x9bdc06a7, 0xc19bf174,
    ],
    [
        0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc,
        0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
        0x06ca6351, 0x14292967,
    ],
    [
        0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e,
        0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624,
        0xf40e3585, 0x106aa070,
    ],
    [
        0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
        0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb,
        0xbef9a3f7, 0xc67178f2,
    ],
];

/// The digest of a text.
pub(crate) fn digest(text: &[u8]) -> [u8; 32] {
    let (blocks, rest) = text.as_chunks();
    let state = blocks.iter().fold(START, block);
    let (tail, blocks) = tail(rest, text.len());
    let state = tail.iter().take(blocks).fold(state, block);
    let mut digest = [0; 32];
    for (bytes, word) in digest.as_chunks_mut().0.iter_mut().zip(state) {
        *bytes = word.to_be_bytes();
    }
    digest
}

/// What stands behind the last whole block, padded with the length; and how many blocks it takes.
fn tail(rest: &[u8], length: usize) -> ([[u8; 64]; 2], usize) {
    let mut tail = [[0; 64]; 2];
    let (text, padding) = tail.as_flattened_mut().split_at_mut(rest.len());
    text.copy_from_slice(rest);
    if let Some(mark) = padding.first_mut() {
        *mark = 0x80;
    }
    let blocks = if rest.len() < 56 { 1 } else { 2 };
    let bits = length as u64 * 8;
    if let Some(end) = tail.get_mut(blocks - 1).and_then(|block| block.last_chunk_mut()) {
        *end = bits.to_be_bytes();
    }
    (tail, blocks)
}

macro_rules! word {
    ($bytes:ident) => {{
        let [a, b, c, d] = *$bytes;
        u32::from(a) << 24 | u32::from(b) << 16 | u32::from(c) << 8 | u32::from(d)
    }};
}

fn block(state: [u32; 8], block: &[u8; 64]) -> [u32; 8] {
    let (bytes, _) = block.as_chunks();
    let [b0, b1, b2, b3, b4, b5, b6, b7, b8, b9, ba, bb, bc, bd, be, bf] = bytes else {
        return state;
    };
    let mut words = [
        word!(b0),
        word!(b1),
        word!(b2),
        word!(b3),
        word!(b4),
        word!(b5),
        word!(b6),
        word!(b7),
        word!(b8),
        word!(b9),
        word!(ba),
        word!(bb),
        word!(bc),
        word!(bd),
        word!(be),
        word!(bf),
    ];
    let [first, others @ ..] = &ROUNDS;
    let mut stirred = rounds(state, first, words);
    for constants in others {
        words = schedule(words);
        stirred = rounds(stirred, constants, words);
    }
    let [a, b, c, d, e, f, g, h] = stirred;
    let [p, q, r, s, t, u, v, w] = state;
    [
        a.wrapping_add(p),
        b.wrapping_add(q),
        c.wrapping_add(r),
        d.wrapping_add(s),
        e.wrapping_add(t),
        f.wrapping_add(u),
        g.wrapping_add(v),
        h.wrapping_add(w),
    ]
}

macro_rules! turned {
    ($x:ident, $right:literal $left:literal) => {
        ($x >> $right | $x << $left)
    };
}

macro_rules! round {
    ($a:ident $b:ident $c:ident $d:ident $e:ident $f:ident $g:ident $h:ident $k:ident $w:ident) => {
        let sum = turned!($e, 6 26) ^ turned!($e, 11 21) ^ turned!($e, 25 7);
        let choice = $g ^ ($e & ($f ^ $g));
        let one = $h.wrapping_add(sum).wrapping_add(choice).wrapping_add($k).wrapping_add($w);
        let sum = turned!($a, 2 30) ^ turned!($a, 13 19) ^ turned!($a, 22 10);
        let majority = ($a & $b) ^ ($c & ($a ^ $b));
        let $d = $d.wrapping_add(one);
        let $h = one.wrapping_add(sum).wrapping_add(majority);
    };
}

fn rounds(state: [u32; 8], constants: &[u32; 16], words: [u32; 16]) -> [u32; 8] {
    let [a, b, c, d, e, f, g, h] = state;
    let [k0, k1, k2, k3, k4, k5, k6, k7, k8, k9, ka, kb, kc, kd, ke, kf] = *constants;
    let [w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, wa, wb, wc, wd, we, wf] = words;
    round!(a b c d e f g h k0 w0);
    round!(h a b c d e f g k1 w1);
    round!(g h a b c d e f k2 w2);
    round!(f g h a b c d e k3 w3);
    round!(e f g h a b c d k4 w4);
    round!(d e f g h a b c k5 w5);
    round!(c d e f g h a b k6 w6);
    round!(b c d e f g h a k7 w7);
    round!(a b c d e f g h k8 w8);
    round!(h a b c d e f g k9 w9);
    round!(g h a b c d e f ka wa);
    round!(f g h a b c d e kb wb);
    round!(e f g h a b c d kc wc);
    round!(d e f g h a b c kd wd);
    round!(c d e f g h a b ke we);
    round!(b c d e f g h a kf wf);
    [a, b, c, d, e, f, g, h]
}

macro_rules! stir {
    ($w:ident $next:ident $middle:ident $last:ident) => {
        let near = turned!($next, 7 25) ^ turned!($next, 18 14) ^ ($next >> 3);
        let far = turned!($last, 17 15) ^ turned!($last, 19 13) ^ ($last >> 10);
        let $w = $w.wrapping_add(near).wrapping_add($middle).wrapping_add(far);
    };
}

/// The words of the next sixteen rounds.
fn schedule(words: [u32; 16]) -> [u32; 16] {
    let [w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, wa, wb, wc, wd, we, wf] = words;
    stir!(w0 w1 w9 we);
    stir!(w1 w2 wa wf);
    stir!(w2 w3 wb w0);
    stir!(w3 w4 wc w1);
    stir!(w4 w5 wd w2);
    stir!(w5 w6 we w3);
    stir!(w6 w7 wf w4);
    stir!(w7 w8 w0 w5);
    stir!(w8 w9 w1 w6);
    stir!(w9 wa w2 w7);
    stir!(wa wb w3 w8);
    stir!(wb wc w4 w9);
    stir!(wc wd w5 wa);
    stir!(wd we w6 wb);
    stir!(we wf w7 wc);
    stir!(wf w0 w8 wd);
    [w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, wa, wb, wc, wd, we, wf]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn every_length_around_a_block_is_padded_right() {
        for length in 0..=260 {
            let text: Vec<u8> = (0..length).map(|n| (n * 7) as u8).collect();
            assert_eq!(digest(&text), <[u8; 32]>::from(Sha256::digest(&text)), "{length}");
        }
    }

    #[test]
    fn a_million_letters_have_the_digest_of_the_standard() {
        let hex: String =
            digest(&[b'a'; 1_000_000]).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    }

    proptest! {
        #[test]
        fn random_texts_have_the_digest_of_another_implementation(text in prop::collection::vec(any::<u8>(), 0..2000)) {
            prop_assert_eq!(digest(&text), <[u8; 32]>::from(Sha256::digest(&text)));
        }
    }
}
