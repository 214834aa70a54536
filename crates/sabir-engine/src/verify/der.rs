//! Just enough DER to look into a public key (RFC 5280, section 4.1: `SubjectPublicKeyInfo`).
//!
//! Invariant: what is not exactly that is nothing.

const SEQUENCE: u8 = 0x30;
const BIT_STRING: u8 = 0x03;
const OBJECT: u8 = 0x06;

/// What a public key says of itself.
#[derive(Debug, PartialEq)]
pub(super) struct Parts<'a> {
    /// The algorithm's name.
    pub(super) algorithm: &'a [u8],
    /// What the algorithm is told: a curve's name.
    pub(super) curve: Option<&'a [u8]>,
    pub(super) key: &'a [u8],
}

/// Takes a public key apart.
pub(super) fn public_key(der: &[u8]) -> Option<Parts<'_>> {
    let (whole, []) = value(der, SEQUENCE)? else { return None };
    let (head, rest) = value(whole, SEQUENCE)?;
    let (algorithm, parameters) = value(head, OBJECT)?;
    let curve = value(parameters, OBJECT).map(|(curve, _)| curve);
    match value(rest, BIT_STRING)? {
        // The first octet is the number of bits that do not count.
        ([0, key @ ..], []) => Some(Parts { algorithm, curve, key }),
        _ => None,
    }
}

/// The content of what stands first, if it is of this kind, and what stands behind it.
fn value(bytes: &[u8], kind: u8) -> Option<(&[u8], &[u8])> {
    let [first, length, rest @ ..] = bytes else { return None };
    if *first != kind {
        return None;
    }
    match usize::from(*length) {
        short @ 0..0x80 => rest.split_at_checked(short),
        long => {
            let (digits, rest) = rest.split_at_checked(long - 0x80)?;
            if !(1..=4).contains(&digits.len()) {
                return None;
            }
            rest.split_at_checked(digits.iter().fold(0, |all, digit| all << 8 | usize::from(*digit)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cut_off_or_wrong_is_nothing() {
        let key = [0x30, 0x0a, 0x30, 0x04, 0x06, 0x02, 1, 2, 0x03, 0x02, 0, 9];
        assert_eq!(public_key(&key), Some(Parts { algorithm: &[1, 2], curve: None, key: &[9] }));
        for at in 0..key.len() {
            assert_eq!(public_key(&key[..at]), None, "{at}");
        }
        for wrong in [&[0x30, 0x80][..], &[0x30, 0xff, 0xff], &[0x30, 0x85, 1, 1, 1, 1, 1], &[0x31, 0]] {
            assert_eq!(public_key(wrong), None);
        }
        let mut longer = key.to_vec();
        longer.push(0);
        assert_eq!(public_key(&longer), None);
    }
}
