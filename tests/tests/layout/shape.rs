//! How a type is filled, measured and written down.

use anchor_lang::prelude::Pubkey;
use anchor_lang::{AnchorSerialize, Discriminator};
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// Counts bytes up.
#[derive(Default)]
pub struct Fill(u8);

impl Fill {
    /// The next bytes of the count, which leaves 0 out.
    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| {
            self.0 = self.0.checked_add(1).unwrap_or(1);
            self.0
        })
    }
}

/// What can be filled with the count.
pub trait Pattern {
    /// A value whose bytes are the next of the count.
    fn pattern(fill: &mut Fill) -> Self;
}

macro_rules! numbers {
    ($($type:ty),*) => {$(
        impl Pattern for $type {
            fn pattern(fill: &mut Fill) -> Self {
                Self::from_le_bytes(fill.bytes())
            }
        }
    )*};
}

numbers!(u8, u16, u32, u64, u128, i32, i64);

impl Pattern for bool {
    fn pattern(_: &mut Fill) -> Self {
        true
    }
}

impl Pattern for Pubkey {
    fn pattern(fill: &mut Fill) -> Self {
        Self::new_from_array(fill.bytes())
    }
}

impl Pattern for String {
    fn pattern(_: &mut Fill) -> Self {
        "text".into()
    }
}

impl<T: Pattern> Pattern for Vec<T> {
    fn pattern(fill: &mut Fill) -> Self {
        vec![T::pattern(fill), T::pattern(fill)]
    }
}

impl<T: Pattern, const N: usize> Pattern for [T; N] {
    fn pattern(fill: &mut Fill) -> Self {
        std::array::from_fn(|_| T::pattern(fill))
    }
}

/// A field: its name, where it begins in the type, and how long it is.
pub type Field = (&'static str, usize, usize);

/// A structure whose bytes are fixed.
pub trait Shaped: Pattern {
    /// Its name.
    const NAME: &'static str;
    /// Its fields in a filled value.
    fn fields(&self) -> Vec<Field>;
    /// The bytes of a filled value.
    fn bytes(&self) -> Vec<u8>;
}

/// Bytes of a value in Borsh.
pub fn borsh(value: &impl AnchorSerialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    value.serialize(&mut bytes).expect("a vector grows");
    bytes
}

/// Structures that are written in Borsh, with their fields in order.
macro_rules! borsh_layout {
    ($($type:ident { $($field:ident),* $(,)? })*) => {$(
        impl $crate::layout::shape::Pattern for $type {
            fn pattern(_fill: &mut $crate::layout::shape::Fill) -> Self {
                $type { $($field: $crate::layout::shape::Pattern::pattern(_fill)),* }
            }
        }

        impl $crate::layout::shape::Shaped for $type {
            const NAME: &'static str = stringify!($type);

            fn fields(&self) -> Vec<$crate::layout::shape::Field> {
                let mut offset = 0;
                let lengths = vec![$((stringify!($field), $crate::layout::shape::borsh(&self.$field).len())),*];
                let place = |(name, length)| {
                    offset += length;
                    (name, offset - length, length)
                };
                lengths.into_iter().map(place).collect()
            }

            fn bytes(&self) -> Vec<u8> {
                $crate::layout::shape::borsh(self)
            }
        }
    )*};
}

/// The same, and a function with the page of each.
macro_rules! borsh_pages {
    ($all:ident by $page:ident; $($type:ident { $($field:ident),* $(,)? })*) => {
        $crate::layout::shape::borsh_layout! { $($type { $($field),* })* }

        /// Every one with its page.
        pub fn $all() -> Vec<(&'static str, String)> {
            vec![$($page::<$type>()),*]
        }
    };
}

/// Structures that are read in place, with their fields in order.
macro_rules! zero_copy_layout {
    ($($type:ident { $($field:ident),* $(,)? })*) => {$(
        impl $crate::layout::shape::Pattern for $type {
            fn pattern(fill: &mut $crate::layout::shape::Fill) -> Self {
                $type { $($field: $crate::layout::shape::Pattern::pattern(fill)),* }
            }
        }

        impl $crate::layout::shape::Shaped for $type {
            const NAME: &'static str = stringify!($type);

            fn fields(&self) -> Vec<$crate::layout::shape::Field> {
                vec![$((stringify!($field), std::mem::offset_of!($type, $field), size_of_val(&self.$field))),*]
            }

            fn bytes(&self) -> Vec<u8> {
                bytemuck::bytes_of(self).to_vec()
            }
        }
    )*};
}

/// The same, and a function with the page of each.
macro_rules! zero_copy_pages {
    ($all:ident by $page:ident; $($type:ident { $($field:ident),* $(,)? })*) => {
        $crate::layout::shape::zero_copy_layout! { $($type { $($field),* })* }

        /// Every one with its page.
        pub fn $all() -> Vec<(&'static str, String)> {
            vec![$($page::<$type>()),*]
        }
    };
}

/// Enumerations without fields, with all their variants; filled, they are the last one.
macro_rules! enum_layout {
    ($($type:ident { $($variant:ident),* $(,)? })*) => {$(
        impl $crate::layout::shape::Pattern for $type {
            fn pattern(_: &mut $crate::layout::shape::Fill) -> Self {
                let all = [$($type::$variant),*];
                all[all.len() - 1]
            }
        }

        impl $crate::layout::shape::Variants for $type {
            const NAME: &'static str = stringify!($type);

            fn all() -> Vec<(&'static str, Vec<u8>)> {
                let all = [$($type::$variant),*];
                all.iter().map(|value| match value {
                    $($type::$variant => (stringify!($variant), $crate::layout::shape::borsh(value)),)*
                }).collect()
            }
        }
    )*};
}

/// An enumeration whose variants' bytes are fixed.
pub trait Variants {
    /// Its name.
    const NAME: &'static str;
    /// Every variant with its bytes.
    fn all() -> Vec<(&'static str, Vec<u8>)>;
}

/// Bytes in hexadecimal, the hash of many.
pub fn hex(bytes: &[u8]) -> String {
    let digits = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    if bytes.len() > 640 { format!("sha256 {}", digits(&Sha256::digest(bytes))) } else { digits(bytes) }
}

/// A structure in the golden file. `head` comes before its fields: a discriminator, or nothing.
pub fn describe<T: Shaped>(head: &[u8], space: Option<usize>) -> String {
    let value = T::pattern(&mut Fill::default());
    let (fields, bytes) = (value.fields(), value.bytes());
    let mut text = format!("{}  {} bytes", T::NAME, head.len() + bytes.len());
    if let Some(space) = space {
        write!(text, " of {space}").expect("a text grows");
    }
    if !head.is_empty() {
        write!(text, ", discriminator {}", hex(head)).expect("a text grows");
    }
    text.push('\n');
    for (name, offset, length) in &fields {
        writeln!(text, "{:8} {length:6}  {name}", head.len() + offset).expect("a text grows");
    }
    let described: usize = fields.iter().map(|(_, _, length)| length).sum();
    assert_eq!(described, bytes.len(), "the fields of {} are not all of it", T::NAME);
    if !bytes.is_empty() {
        writeln!(text, "  {}", hex(&bytes)).expect("a text grows");
    }
    text.push('\n');
    text
}

/// A structure that is a part of others, in the golden file.
pub fn part<T: Shaped>() -> (&'static str, String) {
    (T::NAME, describe::<T>(&[], None))
}

/// Borsh behind a discriminator, in the golden file.
pub fn told<T: Shaped + Discriminator>() -> (&'static str, String) {
    (T::NAME, describe::<T>(T::DISCRIMINATOR, None))
}

/// An enumeration in the golden file.
pub fn describe_variants<T: Variants>() -> String {
    let mut text = format!("{}\n", T::NAME);
    for (name, bytes) in T::all() {
        writeln!(text, "  {:24} {name}", hex(&bytes)).expect("a text grows");
    }
    text.push('\n');
    text
}

pub(crate) use {borsh_layout, borsh_pages, enum_layout, zero_copy_layout, zero_copy_pages};
