//! The price file: whoever changes it changes what the oracle says.

use super::LocalnetError;
use anchor_lang::prelude::Pubkey;
use backstop_client::{price_account, text_file, units};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;

/// The feed that a new price file has, at 1.00 with a confidence of 0.0005.
pub const FEED: &str = "USDC/USD";
/// The confidence of a feed that was given none.
const CONFIDENCE: Decimal = Decimal::from_parts(5, 0, 0, false, 4);

/// A line of the price file as it is written.
#[derive(Serialize, Deserialize)]
struct Line {
    feed: String,
    price: String,
    confidence: String,
}

/// What the price file says of a feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// The feed's name, of at most 32 bytes, or its id in 64 hexadecimal digits.
    pub feed: String,
    /// Its price.
    pub price: Decimal,
    /// Half the width of the oracle's interval around the price.
    pub confidence: Decimal,
}

impl Quote {
    /// The feed's id.
    pub fn feed_id(&self) -> [u8; 32] {
        feed_id(&self.feed)
    }

    /// Its standing account.
    pub fn account(&self) -> Pubkey {
        price_account::standing_account(&self.feed_id())
    }

    /// The price at a time, in 1e-8.
    pub fn price(&self, publish_time: i64) -> Option<price_account::Price> {
        let price = e8(self.price)?.to_i64().filter(|price| *price > 0)?;
        Some(price_account::Price::e8(price, e8(self.confidence)?.to_u64()?, publish_time))
    }
}

/// The id of a feed: 64 hexadecimal digits are the id itself, any other name is filled up with zeros.
pub fn feed_id(name: &str) -> [u8; 32] {
    if let Ok(id) = units::feed_id(name) {
        return id;
    }
    let mut id = [0; 32];
    id.iter_mut().zip(name.bytes()).for_each(|(to, from)| *to = from);
    id
}

/// What [`feed_id`] reads as this id: a name, or 64 hexadecimal digits.
pub fn feed_name(id: &[u8; 32]) -> String {
    let name = id.split(|byte| *byte == 0).next().and_then(|name| str::from_utf8(name).ok()).unwrap_or_default();
    let is_name = !name.is_empty() && name.chars().all(|letter| letter.is_ascii_graphic()) && feed_id(name) == *id;
    if is_name { name.into() } else { id.iter().map(|byte| format!("{byte:02x}")).collect() }
}

/// A number in 1e-8, if it has no more digits than that.
fn e8(number: Decimal) -> Option<Decimal> {
    number.checked_mul(Decimal::from(100_000_000)).filter(|number| number.fract().is_zero())
}

/// What a new price file says.
#[cfg(any(feature = "localnet", test))]
pub(super) fn calm() -> Quote {
    Quote { feed: FEED.into(), price: Decimal::ONE, confidence: CONFIDENCE }
}

/// Writes a price file that has one feed, which is calm.
#[cfg(any(feature = "localnet", test))]
pub(super) fn found(file: &Path) -> Result<(), LocalnetError> {
    write(file, &[calm()])
}

/// Reads a price file.
///
/// Errors: [`LocalnetError::File`] if it cannot be read, [`LocalnetError::Prices`] if a line is not a price.
pub fn read(file: &Path) -> Result<Vec<Quote>, LocalnetError> {
    let text = text_file::read(file).map_err(|why| LocalnetError::file(file, why))?;
    parse(&text).map_err(|why| LocalnetError::Prices { file: file.display().to_string(), why })
}

fn parse(text: &str) -> Result<Vec<Quote>, String> {
    let mut quotes: Vec<Quote> = Vec::new();
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    for line in reader.deserialize() {
        let Line { feed, price, confidence } = line.map_err(|why| why.to_string())?;
        let number = |text: &str| units::number(text).ok_or_else(|| format!("{feed}: \"{text}\" is not a number"));
        let quote = Quote { price: number(&price)?, confidence: number(&confidence)?, feed };
        let is_name = (1..=32).contains(&quote.feed.len()) || units::feed_id(&quote.feed).is_ok();
        if !is_name {
            return Err(format!("the name of feed \"{}\" does not have 1 to 32 bytes", quote.feed));
        }
        if quotes.iter().any(|known| known.feed == quote.feed) {
            return Err(format!("{} is there twice", quote.feed));
        }
        if quote.price(0).is_none() || quote.confidence >= quote.price {
            return Err(format!(
                "{}: price and confidence must be positive, the confidence the smaller, and have at most eight decimals \
                 after a point, not {} and {}",
                quote.feed, quote.price, quote.confidence
            ));
        }
        quotes.push(quote);
    }
    Ok(quotes)
}

/// Sets the price of one feed in a price file, and its confidence if one is given. A feed that is not there is added.
///
/// Errors: as [`read`]; the file keeps its content if the new one could not be read again.
pub fn set(file: &Path, feed: &str, price: Decimal, confidence: Option<Decimal>) -> Result<Quote, LocalnetError> {
    let mut quotes = read(file)?;
    let position = quotes.iter().position(|quote| quote.feed == feed).unwrap_or_else(|| {
        quotes.push(Quote { feed: feed.into(), price, confidence: CONFIDENCE });
        quotes.len() - 1
    });
    let quote = &mut quotes[position];
    quote.price = price;
    quote.confidence = confidence.unwrap_or(quote.confidence);
    let quote = quote.clone();
    write(file, &quotes)?;
    Ok(quote)
}

fn write(file: &Path, quotes: &[Quote]) -> Result<(), LocalnetError> {
    let unwritable = |why: String| LocalnetError::Prices { file: file.display().to_string(), why };
    let mut writer = csv::Writer::from_writer(Vec::new());
    for quote in quotes {
        let Quote { feed, price, confidence } = quote.clone();
        let line = Line { feed, price: price.to_string(), confidence: confidence.to_string() };
        writer.serialize(line).map_err(|why| unwritable(why.to_string()))?;
    }
    let text = writer.into_inner().map_err(|why| unwritable(why.to_string()))?;
    parse(&String::from_utf8_lossy(&text)).map_err(unwritable)?;
    // In one step: whoever reads sees the old prices or the new ones.
    let beside = file.with_extension("csv.new");
    fs::write(&beside, text).and_then(|()| fs::rename(&beside, file)).map_err(|why| LocalnetError::file(file, why))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quote(feed: &str, price: &str, confidence: &str) -> Quote {
        Quote { feed: feed.into(), price: price.parse().unwrap(), confidence: confidence.parse().unwrap() }
    }

    #[test]
    fn prices_are_read_to_the_last_digit() {
        let read = parse("feed,price,confidence\nUSDC/USD, 0.87654321, 0.0005\nDAI/USD,1,0\n").unwrap();
        assert_eq!(read, [quote("USDC/USD", "0.87654321", "0.0005"), quote("DAI/USD", "1", "0")]);
        let price = read[0].price(7).unwrap();
        assert_eq!((price.price, price.confidence, price.exponent, price.publish_time), (87_654_321, 50_000, -8, 7));
    }

    #[test]
    fn a_feed_goes_by_its_name_or_by_its_id() {
        let digits = "ab".repeat(32);
        for name in ["USDC/USD", &digits, &"x".repeat(32)] {
            assert_eq!(feed_name(&feed_id(name)), name);
        }
        assert_eq!(feed_id("AB"), *b"AB\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
        assert_eq!(feed_name(&[0; 32]), "0".repeat(64));
        assert_eq!(parse(&format!("feed,price,confidence\n{digits},1,0\n")).unwrap(), [quote(&digits, "1", "0")]);
    }

    #[test]
    fn a_line_that_is_no_price_is_named() {
        let refused = |line: &str| parse(&format!("feed,price,confidence\n{line}\n")).unwrap_err();
        assert!(refused("USDC/USD,0,0").starts_with("USDC/USD: price and confidence must be positive"));
        for wrong in ["-1,0", "1,-1", "1e3,0", "1_5,0", "1,05"] {
            assert!(parse(&format!("feed,price,confidence\nUSDC/USD,{wrong}\n")).is_err(), "{wrong}");
        }
        assert!(refused("USDC/USD,0.123456789,0").contains("eight decimals"));
        assert_eq!(refused("USDC/USD,one,0"), "USDC/USD: \"one\" is not a number");
        assert!(refused("USDC/USD,1").contains("line: 2"));
        assert_eq!(refused("USDC/USD,1,0\nUSDC/USD,1,0"), "USDC/USD is there twice");
        assert!(refused(&format!("{},1,0", "x".repeat(33))).ends_with("does not have 1 to 32 bytes"));
    }

    #[test]
    fn a_price_that_is_set_is_read_back_and_the_other_feeds_stay() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("prices.csv");
        found(&file).unwrap();
        set(&file, "DAI/USD", Decimal::ONE, Some(Decimal::new(1, 3))).unwrap();
        set(&file, FEED, "0.85".parse().unwrap(), None).unwrap();
        assert_eq!(read(&file).unwrap(), [quote(FEED, "0.85", "0.0005"), quote("DAI/USD", "1", "0.001")]);
        set(&file, FEED, Decimal::ZERO, None).unwrap_err();
        assert_eq!(read(&file).unwrap()[0].price, "0.85".parse().unwrap());
    }
}
