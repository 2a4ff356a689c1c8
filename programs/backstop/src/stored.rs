//! Enums that accounts store as a byte: declared in one way.

/// Declares an enum that is stored as one byte, each variant with its own.
///
/// The bytes are written down beside the variants and count up from 0, which is also Borsh's number of a variant: an
/// enum reads the same in an account that is read in place, in one that Borsh writes, in an event and in an argument. A
/// byte once given is never given to another meaning.
///
/// What it makes: `ALL`, `byte`, `from_byte` for bytes that come from outside, `knows` for the check that every account
/// passes when it is loaded ([`crate::state::Versioned`]), and `stored` for a byte that has passed it.
macro_rules! stored_enum {
    (
        $(#[$attribute:meta])*
        pub enum $name:ident {
            $($(#[$variant_attribute:meta])* $variant:ident = $byte:literal,)+
        }
    ) => {
        $(#[$attribute])*
        #[derive(
            anchor_lang::AnchorSerialize, anchor_lang::AnchorDeserialize, anchor_lang::InitSpace, Clone, Copy, Debug,
            PartialEq, Eq,
        )]
        pub enum $name {
            $($(#[$variant_attribute])* $variant,)+
        }

        // The bytes count up from 0 in the order of the variants.
        const _: () = { $(assert!($name::$variant as u8 == $byte, "a byte is not its variant's place");)+ };

        impl $name {
            /// Every variant, in the order of their bytes.
            pub const ALL: [Self; [$($byte),+].len()] = [$(Self::$variant),+];

            /// The byte that stands for this variant.
            pub const fn byte(self) -> u8 {
                match self {
                    $(Self::$variant => $byte,)+
                }
            }

            /// The variant that a byte stands for, if any.
            pub const fn from_byte(byte: u8) -> Option<Self> {
                match byte {
                    $($byte => Some(Self::$variant),)+
                    _ => None,
                }
            }

            /// Whether a byte stands for a variant.
            pub const fn knows(byte: u8) -> bool {
                (byte as usize) < Self::ALL.len()
            }

            /// The variant of a byte in an account that was checked when it was loaded. Bytes that stand for nothing do
            /// not pass that check; in a structure that was made by hand they read as the last variant.
            pub const fn stored(byte: u8) -> Self {
                match Self::from_byte(byte) {
                    Some(variant) => variant,
                    None => {
                        let [.., last] = Self::ALL;
                        last
                    }
                }
            }
        }
    };
}

#[cfg(test)]
mod tests {
    stored_enum! {
        /// For this test.
        pub enum Light {
            /// Stop.
            Red = 0,
            /// Go.
            Green = 1,
        }
    }

    #[test]
    fn a_byte_reads_as_its_variant_and_no_other_byte_reads() {
        for byte in 0..=u8::MAX {
            let variant = Light::from_byte(byte);
            assert_eq!(variant, Light::ALL.get(usize::from(byte)).copied());
            assert_eq!(Light::knows(byte), variant.is_some());
            assert!(variant.is_none_or(|light| light.byte() == byte && Light::stored(byte) == light));
        }
    }

    #[test]
    fn borsh_writes_the_same_byte() {
        for light in Light::ALL {
            assert_eq!(borsh::to_vec(&light).unwrap(), [light.byte()]);
        }
        assert!(borsh::from_slice::<Light>(&[2]).is_err());
    }
}
