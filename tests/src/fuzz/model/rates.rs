//! Live rates: what a token of a stake pool, or a share of a lending reserve, is worth, as a part of the highest that it ever
//! was. Written from `docs/src/how/live.md`.

use super::{Evidence, Model, N, Rule, Showings, ceil, need};
use crate::fuzz::live::{How, Program, Says};
use crate::fuzz::op::Op;
use backstop::peril::feed::Observation;

/// One, in the 1e-12 of a rate.
const ONE: N = 1_000_000_000_000;

/// A rate, and its peak.
#[derive(Clone, Debug)]
pub struct Rate {
    /// Whose accounts are read.
    pub program: Program,
    /// The highest rate that counted, in 1e-12; 0: none did.
    pub peak: N,
    /// What was shown in the running slot.
    pub(super) showings: Showings,
}

impl Rate {
    /// Nothing shown yet.
    pub fn new(program: Program) -> Self {
        Self { program, peak: 0, showings: Showings::default() }
    }
}

/// What one share is worth, in 1e-12, rounded down and up.
pub fn rate(says: &Says) -> Rule<[N; 2]> {
    need(says.shares > 0, "there are no shares")?;
    let shares = N::from(says.shares);
    let all = N::from(says.there) * ONE;
    let (worth, shares) = match says.program {
        Program::StakePool => (all, shares),
        // In 1e-18, as what is lent is.
        Program::SplLending => (all * 1_000_000 + says.lent, shares * 1_000_000),
        Program::Save => ((all * 1_000_000 + says.lent).saturating_sub(says.fees), shares * 1_000_000),
    };
    let both = [worth / shares, ceil(worth, shares)];
    need(both[1] <= super::MOST, "beyond every number")?;
    Ok(both)
}

impl Evidence {
    /// Shows what the account says.
    fn show_rate(&mut self, says: &Says, (ledger, epoch): (u64, u64), now: i64) -> Rule {
        let slot = now.div_euclid(i64::from(self.terms.slot_seconds));
        let kept = self.rate.as_mut().ok_or("it has no rate")?;
        need(says.program == kept.program, "another program's account")?;
        need(says.program != Program::StakePool || says.epoch == epoch, "the pool was not updated in this epoch")?;
        let [down, up] = rate(says)?;
        kept.showings.turn(slot);
        kept.showings.show(ledger, now, down);
        kept.peak = kept.peak.max(kept.showings.level());
        let mut prints = Vec::new();
        if kept.peak > 0 {
            let price = ceil(up * 100_000_000, kept.peak).max(1);
            need(price <= N::from(i64::MAX.unsigned_abs()), "beyond every price")?;
            let price = u64::try_from(price).expect("it is bounded");
            prints =
                kept.showings.price(price, self.rule.class(&Observation { price, confidence: 0, publish_time: now }));
        }
        self.count(prints, now)
    }
}

impl Model {
    /// The rate that a product listens to.
    pub fn rate(&self, product: usize) -> Option<&Rate> {
        self.products[product].trigger.rate.as_ref()
    }

    pub(super) fn apply_rates(&mut self, op: &Op) -> Rule {
        let Op::ShowRate { product, says, how } = *op else { super::unknown(op, "rates") };
        let times = match how {
            How::Alone => 1,
            How::Twice => 2,
            How::Among => {
                self.accrue(self.products[product].pool);
                1
            }
            How::After | How::Before => return Err("it does not stand alone"),
            How::Passed => return Err("a program calls it"),
            How::Foreign => return Err("another program's account"),
            How::Short | How::OtherType => return Err("no such account"),
            How::Elsewhere => return Err("another account"),
            How::Crossed => return Err("what was shown of another product"),
            How::More => return Err("too many accounts"),
        };
        let (now, moment) = (self.now, (self.ledger, self.epoch));
        for _ in 0..times {
            self.show_anew(product, |trigger| trigger.show_rate(&says, moment, now))?;
        }
        Ok(())
    }
}
