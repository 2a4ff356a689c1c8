//! What happens, in order.

mod checks;
mod tower;

use super::chain::Chain;
use super::expect;
use super::prices::Print;
use super::report::*;
use super::scenario::*;
use super::{DemoError, Progress};
use crate::embedded::GENESIS_HASH;
use crate::embedded::Price;
use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use backstop::error::BackstopError;
use backstop::peril::evidence::{Phase, TermsInput, Window};
use backstop::peril::feed::Source;
use backstop::state::{self, Access, CoverRequest, PoolKind, Tranche, Trigger, day_of};
use backstop::{BuyCoverArgs, CreatePoolArgs, DepositArgs, InitializeArgs};
use backstop_client::address;
use backstop_client::instruction::{self as ix, NewProduct, PoolKeys, ProductKeys};
use backstop_client::quote;
use backstop_client::view::report::SlotReport;
use solana_sdk::signature::Keypair;
use solana_sdk::signer::Signer;
use std::collections::BTreeMap;
use std::time::Instant;

/// Steps besides the prices, for the progress bar.
const OTHER_STEPS: u64 = 7;

/// Plays a scenario.
pub(super) fn play(scenario: &Scenario, progress: &mut dyn FnMut(Progress)) -> Result<Report, DemoError> {
    let begun = Instant::now();
    let total = scenario.prints.len() as u64 + OTHER_STEPS;
    let mut done = 0;
    let mut tell = |next: &str| {
        progress(Progress { done, total, next });
        done += 1;
    };
    tell("starting a cluster and loading the program");
    let mut story = Story::begin(scenario)?;
    tell("creating the protocol, its pools, two products and two treaties");
    story.found()?;
    tell("taking capital in");
    story.take_capital()?;
    tell("beginning the treaties");
    story.begin_treaties()?;
    tell("selling covers");
    story.sell_early_covers()?;
    tell("ceding premium");
    story.cede_premium_in_calm_times()?;
    for (number, print) in scenario.prints.iter().enumerate() {
        tell("replaying March 2023");
        let next_at = scenario.prints.get(number + 1).map(|next| next.publish_time);
        story.show(*print)?;
        if number == 0 {
            story.before_the_event()?;
        }
        story.try_what_is_not_allowed()?;
        story.settle_if_due(next_at)?;
    }
    tell("looking at the books");
    story.finish(begun)
}

/// Somebody's wallet.
struct Person {
    key: Keypair,
    /// What the wallet has to hold by what was paid in and out.
    due: u64,
}

/// A cover on its way.
struct Sold {
    report: Cover,
    product: usize,
    mint: Pubkey,
    quoted: u64,
    onchain_days: (i64, i64),
}

impl Sold {
    /// Its premium, as the pool earns it: from the first insured second to the end.
    fn stream(&self) -> expect::Stream {
        let Cover { premium, active_from, end, .. } = self.report;
        expect::Stream { premium, from: active_from, to: end, until: end }
    }
}

/// When the premium of the product that is over ceased to be earned.
#[derive(Clone, Copy)]
struct Ended {
    /// When the alert began: up to then the pool had earned.
    accrued_at: i64,
    /// When the challenge ended, and the protection.
    at: i64,
}

struct Story<'a> {
    scenario: &'a Scenario,
    chain: Chain,
    governance: Keypair,
    asset: Pubkey,
    covered: Pubkey,
    price_account: Pubkey,
    forged_account: Pubkey,
    pool: PoolKeys,
    tower: Vec<tower::Tier>,
    products: Vec<ProductKeys>,
    people: BTreeMap<&'static str, Person>,
    next_nonce: u64,
    capital: Vec<Capital>,
    covers: Vec<Sold>,
    prints: Vec<PrintSeen>,
    moments: Vec<Moment>,
    incident: Option<Incident>,
    ended: Option<Ended>,
    layers: Vec<Layer>,
    share_prices: Vec<SharePrices>,
    refusals: Vec<Refusal>,
    untouched_by_refusals: bool,
    checks: Vec<Check>,
}

impl<'a> Story<'a> {
    fn begin(scenario: &'a Scenario) -> Result<Self, DemoError> {
        let asset = keypair(2).pubkey();
        let pool = PoolKeys::derive(asset, anchor_spl::token::ID, 0);
        let mut chain = Chain::start(FOUNDED_AT, keypair(0))?;
        let covered = keypair(3).pubkey();
        for mint in [asset, covered] {
            chain.cluster.create_mint(mint, DECIMALS, &chain.payer.pubkey());
        }
        let mut people = BTreeMap::new();
        for (number, (name, assets)) in (100..).zip(PEOPLE) {
            let key = keypair(number);
            chain.hand_out(&key.pubkey(), &asset, assets);
            people.insert(name, Person { key, due: assets });
        }
        Ok(Self {
            scenario,
            chain,
            governance: keypair(1),
            asset,
            covered,
            price_account: keypair(4).pubkey(),
            forged_account: keypair(5).pubkey(),
            pool,
            tower: tower::Tier::all(pool),
            products: (0..).zip(&PRODUCTS).map(|(id, _)| ProductKeys::derive(pool, id)).collect(),
            people,
            next_nonce: 0,
            capital: Vec::new(),
            covers: Vec::new(),
            prints: Vec::new(),
            moments: Vec::new(),
            incident: None,
            ended: None,
            layers: Vec::new(),
            share_prices: Vec::new(),
            refusals: Vec::new(),
            untouched_by_refusals: true,
            checks: Vec::new(),
        })
    }

    // ---- what happens ----

    /// Protocol, pools, treaties and products. What a pool announces before anybody has entrusted it anything needs no
    /// notice.
    fn found(&mut self) -> Result<(), DemoError> {
        let (payer, governance) = (self.chain.payer.pubkey(), self.governance.pubkey());
        let roles = InitializeArgs {
            governance,
            guardian: governance,
            risk_keeper: governance,
            genesis_hash: GENESIS_HASH.to_bytes(),
        };
        self.run("the protocol is created", "initialize", None, &[ix::initialize(payer, payer, roles)])?;
        self.create_pool("cover", self.pool, 0, PoolKind::Cover, Access::Open)?;
        self.announce_treaties()?;
        for (id, (keys, insured)) in (0..).zip(self.products.iter().zip(&PRODUCTS)) {
            let product = NewProduct {
                name: insured.name.into(),
                uri: format!("https://backstop.example/files/usdc-{}.json", insured.key),
                wording_hash: [9; 32],
                covered_asset: self.covered,
                terms: product_terms(insured.risk_rate_ppb),
                source: Source::PythReceiver,
                feed: FEED,
                attestors: None,
                vaults: Vec::new(),
                condition: insured.condition,
            };
            let [announce, condition] = product.instructions(governance, payer, keys, id);
            let signers = [&self.governance];
            self.chain.run("a product is announced", "create_product", &signers, &[announce])?;
            self.chain.run("its condition is set", "set_condition", &signers, &[condition])?;
        }
        Ok(())
    }

    fn create_pool(
        &mut self,
        name: &'static str,
        keys: PoolKeys,
        id: u16,
        kind: PoolKind,
        access: Access,
    ) -> Result<(), DemoError> {
        let deposit_authority = Pubkey::default();
        let uri = "https://backstop.example/files/usdt-pool.json".into();
        let args = CreatePoolArgs { id, kind, access, deposit_authority, label: "USDT".into(), uri, terms: POOL_TERMS };
        let create = ix::create_pool(self.governance.pubkey(), self.chain.payer.pubkey(), &keys, args);
        self.chain.watch(name, keys);
        self.chain.run("a pool is created", "create_pool", &[&self.governance], &[create])?;
        Ok(())
    }

    /// Surplus, junior and senior capital, for the pool and for those that will reinsure it.
    fn take_capital(&mut self) -> Result<(), DemoError> {
        for (who, tranche, amount) in CAPITAL {
            let capital = self.put_in(self.pool, who, tranche, amount)?;
            self.capital.push(capital);
        }
        self.note_share_prices("start")?;
        self.capitalise_reinsurers()
    }

    /// Gives to a pool's surplus, or deposits into one of its tranches.
    fn put_in(
        &mut self,
        pool: PoolKeys,
        who: &'static str,
        tranche: Option<Tranche>,
        amount: u64,
    ) -> Result<Capital, DemoError> {
        let owner = self.id(who);
        let (layer, shares) = match tranche {
            None => {
                let give = ix::contribute_surplus(&pool, owner, amount, self.seen(&pool)?);
                self.run(&format!("{who} gives to a surplus"), "contribute_surplus", Some(who), &[give])?;
                ("surplus", 0)
            }
            Some(tranche) => {
                let seen = self.seen(&pool)?;
                let args = DepositArgs { tranche, amount, min_shares: 0, seen };
                let deposit = [self.create_share_account(&pool, owner, tranche), ix::deposit(&pool, owner, None, args)];
                self.run(&format!("{who} deposits"), "deposit", Some(who), &deposit)?;
                let layer = if tranche == Tranche::Junior { "junior" } else { "senior" };
                (layer, self.chain.tokens(&pool.shares_of(&owner, tranche))?)
            }
        };
        self.owes(who, amount);
        Ok(Capital { layer: layer.into(), who: who.into(), amount, shares })
    }

    /// A day later, at a calm price, three buyers buy four covers.
    fn sell_early_covers(&mut self) -> Result<(), DemoError> {
        self.chain.cluster.set_time(SOLD_AT);
        self.post(CALM_PRICE_E8, SOLD_AT);
        self.observe(STRESS)?;
        self.observe(SEVERE)?;
        EARLY_COVERS.into_iter().try_for_each(|(buyer, product, sum)| self.sell(buyer, product, sum))
    }

    /// Asks for a price, then buys for no more than that.
    fn sell(&mut self, buyer: &'static str, product: usize, sum_insured: u64) -> Result<(), DemoError> {
        let keys = self.product(product);
        let request = CoverRequest { sum_insured, term_days: TERM_DAYS };
        let step = format!("{buyer} asks what a cover costs");
        let answer = self.run(&step, "quote", None, &[ix::quote(&keys, request)])?.return_data;
        let quoted = quote::decode(&answer).ok_or(DemoError::NoQuote)?.premium;

        let before = self.balance(buyer)?;
        let (mint, buy) = self.buy(buyer, product, sum_insured, quoted);
        self.run(&format!("{buyer} buys a cover"), "buy_cover", Some(buyer), &[buy])?;
        let premium = before - self.balance(buyer)?;
        self.owes(buyer, quoted);
        let now = self.now();
        let cover: state::Cover = self.chain.read(&address::cover(&mint))?;
        self.happened(What::CoverSold, Some(buyer), Some(product), Some(premium));
        // The wording: from the first midnight (UTC) at least the waiting time after the purchase, for the term.
        let day = i64::from(DAY);
        let active_from = (now + day + day - 1).div_euclid(day) * day;
        self.covers.push(Sold {
            report: Cover {
                holder: buyer.into(),
                product: PRODUCTS[product].key.into(),
                mint: mint.to_string(),
                sum_insured,
                premium,
                bought_at: now,
                active_from,
                end: active_from + i64::from(TERM_DAYS) * day,
                due: "none".into(),
                expected: 0,
                premium_back: 0,
                paid: 0,
            },
            product,
            mint,
            quoted,
            onchain_days: (cover.active_from(), cover.end()),
        });
        Ok(())
    }

    /// Shows a price to both triggers, a second after it was published.
    fn show(&mut self, print: Print) -> Result<(), DemoError> {
        self.chain.cluster.set_time(print.publish_time + 1);
        self.post(print.price_e8, print.publish_time);
        self.observe(STRESS)?;
        self.observe(SEVERE)?;
        let (stress, severe) = (self.evidence(STRESS)?, self.evidence(SEVERE)?);
        self.prints.push(PrintSeen { publish_time: print.publish_time, price_e8: print.price_e8, stress, severe });
        Ok(())
    }

    /// Hours before the event: premium is earned up to now, somebody forges a price, and somebody buys late.
    fn before_the_event(&mut self) -> Result<(), DemoError> {
        self.run("premium is earned", "accrue", None, &[ix::accrue(self.pool.pool)])?;
        self.note_share_prices("before_event")?;
        self.cede_premium()?;

        let real = self.chain.cluster.svm().get_account(&self.price_account);
        if let Some(mut forged) = real {
            forged.owner = self.id(EVE);
            self.chain.cluster.set_account(self.forged_account, forged);
        }
        let forged = ix::observe(&self.product(STRESS), self.forged_account);
        let tried = "shows a price account that she wrote herself";
        self.attempt(EVE, tried, BackstopError::OracleWrongOwner, &[forged])?;

        let (buyer, product, sum_insured) = LATE_COVER;
        self.sell(buyer, product, sum_insured)
    }

    /// What people try as soon as there is a reason to.
    fn try_what_is_not_allowed(&mut self) -> Result<(), DemoError> {
        let phases: Vec<&str> = self.prints.iter().map(|seen| seen.stress.phase.as_str()).collect();
        match phases.as_slice() {
            [.., "quiet", "breaching"] => {
                let (_, buy) = self.buy(EVE, STRESS, 10_000 * ONE, u64::MAX);
                let tried = "buys cover while the price is falling";
                self.attempt(EVE, tried, BackstopError::TriggerNotQuiet, &[buy])?;
                let deposit = self.deposit_of(EVE)?;
                let tried = "deposits while the pool is in alert";
                self.attempt(EVE, tried, BackstopError::PoolInAlert, &deposit)
            }
            [.., "breaching", "met"] => {
                let confirm = ix::confirm(&self.product(STRESS));
                let tried = "confirms before the challenge is over";
                self.attempt(ANNA, tried, BackstopError::NotDue, &[confirm])
            }
            _ => Ok(()),
        }
    }

    /// A deposit into the senior tranche that somebody tries.
    fn deposit_of(&self, name: &str) -> Result<[Instruction; 2], DemoError> {
        let (owner, seen) = (self.id(name), self.seen(&self.pool)?);
        let args = DepositArgs { tranche: Tranche::Senior, amount: 100 * ONE, min_shares: 0, seen };
        let create = self.create_share_account(&self.pool, owner, Tranche::Senior);
        Ok([create, ix::deposit(&self.pool, owner, None, args)])
    }

    /// What a depositor who looks now sees of what a pool stands behind.
    fn seen(&self, pool: &PoolKeys) -> Result<state::Seen, DemoError> {
        Ok(self.chain.read::<state::Pool>(&pool.pool)?.seen())
    }

    /// Once the stress trigger's challenge is over before the next price: confirm, open, fund, call, pay, close. As long as
    /// the other product may fall as well, its holders' part of the capital waits for them: the rest is paid after a
    /// later price.
    fn settle_if_due(&mut self, next_at: Option<i64>) -> Result<(), DemoError> {
        let keys = self.product(STRESS);
        if self.incident.is_none() {
            let Some(window) = self.window(STRESS)? else { return Ok(()) };
            let due_at = window.contradicted_until + 1;
            if next_at.is_some_and(|next| next <= due_at) {
                return Ok(());
            }
            self.chain.cluster.set_time(due_at.max(self.now()));
            self.run("the trigger is confirmed", "confirm", None, &[ix::confirm(&keys)])?;
            self.happened(What::Confirmed, None, Some(STRESS), None);
            self.open(&keys)?;
        }
        if self.moments.iter().all(|moment| moment.what != What::IncidentClosed) {
            self.fund(&keys)?;
            self.pay(&keys)?;
            self.close_if_paid(&keys)?;
        }
        Ok(())
    }

    fn open(&mut self, keys: &ProductKeys) -> Result<(), DemoError> {
        let open = ix::open_incident(keys, self.chain.payer.pubkey(), CRISIS);
        self.run("the incident is opened", "open_incident", None, &[open])?;
        let opened: state::Incident = self.chain.read(&keys.incident())?;
        let challenge = i64::from(PRODUCTS[STRESS].condition.challenge_seconds);
        self.ended = Some(Ended { accrued_at: opened.accrued_at, at: self.scenario.stated.met_at + challenge });
        self.happened(What::IncidentOpened, None, Some(STRESS), Some(opened.gross));
        let before = self.loss_capital(&self.pool)?;
        self.layers = layers(before, before);
        self.pay_before_the_treaties(keys)?;
        self.call_treaties(keys)
    }

    /// Gives the incident all that is there for it now, if that is more than it has.
    fn fund(&mut self, keys: &ProductKeys) -> Result<(), DemoError> {
        // Time may have ended what was an alert of the other product. If it did not, the crisis stays open for it.
        let now = self.now();
        let severe: state::Trigger = self.chain.read(&self.product(SEVERE).trigger())?;
        if severe.phase_at(now) != severe.evidence.phase() {
            let refresh = ix::refresh(&self.product(SEVERE));
            self.run("the other trigger is brought up to now", "refresh", None, &[refresh])?;
        }
        let mut books: state::Pool = self.chain.read(&self.pool.pool)?;
        let opened: state::Incident = self.chain.read(&keys.incident())?;
        let first = self.incident.is_none();
        let due = books.crisis_is_due(now);
        let mut gets_more = || books.give(opened.gross, opened.reserve).is_ok_and(|giving| giving.amount > 0);
        if due || gets_more() {
            self.run("the incident is funded", "fund_incident", None, &[ix::fund_incident(keys, CRISIS)])?;
        } else if !first {
            return Ok(());
        }
        let funded: state::Incident = self.chain.read(&keys.incident())?;
        self.happened(What::IncidentFunded, None, Some(STRESS), Some(funded.reserve));
        let mut before = [0; 3];
        for (before, layer) in before.iter_mut().zip(&self.layers) {
            *before = layer.before;
        }
        self.layers = layers(before, self.loss_capital(&self.pool)?);
        if first {
            self.note_share_prices("after_payout")?;
        }
        self.incident = Some(Incident {
            address: keys.incident().to_string(),
            product: PRODUCTS[STRESS].key.into(),
            event_at: funded.event_at,
            severity_bps: funded.severity_bps,
            gross: funded.gross,
            ceded: funded.treaties.iter().map(|noted| noted.paid).sum(),
            reserve: funded.reserve,
            ratio_bps: expect::payout(10_000, funded.reserve, funded.gross),
            paid: funded.paid,
            opened_at: funded.opened_at,
            funded_at: self.now(),
        });
        Ok(())
    }

    /// Pays every cover of the product that is due something, called by somebody who holds none.
    fn pay(&mut self, keys: &ProductKeys) -> Result<(), DemoError> {
        let incident: state::Incident = self.chain.read(&keys.incident())?;
        for number in 0..self.covers.len() {
            let Sold { product, mint, ref report, .. } = self.covers[number];
            let Some(holder) = self.name_of(&report.holder) else { continue };
            let cover: state::Cover = self.chain.read(&address::cover(&mint))?;
            if product != STRESS || incident.payout(&cover).is_err() {
                continue;
            }
            let what = if report.active_from > self.now() { What::PremiumReturned } else { What::CoverPaid };
            let before = self.balance(holder)?;
            let settle = ix::settle_cover(keys, self.id(holder), mint);
            self.run(&format!("{holder}'s cover is paid"), "settle_cover", None, &[settle])?;
            let paid = self.balance(holder)? - before;
            self.covers[number].report.paid += paid;
            self.happened(what, Some(holder), Some(STRESS), Some(paid));
        }
        let settled: state::Incident = self.chain.read(&keys.incident())?;
        if let Some(incident) = &mut self.incident {
            incident.paid = settled.paid;
        }
        Ok(())
    }

    /// Closes the incident once everybody is paid in full and its crisis is over, and tries to get more out of it.
    fn close_if_paid(&mut self, keys: &ProductKeys) -> Result<(), DemoError> {
        let paid: state::Incident = self.chain.read(&keys.incident())?;
        let books: state::Pool = self.chain.read(&self.pool.pool)?;
        if books.in_crisis() || !paid.may_close(self.now()) {
            return Ok(());
        }
        let first = self.covers.iter().find(|sold| sold.product == STRESS);
        let first = first.and_then(|sold| Some((self.name_of(&sold.report.holder)?, sold.mint)));
        if let Some((holder, mint)) = first {
            let again = ix::settle_cover(keys, self.id(holder), mint);
            self.attempt(holder, "has the same cover paid twice", BackstopError::CoverNotActive, &[again])?;
        }
        let payer = self.chain.payer.pubkey();
        let open = ix::open_incident(&self.product(SEVERE), payer, ix::next_crisis(&books));
        self.attempt(CHEN, "claims on the severe product", BackstopError::NotTriggered, &[open])?;
        let close = ix::close_incident(keys, payer, Some((CRISIS, payer)));
        self.run("the incident is closed", "close_incident", None, &[close])?;
        self.happened(What::IncidentClosed, None, Some(STRESS), None);
        Ok(())
    }

    // ---- what it comes to ----

    fn finish(mut self, begun: Instant) -> Result<Report, DemoError> {
        for pool in self.all_pools() {
            self.run("premium is earned", "accrue", None, &[ix::accrue(pool.pool)])?;
        }
        self.note_share_prices("end")?;
        self.cede_premium()?;
        self.check_triggers()?;
        self.check_payouts()?;
        self.check_tower()?;
        self.check_refusals();
        self.check_books();
        let products = (0..PRODUCTS.len()).map(|number| self.product_report(number)).collect::<Result<_, _>>()?;
        let executable = self.chain.cluster.svm().get_account(&address::program_data());
        // The loader's header before the executable: kind, slot, authority.
        const LOADER_HEADER: usize = 45;
        let bytes = executable.map_or(0, |account| account.data.len().saturating_sub(LOADER_HEADER)) as u64;
        let asset =
            |symbol: &str, mint: Pubkey| Asset { symbol: symbol.into(), mint: mint.to_string(), decimals: DECIMALS };
        Ok(Report {
            prices_from: "Chainlink, rounds of the USDC/USD feed".into(),
            confidence_e8: self.scenario.confidence_e8,
            program: Program { id: backstop::ID.to_string(), bytes },
            asset: asset("USDT", self.asset),
            covered: asset("USDC", self.covered),
            pool: self.pool.pool.to_string(),
            products,
            treaties: self.treaty_reports()?,
            reinsurers: self.reinsurer_reports()?,
            waterfall: self.waterfall(),
            ledger: self.ledger(&self.pool)?,
            capital: self.capital,
            covers: self.covers.into_iter().map(|sold| sold.report).collect(),
            prints: self.prints,
            moments: self.moments,
            incident: self.incident,
            layers: self.layers,
            share_prices: self.share_prices,
            refusals: self.refusals,
            transactions: self.chain.transactions,
            compute_units: self.chain.costs().iter().filter_map(cost).collect(),
            holds: self.checks.iter().all(|check| check.holds),
            checks: self.checks,
            elapsed_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        })
    }

    // ---- reading ----

    fn product(&self, number: usize) -> ProductKeys {
        self.products[number]
    }

    fn id(&self, name: &str) -> Pubkey {
        self.people.get(name).map(|person| person.key.pubkey()).unwrap_or_default()
    }

    fn name_of(&self, name: &str) -> Option<&'static str> {
        self.people.keys().copied().find(|known| *known == name)
    }

    fn now(&self) -> i64 {
        self.chain.cluster.time()
    }

    fn balance(&self, name: &str) -> Result<u64, DemoError> {
        self.chain.tokens(&self.pool.assets_of(&self.id(name)))
    }

    /// The pool, and those that reinsure it.
    fn all_pools(&self) -> Vec<PoolKeys> {
        std::iter::once(self.pool).chain(self.tower.iter().map(|tier| tier.reinsurer)).collect()
    }

    /// Surplus, junior and senior capital.
    fn loss_capital(&self, keys: &PoolKeys) -> Result<[u64; 3], DemoError> {
        let pool: state::Pool = self.chain.read(&keys.pool)?;
        let [junior, senior] = pool.tranches;
        Ok([pool.surplus, junior.total(), senior.total()])
    }

    fn ledger(&self, keys: &PoolKeys) -> Result<Ledger, DemoError> {
        let pool: state::Pool = self.chain.read(&keys.pool)?;
        let [junior, senior] = pool.tranches;
        Ok(Ledger {
            vault: self.chain.tokens(&keys.vault())?,
            cash: pool.cash,
            surplus: pool.surplus,
            junior: junior.total(),
            senior: senior.total(),
            unearned_premium: pool.unearned_premium,
            incident_reserves: pool.incident_reserves,
            exit_reserves: pool.exit_reserves,
            treaty_payable: pool.treaty_payable.iter().sum(),
        })
    }

    fn evidence(&self, product: usize) -> Result<Evidence, DemoError> {
        let trigger: Trigger = self.chain.read(&self.product(product).trigger())?;
        Ok(Evidence {
            phase: phase_name(trigger.phase()).into(),
            credited_slots: trigger.evidence.longest_credited(&trigger.terms).into(),
        })
    }

    fn window(&self, product: usize) -> Result<Option<Window>, DemoError> {
        let trigger: Trigger = self.chain.read(&self.product(product).trigger())?;
        Ok(trigger.evidence.window(&trigger.terms))
    }

    fn product_report(&self, number: usize) -> Result<Product, DemoError> {
        let keys = self.product(number);
        let insured = &PRODUCTS[number];
        let product: state::Product = self.chain.read(&keys.product)?;
        let trigger: Trigger = self.chain.read(&keys.trigger())?;
        let Trigger { terms, evidence, .. } = &trigger;
        let triggered = trigger.phase().is_triggered();
        let TermsInput { duration_seconds, tolerance_seconds, challenge_seconds, .. } = insured.condition;
        Ok(Product {
            key: insured.key.into(),
            name: product.name().into(),
            address: keys.product.to_string(),
            threshold_e8: terms.threshold,
            recovery_e8: terms.recovery,
            full_loss_e8: insured.condition.severity.full_loss_price(),
            duration_seconds,
            slot_seconds: terms.slot_seconds,
            tolerance_seconds,
            challenge_seconds,
            confidence_multiplier: terms.confidence_multiplier,
            needed_slots: terms.need.into(),
            credited_slots: evidence.longest_credited(terms).into(),
            phase: phase_name(trigger.phase()).into(),
            triggered,
            event_at: triggered.then_some(evidence.event_at),
            met_at: triggered.then_some(evidence.met_at),
            triggered_at: triggered.then(|| evidence.met_at + i64::from(terms.challenge)),
            mean_price_e8: triggered.then_some(evidence.lowest_mean),
            severity_bps: triggered.then_some(evidence.severity_bps),
            exposure: product.exposure,
            paid: self.covers.iter().filter(|sold| sold.product == number).map(|sold| sold.report.paid).sum(),
            slots: SlotReport::known(terms, evidence, evidence.window(terms)),
        })
    }

    // ---- doing ----

    fn run(
        &mut self,
        step: &str,
        name: &'static str,
        signer: Option<&str>,
        instructions: &[Instruction],
    ) -> Result<backstop_client::cluster::Receipt, DemoError> {
        let signers: Vec<&Keypair> =
            signer.and_then(|signer| self.people.get(signer)).map(|person| &person.key).into_iter().collect();
        self.chain.run(step, name, &signers, instructions)
    }

    fn attempt(
        &mut self,
        who: &'static str,
        tried: &str,
        expected: BackstopError,
        instructions: &[Instruction],
    ) -> Result<(), DemoError> {
        let signers: Vec<&Keypair> = self.people.get(who).map(|person| &person.key).into_iter().collect();
        let (answer, untouched) = self.chain.attempt(&format!("{who} {tried}"), &signers, instructions)?;
        self.untouched_by_refusals &= untouched;
        self.refusals.push(Refusal {
            at: self.chain.cluster.time(),
            who: who.into(),
            tried: tried.into(),
            expected: format!("{expected:?}"),
            error: answer.map(|error| format!("{error:?}")),
            code: answer.map(u32::from),
            message: answer.map(|error| error.to_string()),
        });
        Ok(())
    }

    fn post(&mut self, price_e8: u64, publish_time: i64) {
        let price = Price::e8(i64::try_from(price_e8).unwrap_or(i64::MAX), self.scenario.confidence_e8, publish_time);
        self.chain.cluster.post_price(self.price_account, FEED, price);
    }

    fn observe(&mut self, product: usize) -> Result<(), DemoError> {
        let observe = ix::observe(&self.product(product), self.price_account);
        self.run("a price is shown", "observe", None, &[observe])?;
        Ok(())
    }

    fn buy(&mut self, buyer: &str, product: usize, sum_insured: u64, max_premium: u64) -> (Pubkey, Instruction) {
        self.next_nonce += 1;
        let (keys, id, nonce) = (self.product(product), self.id(buyer), self.next_nonce);
        let request = CoverRequest { sum_insured, term_days: TERM_DAYS };
        let day = day_of(self.now());
        let args = BuyCoverArgs { nonce, day, request, max_premium };
        let mint = address::cover_mint(&keys.product, &id, nonce, day);
        (mint, ix::buy_cover(&keys, self.chain.payer.pubkey(), id, id, args))
    }

    fn create_share_account(&self, pool: &PoolKeys, owner: Pubkey, tranche: Tranche) -> Instruction {
        let mint = pool.share_mint(tranche);
        ix::create_associated_token(&self.chain.payer.pubkey(), &owner, &mint, &anchor_spl::token_2022::ID)
    }

    // ---- noting ----

    fn owes(&mut self, name: &str, amount: u64) {
        if let Some(person) = self.people.get_mut(name) {
            person.due = person.due.saturating_sub(amount);
        }
    }

    fn owed_to(&mut self, name: &str, amount: u64) {
        if let Some(person) = self.people.get_mut(name) {
            person.due += amount;
        }
    }

    fn happened(&mut self, what: What, who: Option<&str>, product: Option<usize>, amount: Option<u64>) {
        let product = product.map(|number| PRODUCTS[number].key.to_owned());
        self.moments.push(Moment { at: self.now(), what, who: who.map(Into::into), product, amount });
    }

    fn note_share_prices(&mut self, moment: &str) -> Result<(), DemoError> {
        let pool: state::Pool = self.chain.read(&self.pool.pool)?;
        let [junior_e6, senior_e6] = pool.tranches.map(|book| share_price_e6(book.shares, book.assets));
        self.share_prices.push(SharePrices { moment: moment.into(), at: self.now(), junior_e6, senior_e6 });
        Ok(())
    }
}

/// What surplus, junior and senior capital lost.
fn layers(before: [u64; 3], after: [u64; 3]) -> Vec<Layer> {
    let lost = ["surplus", "junior", "senior"].into_iter().zip(before.into_iter().zip(after));
    let layer = |(layer, (before, after)): (&str, (u64, u64))| {
        let lost = before.saturating_sub(after);
        Layer { layer: layer.into(), before, lost, after }
    };
    lost.map(layer).collect()
}

/// What a whole share (10^9 units) is worth in units of the asset (10^-6), rounded down: the tranche's assets over its
/// shares, with the virtual position of 1 asset unit and 1,000 share units in both.
fn share_price_e6(shares: u64, assets: u64) -> u64 {
    let whole_share = u128::from(ONE) * 1_000;
    (whole_share * (u128::from(assets) + 1) / (u128::from(shares) + 1_000)) as u64
}

fn cost((instruction, units): &(&str, Vec<u64>)) -> Option<Cost> {
    let mut sorted = units.clone();
    sorted.sort_unstable();
    Some(Cost {
        instruction: (*instruction).into(),
        calls: sorted.len() as u64,
        min: *sorted.first()?,
        median: *sorted.get(sorted.len() / 2)?,
        max: *sorted.last()?,
    })
}

fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Quiet => "quiet",
        Phase::Breaching => "breaching",
        Phase::Met => "met",
        Phase::Triggered => "triggered",
        Phase::Final => "final",
    }
}

/// Number of the crisis that the stress event begins: the pool's first.
const CRISIS: u32 = 1;

/// A keypair that is the same in every run.
fn keypair(number: u8) -> Keypair {
    let mut seed = *b"the demo's wallets, of no value.";
    seed[31] = number;
    Keypair::new_from_array(seed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::chain::Rule;
    use backstop_client::cluster::Cluster;

    /// A story with capital in the pool, and one transaction after somebody wrote a number into an account.
    fn broken_after(account: fn(&Story) -> Pubkey, offset: usize, add: i64) -> BTreeMap<Rule, String> {
        let scenario = Scenario::march_2023();
        let mut story = Story::begin(&scenario).unwrap();
        story.found().unwrap();
        story.take_capital().unwrap();
        assert!(story.chain.books.broken.is_empty());
        let address = account(&story);
        let mut bytes = story.chain.cluster.account(&address).unwrap().unwrap();
        let number: &mut [u8; 8] = bytes.data[offset..].first_chunk_mut().unwrap();
        *number = u64::from_le_bytes(*number).wrapping_add_signed(add).to_le_bytes();
        story.chain.cluster.set_account(address, bytes);
        story.run("the protocol is left alone", "quote", None, &[]).unwrap();
        story.chain.books.broken
    }

    #[test]
    fn a_vault_below_its_books_is_noticed() {
        let broken = broken_after(|story| story.pool.vault(), 64, -1);
        assert_eq!(broken.keys().copied().collect::<Vec<_>>(), [Rule::Vault, Rule::Conservation]);
        assert!(broken[&Rule::Vault].contains("the vault holds 204999999999, the books say 205000000000"));
    }

    #[test]
    fn a_vault_above_its_books_only_breaks_conservation() {
        let broken = broken_after(|story| story.pool.vault(), 64, 1);
        assert_eq!(broken.keys().copied().collect::<Vec<_>>(), [Rule::Conservation]);
    }

    #[test]
    fn the_books_of_the_reinsurers_are_looked_at_too() {
        let broken = broken_after(|story| story.tower[LAYER].reinsurer.vault(), 64, -1);
        assert!(broken[&Rule::Vault].contains("open pool: the vault holds 11999999999, the books say 12000000000"));
        let surplus = 8 + std::mem::offset_of!(state::Pool, surplus);
        let broken = broken_after(|story| story.tower[QUOTA_SHARE].reinsurer.pool, surplus, 1);
        assert_eq!(broken.keys().copied().collect::<Vec<_>>(), [Rule::Ledger]);
    }

    #[test]
    fn shares_beyond_the_books_are_noticed() {
        let broken = broken_after(|story| story.pool.share_mint(Tranche::Junior), 36, 1);
        assert_eq!(broken.keys().copied().collect::<Vec<_>>(), [Rule::Shares]);
        let broken = broken_after(|story| story.pool.share_mint(Tranche::Junior), 36, -1);
        assert!(broken.is_empty(), "holders may burn shares");
    }

    #[test]
    fn a_ledger_that_does_not_sum_to_its_cash_is_noticed() {
        let surplus = 8 + std::mem::offset_of!(state::Pool, surplus);
        let broken = broken_after(|story| story.pool.pool, surplus, 1);
        assert_eq!(broken.keys().copied().collect::<Vec<_>>(), [Rule::Ledger]);
    }
}
