//! The pools that reinsure the pool, what they are paid, and what they pay.

use super::checks::units;
use super::*;
use crate::demo::expect::Stream;
use backstop::state::{TreatyKind, TreatyTerms};
use backstop_client::instruction::TreatyKeys;

/// A treaty and the pool that reinsures by it, and what was seen of them.
pub(super) struct Tier {
    pub terms: &'static Reinsured,
    pub reinsurer: PoolKeys,
    pub treaty: TreatyKeys,
    capital: Vec<Capital>,
    /// What the reinsurer's vault got as premium, and when.
    premiums: Vec<(i64, u64)>,
    /// What the reinsurer's vault lost and the cedant's vault gained when the treaty was called.
    paid: Option<(u64, u64)>,
    /// When it was called.
    called_at: i64,
    layers: Vec<Layer>,
}

impl Tier {
    /// The tower of a pool, with nothing of it on chain yet.
    pub fn all(cedant: PoolKeys) -> Vec<Self> {
        let tier = |(id, terms): (u16, &'static Reinsured)| {
            let reinsurer = PoolKeys::derive(cedant.asset_mint, cedant.asset_token_program, id + 1);
            let treaty = TreatyKeys::derive(cedant, reinsurer.pool, id);
            Self {
                terms,
                reinsurer,
                treaty,
                capital: vec![],
                premiums: vec![],
                paid: None,
                called_at: 0,
                layers: vec![],
            }
        };
        (0..).zip(&TOWER).map(tier).collect()
    }

    fn premium(&self) -> u64 {
        self.premiums.iter().map(|(_, amount)| amount).sum()
    }

    /// What left the reinsurer's vault for the incident.
    fn paid(&self) -> u64 {
        self.paid.map_or(0, |(paid, _)| paid)
    }

    fn capital(&self) -> u64 {
        self.capital.iter().map(|capital| capital.amount).sum()
    }

    /// When the reinsurer earns what it was paid: a layer's premium until the end of its term; the quota share's within
    /// seven days and the rest of the day.
    fn streams(&self) -> Vec<Stream> {
        let day = i64::from(DAY);
        let stream = |(at, premium): &(i64, u64)| {
            let to = match self.terms.kind {
                TreatyKind::ExcessOfLoss { .. } => i64::from(first_day() + TREATY_DAYS) * day,
                TreatyKind::QuotaShare { .. } => (at + 7 * day + day - 1).div_euclid(day) * day,
            };
            Stream { premium: *premium, from: *at, to, until: to }
        };
        let whole = self.premiums.iter().map(stream);
        if !self.is_layer() || self.paid() == 0 {
            return whole.collect();
        }
        whole.flat_map(|stream| stream.used(self.called_at, self.paid(), self.terms.limit).0).collect()
    }

    fn is_layer(&self) -> bool {
        matches!(self.terms.kind, TreatyKind::ExcessOfLoss { .. })
    }

    /// What of a layer's premium went into its payment: what was unearned of the part of the limit that is used. A quota
    /// share earns what it was handed.
    fn used_premium(&self) -> u64 {
        let ends = i64::from(first_day() + TREATY_DAYS) * i64::from(DAY);
        let stream = |(at, premium): &(i64, u64)| Stream { premium: *premium, from: *at, to: ends, until: ends };
        let used = self.premiums.iter().map(|paid| stream(paid).used(self.called_at, self.paid(), self.terms.limit).1);
        if self.is_layer() { used.sum() } else { 0 }
    }
}

/// The treaties' first UTC day: the one after they are announced.
fn first_day() -> u32 {
    state::day_of(FOUNDED_AT) + 1
}

impl Story<'_> {
    // ---- what happens ----

    /// Creates the reinsuring pools and announces the treaties.
    pub(super) fn announce_treaties(&mut self) -> Result<(), DemoError> {
        let (payer, governance) = (self.chain.payer.pubkey(), self.governance.pubkey());
        for (number, terms) in (0..).zip(&TOWER) {
            let Tier { reinsurer, treaty, .. } = self.tower[usize::from(number)];
            self.create_pool(terms.pool, reinsurer, number + 1, PoolKind::Reinsurance, terms.access)?;
            let (start_day, end_day) = (first_day(), first_day() + TREATY_DAYS);
            let terms = TreatyTerms { kind: terms.kind, limit: terms.limit, start_day, end_day };
            let create = ix::create_treaty(governance, payer, &treaty, terms);
            self.chain.run("a treaty is announced", "create_treaty", &[&self.governance], &[create])?;
        }
        Ok(())
    }

    /// Capital of the reinsuring pools; the protocol-owned one takes none from outside.
    pub(super) fn capitalise_reinsurers(&mut self) -> Result<(), DemoError> {
        for (number, terms) in TOWER.iter().enumerate() {
            let reinsurer = self.tower[number].reinsurer;
            for (who, tranche, amount) in terms.capital {
                let capital = self.put_in(reinsurer, who, *tranche, *amount)?;
                self.tower[number].capital.push(capital);
            }
        }
        let (pool, owner) = (self.tower[QUOTA_SHARE].reinsurer, self.id(EVE));
        let seen = self.seen(&pool)?;
        let args = DepositArgs { tranche: Tranche::Junior, amount: 100 * ONE, min_shares: 0, seen };
        let create = self.create_share_account(&pool, owner, Tranche::Junior);
        let deposit = [create, ix::deposit(&pool, owner, None, args)];
        let tried = "deposits into the protocol-owned pool";
        self.attempt(EVE, tried, BackstopError::NoOutsideDeposits, &deposit)
    }

    /// Both treaties are accepted; a layer is paid for its whole term.
    pub(super) fn begin_treaties(&mut self) -> Result<(), DemoError> {
        for (number, terms) in TOWER.iter().enumerate() {
            let Tier { reinsurer, treaty, .. } = self.tower[number];
            let before = self.chain.tokens(&reinsurer.vault())?;
            let accept = ix::accept_treaty(self.governance.pubkey(), &treaty);
            self.chain.run("a treaty is accepted", "accept_treaty", &[&self.governance], &[accept])?;
            let premium = self.chain.tokens(&reinsurer.vault())?.saturating_sub(before);
            self.premium_paid(number, premium);
            self.happened(What::TreatyAccepted, Some(terms.key), None, Some(premium));
        }
        Ok(())
    }

    /// A week after the founding.
    pub(super) fn cede_premium_in_calm_times(&mut self) -> Result<(), DemoError> {
        self.chain.cluster.set_time(CEDED_AT);
        self.run("premium is earned", "accrue", None, &[ix::accrue(self.pool.pool)])?;
        self.cede_premium()
    }

    /// Hands the quota share's part of the premium earned so far to its reinsurer, if there is any.
    pub(super) fn cede_premium(&mut self) -> Result<(), DemoError> {
        let pool: state::Pool = self.chain.read(&self.pool.pool)?;
        if pool.payable_of(&self.tower[QUOTA_SHARE].treaty.treaty) == 0 {
            return Ok(());
        }
        let reinsurer = self.tower[QUOTA_SHARE].reinsurer;
        let before = self.chain.tokens(&reinsurer.vault())?;
        let settle = ix::settle_treaty_premium(&self.pool, reinsurer.pool);
        self.run("the quota share's premium is settled", "settle_treaty_premium", None, &[settle])?;
        let premium = self.chain.tokens(&reinsurer.vault())?.saturating_sub(before);
        self.premium_paid(QUOTA_SHARE, premium);
        self.happened(What::PremiumCeded, None, None, Some(premium));
        Ok(())
    }

    fn premium_paid(&mut self, number: usize, premium: u64) {
        let now = self.now();
        self.tower[number].premiums.extend((premium > 0).then_some((now, premium)));
    }

    /// The incident is given its part of what the pool has before its treaties pay, and people try to get around it.
    pub(super) fn pay_before_the_treaties(&mut self, keys: &ProductKeys) -> Result<(), DemoError> {
        let fund = ix::fund_incident(keys, CRISIS);
        self.run("the incident is given its first part", "fund_incident", None, std::slice::from_ref(&fund))?;
        self.attempt(ANNA, "funds the incident twice", BackstopError::AlreadyFunded, &[fund])?;
        let deposit = self.deposit_of(JULIA)?;
        self.attempt(JULIA, "deposits while the crisis lasts", BackstopError::PoolInCrisis, &deposit)
    }

    /// Calls the treaties, the layer first: their order changes nothing.
    pub(super) fn call_treaties(&mut self, keys: &ProductKeys) -> Result<(), DemoError> {
        for (number, terms) in TOWER.iter().enumerate().rev() {
            let Tier { reinsurer, treaty, .. } = self.tower[number];
            self.run("a reinsurer's premium is earned", "accrue", None, &[ix::accrue(reinsurer.pool)])?;
            let vaults = [reinsurer.vault(), self.pool.vault()];
            let capital = self.loss_capital(&reinsurer)?;
            let [paying, getting] = [self.chain.tokens(&vaults[0])?, self.chain.tokens(&vaults[1])?];
            let step = format!("the {} pool is called", terms.pool);
            self.run(&step, "call_treaty", None, &[ix::call_treaty(&treaty, keys, CRISIS)])?;
            let paid = paying.saturating_sub(self.chain.tokens(&vaults[0])?);
            let got = self.chain.tokens(&vaults[1])?.saturating_sub(getting);
            let after = self.loss_capital(&reinsurer)?;
            let now = self.now();
            let tier = &mut self.tower[number];
            tier.called_at = now;
            tier.paid = Some((paid, got));
            tier.layers = layers(capital, after);
            self.happened(What::TreatyPaid, Some(terms.key), Some(STRESS), Some(paid));
        }
        Ok(())
    }

    // ---- what it comes to ----

    /// Who bore the gross loss, by what left the reinsurers' vaults and the pool's layers.
    pub(super) fn waterfall(&self) -> Vec<Part> {
        let Some(incident) = &self.incident else { return Vec::new() };
        let reinsured = self.tower.iter().map(|tier| (tier.terms.key, tier.paid()));
        let own = self.layers.iter().map(|layer| (layer.layer.as_str(), layer.lost));
        let mut parts: Vec<(&str, u64)> = reinsured.chain(own).collect();
        let borne: u64 = parts.iter().map(|(_, amount)| amount).sum();
        if borne < incident.gross {
            parts.push(("unpaid", incident.gross - borne));
        }
        let bps = |amount: u64| (u128::from(amount) * 20_000 / u128::from(incident.gross.max(1))).div_ceil(2) as u64;
        let mut so_far = 0u64;
        let part = |(part, amount): (&str, u64)| {
            let before = so_far;
            so_far += amount;
            Part {
                part: part.into(),
                amount,
                of_gross_bps: bps(so_far) - bps(before),
                left: incident.gross.saturating_sub(so_far),
            }
        };
        parts.into_iter().map(part).collect()
    }

    pub(super) fn treaty_reports(&self) -> Result<Vec<Treaty>, DemoError> {
        let report = |tier: &Tier| {
            let treaty: state::Treaty = self.chain.read(&tier.treaty.treaty)?;
            let cedant: state::Pool = self.chain.read(&self.pool.pool)?;
            let (limit_left, _) = cedant.limit_and_owed(&tier.treaty.treaty).unwrap_or_default();
            let mut report = Treaty {
                key: tier.terms.key.into(),
                address: tier.treaty.treaty.to_string(),
                reinsurer: tier.reinsurer.pool.to_string(),
                cession_bps: None,
                commission_bps: None,
                attachment: None,
                rate_on_line_bps: None,
                limit: treaty.limit,
                limit_left,
                start: treaty.start(),
                end: treaty.end(),
                premium: tier.premium(),
                paid: tier.paid(),
            };
            match treaty.kind {
                TreatyKind::QuotaShare { cession_bps, commission_bps } => {
                    report.cession_bps = Some(cession_bps);
                    report.commission_bps = Some(commission_bps);
                }
                TreatyKind::ExcessOfLoss { attachment, rate_on_line_bps, .. } => {
                    report.attachment = Some(attachment);
                    report.rate_on_line_bps = Some(rate_on_line_bps);
                }
            }
            Ok(report)
        };
        self.tower.iter().map(report).collect()
    }

    pub(super) fn reinsurer_reports(&self) -> Result<Vec<Reinsurer>, DemoError> {
        let report = |tier: &Tier| {
            Ok(Reinsurer {
                name: tier.terms.pool.into(),
                pool: tier.reinsurer.pool.to_string(),
                capital: tier.capital.clone(),
                layers: tier.layers.clone(),
                ledger: self.ledger(&tier.reinsurer)?,
            })
        };
        self.tower.iter().map(report).collect()
    }

    // ---- what had to happen ----

    pub(super) fn check_tower(&mut self) -> Result<(), DemoError> {
        self.check_reinsurance_premium();
        self.check_waterfall()?;
        self.check_money()
    }

    fn check_reinsurance_premium(&mut self) {
        let expected = expect::layer_premium(TOWER[LAYER].limit, RATE_ON_LINE_BPS);
        let statement = "The layer was paid its rate on line for the whole term";
        self.check("layer_premium", statement, units(expected), units(self.tower[LAYER].premium()));

        let expected = expect::ceded_premium(self.premium_earned(), QUOTA_SHARE_BPS, COMMISSION_BPS);
        let statement = "The quota share was paid its part of every premium earned, less commission";
        self.check("quota_share_premium", statement, units(expected), units(self.tower[QUOTA_SHARE].premium()));
    }

    /// Premium of the covers that match, as the pool earns it.
    fn sold_streams(&self, which: impl Fn(&Sold) -> bool) -> Vec<Stream> {
        self.covers.iter().filter(|sold| which(sold)).map(Sold::stream).collect()
    }

    /// What the pool has earned by covers until now: of the product that is over until its incident's challenge ended, and
    /// the same in two amounts of whole units, until the alert began and from then on.
    fn premium_earned(&self) -> u64 {
        let Some(ended) = self.ended else { return expect::earned(&self.sold_streams(|_| true), self.now()) };
        let goes_on = self.sold_streams(|sold| sold.product != STRESS);
        let over = self.sold_streams(|sold| sold.product == STRESS);
        let in_force = self.sold_streams(|sold| sold.product == STRESS && sold.report.due == "loss");
        // Fractions of a unit are carried from one accrual to the next.
        let cut = over.into_iter().map(|stream| Stream { until: ended.accrued_at, ..stream });
        let going_on: Vec<Stream> = goes_on.into_iter().chain(cut).collect();
        expect::earned(&going_on, self.now()) + expect::earned_between(&in_force, ended.accrued_at, ended.at)
    }

    /// What else of the premium of the product that is over became capital: what was not earned, less what holders got.
    fn premium_kept(&self) -> u64 {
        let Some(ended) = self.ended else { return 0 };
        let due = |due: &'static str| self.sold_streams(move |sold| sold.product == STRESS && sold.report.due == due);
        let waiting = expect::earned_between(&due("refund"), ended.accrued_at, i64::MAX);
        let loss = expect::earned_between(&due("loss"), ended.at, i64::MAX);
        let back: u64 = self.covers.iter().map(|sold| sold.report.premium_back).sum();
        waiting + loss - back
    }

    fn check_waterfall(&mut self) -> Result<(), DemoError> {
        let Some(incident) = self.incident.clone() else { return Ok(()) };
        let gross = incident.gross;
        let [quota_share, layer, net] =
            expect::tower(gross, QUOTA_SHARE_BPS, TOWER[QUOTA_SHARE].limit, ATTACHMENT, TOWER[LAYER].limit);
        for (number, due, name, statement) in [
            (QUOTA_SHARE, quota_share, "quota_share_paid", "The quota share paid its part of the gross loss"),
            (LAYER, layer, "excess_of_loss_paid", "The layer paid what was then above its attachment"),
        ] {
            let paid = self.tower[number].paid.unwrap_or_default();
            let say = |(paid, got): (u64, u64)| match paid == got {
                true => units(paid),
                false => format!("{} paid, {} received", units(paid), units(got)),
            };
            self.check(name, &format!("{statement}, vault to vault"), say((due, due)), say(paid));
        }
        let before: Vec<u64> = self.layers.iter().map(|layer| layer.before).collect();
        let Ok(before) = <[u64; 3]>::try_from(before) else { return Ok(()) };
        let own = net.min(before.iter().sum());
        let statement = "All that is owed was set aside, or all the capital there is";
        self.check("reserve", statement, units(quota_share + layer + own), units(incident.reserve));
        let statement = "The rest fell on the surplus first, then junior, then senior";
        let expected = expect::layers(own, before);
        self.check("layers", statement, list(expected), list(self.layers.iter().map(|layer| layer.lost)));
        for (number, due) in [(QUOTA_SHARE, quota_share), (LAYER, layer)] {
            let tier = &self.tower[number];
            let name = format!("layers_{}", tier.terms.pool.replace('-', "_"));
            let statement =
                format!("So did the {} pool's own loss, less premium of what is used of its limit", tier.terms.pool);
            let before: Vec<u64> = tier.layers.iter().map(|layer| layer.before).collect();
            let Ok(before) = <[u64; 3]>::try_from(before) else { continue };
            let lost = list(tier.layers.iter().map(|layer| layer.lost));
            self.check(&name, &statement, list(expect::layers(due.saturating_sub(tier.used_premium()), before)), lost);
        }
        let borne = self.waterfall().iter().map(|part| part.amount).sum();
        let statement = "The parts of the waterfall add up to the gross loss, to the unit";
        self.check("waterfall", statement, units(gross), units(borne));

        let expected = [TOWER[QUOTA_SHARE].limit - quota_share, TOWER[LAYER].limit - layer];
        let mut left = Vec::new();
        for tier in &self.tower {
            let cedant: state::Pool = self.chain.read(&self.pool.pool)?;
            let (limit_left, _) = cedant.limit_and_owed(&tier.treaty.treaty).unwrap_or_default();
            let pool: state::Pool = self.chain.read(&tier.reinsurer.pool)?;
            let held: u64 = pool.inward.iter().map(|inward| inward.limit).sum();
            left.push(match limit_left == held {
                true => units(held),
                false => format!("{} by the cedant, {} by the pool", units(limit_left), units(held)),
            });
        }
        let statement = "Each reinsurer stands behind what is left of its limit, by the books of both sides";
        self.check("limits", statement, list(expected), left.join(", "));
        Ok(())
    }

    /// Every pool's money, from what was put in, earned and lost.
    fn check_money(&mut self) -> Result<(), DemoError> {
        let now = self.now();
        let put_in: u64 = self.capital.iter().map(|capital| capital.amount).sum();
        let sold: u64 = self.covers.iter().map(|sold| sold.report.premium).sum();
        let paid_out: u64 = self.covers.iter().map(|sold| sold.report.expected).sum();
        let premium_back: u64 = self.covers.iter().map(|sold| sold.report.premium_back).sum();
        let ceded: u64 = self.tower.iter().map(Tier::premium).sum();
        let recovered: u64 = self.tower.iter().map(Tier::paid).sum();

        // All that left the pool for the incident is paid out by now, and what rounding left went to the surplus.
        let earned = self.premium_earned() + self.premium_kept();
        let out = ceded + paid_out;
        let mut capital = vec![(put_in + earned + recovered + premium_back).saturating_sub(out)];
        let mut vaults = vec![(put_in + sold + recovered).saturating_sub(out)];
        for tier in &self.tower {
            let earned = expect::earned(&tier.streams(), now);
            capital.push((tier.capital() + earned + tier.used_premium()).saturating_sub(tier.paid()));
            vaults.push((tier.capital() + tier.premium()).saturating_sub(tier.paid()));
        }
        let pools = self.all_pools();
        let read = |keys: &PoolKeys| Ok(self.loss_capital(keys)?.iter().sum());
        let found_capital = pools.iter().map(read).collect::<Result<Vec<u64>, DemoError>>()?;
        let read = |keys: &PoolKeys| self.chain.tokens(&keys.vault());
        let found_vaults = pools.iter().map(read).collect::<Result<Vec<u64>, DemoError>>()?;
        let statement = "Each pool's capital is what was put in and earned by the second, less its losses";
        self.check("capital", statement, list(capital), list(found_capital));
        let statement = "Each pool's vault holds what came in less what went out";
        self.check("vaults", statement, list(vaults), list(found_vaults));
        Ok(())
    }
}

fn list(amounts: impl IntoIterator<Item = u64>) -> String {
    amounts.into_iter().map(units).collect::<Vec<_>>().join(", ")
}
