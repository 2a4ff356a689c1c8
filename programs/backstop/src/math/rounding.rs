//! Multiplication and division with the direction of rounding in the call, and the square root.
//!
//! On SBPF a wide multiplication costs about 20 CU and a 128-bit division several times as much,
//! so every division here first tries to be a 64-bit one.

/// Basis points in one whole.
pub const BPS: u64 = 10_000;

/// Which way a quotient goes when it is not a whole number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// To the next whole number below.
    Down,
    /// To the next whole number above.
    Up,
}

/// `a * b`, exactly: the product of two 64-bit numbers always fits.
///
/// Written out in halves of 32 bits, since SBPF has no such product: the compiler's own takes twice as much.
#[inline]
pub fn wide(a: u64, b: u64) -> u128 {
    const HALF: u64 = 0xffff_ffff;
    let (a_low, a_high, b_low, b_high) = (a & HALF, a >> 32, b & HALF, b >> 32);
    // None of these can overflow: (2^32 - 1)^2 leaves room for two more halves.
    let low = a_low.wrapping_mul(b_low);
    let cross = a_high.wrapping_mul(b_low).wrapping_add(low >> 32);
    let middle = a_low.wrapping_mul(b_high).wrapping_add(cross & HALF);
    let high = a_high.wrapping_mul(b_high).wrapping_add(cross >> 32).wrapping_add(middle >> 32);
    u128::from(high) << 64 | u128::from(middle << 32 | low & HALF)
}

/// A product of [`wide`] in 64 bits, if it fits: less than half of what the compiler's own checked product takes.
#[inline]
pub fn narrow(product: u128) -> Option<u64> {
    u64::try_from(product).ok()
}

/// `n * m`. `None` if it does not fit. Cheaper than the general 128-bit product with its check.
#[inline]
pub fn scale(n: u128, m: u64) -> Option<u128> {
    let (low, high) = halves(n);
    let low = wide(low, m);
    if high == 0 {
        return Some(low);
    }
    let high = u128::from(high.checked_mul(m)?) << 64;
    high.checked_add(low)
}

/// `n / d`, rounded as asked. `None` if `d` is 0.
#[inline]
pub fn div(n: u128, d: u64, rounding: Rounding) -> Option<u128> {
    // Up is `(n - 1) / d + 1`, which no `n` overflows; only 0 needs a case of its own.
    let (n, up) = match rounding {
        Rounding::Up if n != 0 => (n.saturating_sub(1), 1),
        _ => (n, 0),
    };
    let (low, high) = halves(n);
    let quotient = match high {
        0 => u128::from(low.checked_div(d)?),
        _ if high < d => u128::from(div_halves(high, low, d)?),
        _ => n.checked_div(u128::from(d))?,
    };
    Some(quotient.saturating_add(up))
}

/// `(high * 2^64 + low) / d`, rounded down, for `high < d`, where the quotient fits 64 bits: in two digits of 32 bits, each
/// guessed by the divisor's upper half and put right (Knuth, The Art of Computer Programming, 4.3.1, algorithm D). On SBPF
/// the compiler's own division takes several times as much.
#[inline(never)]
fn div_halves(high: u64, low: u64, d: u64) -> Option<u64> {
    const HALF: u64 = 0xffff_ffff;
    // With its highest bit set a divisor's upper half guesses a digit too high by two at most.
    let shift = d.leading_zeros();
    let d = d.wrapping_shl(shift);
    let (d_high, d_low) = (d >> 32, d & HALF);
    let carried = if shift == 0 { 0 } else { low.wrapping_shr(64u32.wrapping_sub(shift)) };
    let rest = high.wrapping_shl(shift) | carried;
    let low = low.wrapping_shl(shift);
    // The digit of `rest * 2^32 + next`, which is below `d * 2^32`, and what it leaves.
    let digit = |rest: u64, next: u64| -> Option<(u64, u64)> {
        let mut digit = rest.checked_div(d_high)?;
        let mut over = rest.wrapping_sub(digit.wrapping_mul(d_high));
        while digit > HALF || digit.wrapping_mul(d_low) > (over << 32 | next) {
            digit = digit.wrapping_sub(1);
            over = over.wrapping_add(d_high);
            if over > HALF {
                break;
            }
        }
        Some((digit, (rest << 32 | next).wrapping_sub(digit.wrapping_mul(d))))
    };
    let (first, rest) = digit(rest, low >> 32)?;
    let (second, _) = digit(rest, low & HALF)?;
    Some(first << 32 | second)
}

/// `a * b / d`, rounded as asked, with the product in 128 bits. `None` if `d` is 0 or the quotient
/// does not fit.
#[inline]
pub fn mul_div(a: u64, b: u64, d: u64, rounding: Rounding) -> Option<u64> {
    u64::try_from(div(wide(a, b), d, rounding)?).ok()
}

/// The square root, rounded up: the smallest `r` with `r * r >= n`.
#[inline]
pub fn isqrt_up(n: u128) -> u128 {
    let root = n.isqrt();
    // The root of a `u128` is below 2^64: its square fits, and so does the next number.
    if root.saturating_mul(root) == n { root } else { root.saturating_add(1) }
}

/// The low and the high 64 bits of `n`.
#[inline]
#[allow(clippy::cast_possible_truncation)] // The two halves together keep every bit.
pub fn halves(n: u128) -> (u64, u64) {
    (n as u64, (n >> 64) as u64)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn rounding_goes_where_it_is_told() {
        assert_eq!(mul_div(7, 3, 2, Rounding::Down), Some(10));
        assert_eq!(mul_div(7, 3, 2, Rounding::Up), Some(11));
        assert_eq!(mul_div(8, 3, 2, Rounding::Down), Some(12));
        assert_eq!(mul_div(8, 3, 2, Rounding::Up), Some(12));
        assert_eq!(mul_div(0, 3, 2, Rounding::Up), Some(0));
    }

    #[test]
    fn a_product_beyond_64_bits_is_exact() {
        assert_eq!(mul_div(u64::MAX, u64::MAX, u64::MAX, Rounding::Down), Some(u64::MAX));
        assert_eq!(mul_div(u64::MAX, u64::MAX, u64::MAX, Rounding::Up), Some(u64::MAX));
        // (2^64 - 1)(2^64 - 2) / (2^64 - 1)
        assert_eq!(mul_div(u64::MAX, u64::MAX - 1, u64::MAX, Rounding::Up), Some(u64::MAX - 1));
        assert_eq!(wide(u64::MAX, u64::MAX), 340_282_366_920_938_463_426_481_119_284_349_108_225);
    }

    #[test]
    fn a_wide_product_is_the_product() {
        let edges = [0, 1, 2, 0xffff_ffff, 1 << 32, (1 << 32) + 1, 0x8000_0000_8000_0000, u64::MAX - 1, u64::MAX];
        for a in edges {
            for b in edges {
                assert_eq!(wide(a, b), u128::from(a) * u128::from(b), "{a} * {b}");
            }
        }
    }

    #[test]
    fn a_quotient_in_halves_is_the_quotient() {
        let edges = [
            1,
            2,
            3,
            0xffff_fffe,
            0xffff_ffff,
            1 << 32,
            (1 << 32) + 1,
            1 << 62,
            (1 << 63) - 1,
            1 << 63,
            (1 << 63) + 1,
            0x8000_0000_ffff_ffff,
            0xffff_ffff_0000_0000,
            0xffff_ffff_0000_0001,
            u64::MAX - 1,
            u64::MAX,
        ];
        let mut numbers = edges.to_vec();
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        for _ in 0..200 {
            (random, _) = (random ^ random << 13, 0);
            random ^= random >> 7;
            random ^= random << 17;
            numbers.push(random >> (random % 60));
        }
        for &d in &numbers {
            for &high in &numbers {
                for &low in edges.iter().chain([&0, &high, &d]) {
                    let n = u128::from(high) << 64 | u128::from(low);
                    let down = n / u128::from(d);
                    assert_eq!(div(n, d, Rounding::Down), Some(down), "{n} / {d}");
                    assert_eq!(div(n, d, Rounding::Up), Some(n.div_ceil(u128::from(d))), "{n} / {d}");
                }
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_none() {
        assert_eq!(mul_div(1, 1, 0, Rounding::Down), None);
        assert_eq!(mul_div(0, 0, 0, Rounding::Up), None);
        assert_eq!(mul_div(u64::MAX, 2, 1, Rounding::Down), None);
        // Fits only when rounded down: (2^64 - 1) * 3 / 3 and a bit.
        assert_eq!(mul_div(1 << 63, 5, 2, Rounding::Down), None);
        assert_eq!(div(1, 0, Rounding::Up), None);
        assert_eq!(div(u128::MAX, 0, Rounding::Down), None);
        assert_eq!(div(u128::MAX, 1, Rounding::Up), Some(u128::MAX));
    }

    #[test]
    fn the_square_root_is_the_smallest_that_is_enough() {
        for (n, root) in [(0, 0), (1, 1), (2, 2), (4, 2), (5, 3), (99, 10), (100, 10), (101, 11)] {
            assert_eq!(isqrt_up(n), root, "{n}");
        }
        let largest = u128::from(u64::MAX);
        assert_eq!(isqrt_up(largest * largest), largest);
        assert_eq!(isqrt_up(largest * largest + 1), 1 << 64);
        assert_eq!(isqrt_up(u128::MAX), 1 << 64);
    }

    #[test]
    fn scaling_fits_or_is_refused() {
        assert_eq!(scale(u128::MAX / 3, 3), Some(u128::MAX));
        assert_eq!(scale(u128::MAX / 3 + 1, 3), None);
        assert_eq!(scale(u128::MAX, 1), Some(u128::MAX));
        assert_eq!(scale(u128::MAX, 0), Some(0));
        assert_eq!(scale(1 << 64, u64::MAX), Some(u128::MAX - u128::from(u64::MAX)));
    }

    #[test]
    fn halves_keep_every_bit() {
        assert_eq!(halves((7 << 64) | 9), (9, 7));
        assert_eq!(halves(u128::MAX), (u64::MAX, u64::MAX));
    }
}
