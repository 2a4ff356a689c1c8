//! Runs operations on the chain and on the model, and holds one against the other after each.

use super::compare::{View, compare};
use super::invariants::{ALL, Change, Forest, Step, error_of};
use super::live::Says;
use super::model::{APART, Model, N, Phase};
use super::op::{Op, Part, Who};
use super::scene::{PEOPLE, Scene};
use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use backstop::peril::evidence::SlotState;
use solana_sdk::account::{AccountSharedData, ReadableAccount};
use solana_sdk::signer::Signer;
use std::collections::BTreeMap;
use std::rc::Rc;

/// What went wrong, and where.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The rule: what shrinking keeps.
    pub rule: String,
    /// The rest.
    pub detail: String,
}

/// Counts of a run.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// Sequences.
    pub sequences: u64,
    /// Actions.
    pub actions: u64,
    /// Transactions sent.
    pub transactions: u64,
    /// Instructions of the program executed.
    pub instructions: u64,
    /// Accepted and refused, by kind.
    pub kinds: BTreeMap<String, [u64; 2]>,
    /// Refusals by error.
    pub refusals: BTreeMap<String, u64>,
    /// Incidents funded, those funded with less than what was due, tranches wiped out, partly filled epochs.
    pub notable: BTreeMap<&'static str, u64>,
}

impl Totals {
    /// Adds another run's counts.
    pub fn add(&mut self, other: &Totals) {
        self.sequences += other.sequences;
        self.actions += other.actions;
        self.transactions += other.transactions;
        self.instructions += other.instructions;
        for (kind, counts) in &other.kinds {
            let entry = self.kinds.entry(kind.clone()).or_default();
            entry[0] += counts[0];
            entry[1] += counts[1];
        }
        for (error, count) in &other.refusals {
            *self.refusals.entry(error.clone()).or_default() += count;
        }
        for (what, count) in &other.notable {
            *self.notable.entry(what).or_default() += count;
        }
    }

    /// As a table.
    pub fn table(&self) -> String {
        let mut text = format!(
            "sequences {}, actions {}, transactions {}, program instructions {}\n",
            self.sequences, self.actions, self.transactions, self.instructions
        );
        text.push_str("| operation | accepted | refused |\n|---|--:|--:|\n");
        for (kind, [accepted, refused]) in &self.kinds {
            text.push_str(&format!("| {kind} | {accepted} | {refused} |\n"));
        }
        let pairs = |map: Vec<(String, u64)>| {
            map.iter().map(|(what, count)| format!("{what} {count}")).collect::<Vec<_>>().join(", ")
        };
        let refusals = self.refusals.iter().map(|(error, count)| (error.clone(), *count)).collect();
        let notable = self.notable.iter().map(|(what, count)| ((*what).to_owned(), *count)).collect();
        text.push_str(&format!("refusals: {}\nnotable: {}\n", pairs(refusals), pairs(notable)));
        text
    }
}

/// A sequence in progress.
pub struct Driver<'a> {
    /// The scene.
    pub scene: &'a Scene,
    /// The model.
    pub model: Model,
    /// True prices of the two feeds: since when, and what.
    pub prices: [Vec<(i64, u64)>; 2],
    /// Operations so far, with what became of them.
    pub log: Vec<String>,
    /// Counts.
    pub totals: Totals,
    /// Whether somebody sends lamports ahead to every address that the next operations create.
    pub squat: bool,
    /// Whether the next operation that needs signatures is tried without them first.
    pub unsigned: bool,
    /// Who tries the next operation that one person alone may sign, before that person does.
    pub impostor: Option<Who>,
    /// What the vaults of products hold now, where that is not what they held at the beginning.
    pub levels: BTreeMap<usize, u64>,
    /// What the accounts of products on live rates say now, where that is not what they said at the beginning.
    pub accounts: BTreeMap<usize, Says>,
    /// What every purchase has become.
    pub forest: Forest,
    view: Rc<View>,
    paid: BTreeMap<usize, N>,
}

/// The accounts that instructions name, as they are: no other account can change.
fn snapshot(scene: &Scene, instructions: &[Instruction]) -> BTreeMap<Pubkey, Option<AccountSharedData>> {
    let svm = scene.world.cluster.svm();
    let named = instructions.iter().flat_map(|one| one.accounts.iter().map(|account| account.pubkey));
    let read = |key: Pubkey| (key, svm.accounts_db().get_account(&key).filter(|account| account.lamports() > 0));
    named.chain([scene.world.payer.pubkey()]).map(read).collect()
}

/// Accounts that differ.
fn changes(
    before: BTreeMap<Pubkey, Option<AccountSharedData>>,
    after: BTreeMap<Pubkey, Option<AccountSharedData>>,
) -> Vec<Change> {
    let both = before.into_iter().zip(after.into_values());
    both.filter(|((_, before), after)| before != after)
        .map(|((key, before), after)| Change { key, before, after })
        .collect()
}

impl<'a> Driver<'a> {
    /// At the beginning of a scene.
    pub fn begin(scene: &'a Scene) -> Self {
        let model = scene.reset();
        let view = View::read(scene, &model, &scene.world.cluster.svm()).expect("the scene is as it was made");
        let par = vec![(model.now - 40 * super::model::DAY, 100_000_000)];
        Self {
            scene,
            view: Rc::new(view),
            prices: [par.clone(), par],
            log: Vec::new(),
            totals: Totals::default(),
            squat: false,
            unsigned: false,
            impostor: None,
            paid: BTreeMap::new(),
            levels: BTreeMap::new(),
            accounts: BTreeMap::new(),
            forest: Forest::default(),
            model,
        }
    }

    /// The chain as it is.
    pub fn view(&self) -> &View {
        &self.view
    }

    fn fail<T>(&self, rule: &str, detail: String) -> Result<T, Failure> {
        Err(Failure { rule: rule.to_owned(), detail })
    }

    /// Runs one operation and checks everything. Returns whether it was accepted.
    pub fn step(&mut self, op: Op) -> Result<bool, Failure> {
        self.forge(&op)?;
        self.step_as(op, "")
    }

    /// Lets others try an operation first, if they are to: without signatures, or signed by somebody else.
    fn forge(&mut self, op: &Op) -> Result<(), Failure> {
        if self.unsigned && self.step_unsigned(op.clone())? {
            self.unsigned = false;
        }
        let Some(mut impostor) = self.impostor else { return Ok(()) };
        let mut forged = op.clone();
        let Some(by) = forged.signer() else { return Ok(()) };
        if *by == impostor {
            impostor = (impostor + 1) % PEOPLE;
        }
        *by = impostor;
        self.impostor = None;
        match self.step_as(forged, "hostile ")? {
            false => Ok(()),
            true => self.fail(&format!("{} is not anybody's", op.name()), format!("{op:?} by {impostor}")),
        }
    }

    /// Runs an operation that has to be accepted.
    pub fn must(&mut self, op: Op) -> Result<(), Failure> {
        let mut copy = self.model.clone();
        let verdict = copy.apply(&op);
        let name = op.name();
        if self.step(op)? { Ok(()) } else { self.fail(&format!("liveness of {name}"), format!("{verdict:?}")) }
    }

    /// Sends an operation that would be accepted without the signatures that it needs: it must not be. Whether
    /// there was such an operation.
    fn step_unsigned(&mut self, op: Op) -> Result<bool, Failure> {
        // Time has no signer, and passes once.
        if op.part() == Part::Clock {
            return Ok(false);
        }
        // A holder who is paid to the own account may sign, and need not.
        if matches!(op, Op::Settle { holder, to, .. } if holder == to) {
            return Ok(false);
        }
        // Nor is a signature asked for where nothing is paid: a lien's payee may have had all of it.
        if let Op::Settle { cover, .. } = op
            && self.model.payout_of_holder(cover).is_ok_and(|(loss, refund, _)| loss + refund == 0)
        {
            return Ok(false);
        }
        if self.model.clone().apply(&op).is_err() {
            return Ok(false);
        }
        self.scene.prepare(&op);
        let mut instructions = self.scene.instructions(&self.model, &op);
        let payer = self.scene.world.payer.pubkey();
        let needed = instructions.iter_mut().flat_map(|one| &mut one.accounts);
        let taken: Vec<_> = needed.filter(|account| account.is_signer && account.pubkey != payer).collect();
        if taken.is_empty() {
            return Ok(false);
        }
        taken.into_iter().for_each(|account| account.is_signer = false);
        let before = snapshot(self.scene, &instructions);
        let sent = self.scene.send(&instructions);
        self.log.push(format!("{op:?} without signatures"));
        self.totals.transactions += 1;
        self.totals.instructions += 1;
        let name = op.name();
        self.totals.kinds.entry(format!("unsigned {name}")).or_default()[usize::from(sent.is_err())] += 1;
        let changed = changes(before, snapshot(self.scene, &instructions)).iter().any(|change| change.key != payer);
        if sent.is_ok() || changed {
            return self.fail(&format!("{name} needs no signature"), format!("{op:?}"));
        }
        Ok(true)
    }

    /// Runs an operation, counted under its name after a prefix.
    pub fn step_as(&mut self, op: Op, prefix: &str) -> Result<bool, Failure> {
        self.scene.prepare(&op);
        if op.part() == Part::Clock {
            self.model.apply(&op).expect("time passes");
            self.log.push(format!("{op:?}"));
            return Ok(true);
        }
        let mut next = self.model.clone();
        let verdict = next.apply(&op);
        let instructions = self.scene.instructions(&self.model, &op);
        if self.squat && self.scene.squat(&instructions) {
            self.log.push("somebody sends lamports to the addresses of the next operation".to_owned());
            *self.totals.notable.entry("addresses squatted").or_default() += 1;
        }
        let before = snapshot(self.scene, &instructions);
        let sent = self.scene.send(&instructions);
        let fee = sent.as_ref().map_or_else(|failed| failed.fee, |receipt| receipt.fee);
        let outcome = sent.map(|receipt| receipt.compute_units_consumed);
        let changes = changes(before, snapshot(self.scene, &instructions));

        self.totals.transactions += 1;
        let ours = instructions.iter().filter(|instruction| instruction.program_id == backstop::ID).count();
        self.totals.instructions += ours as u64;
        let entry = self.totals.kinds.entry(format!("{prefix}{}", op.name())).or_default();
        entry[usize::from(outcome.is_err())] += 1;
        if let Err(failed) = &outcome {
            let named = error_of(failed).map(|error| format!("{error:?}"));
            *self.totals.refusals.entry(named.unwrap_or_else(|| format!("{:?}", failed.error))).or_default() += 1;
        }
        self.log.push(format!("{op:?} -> {}", if outcome.is_ok() { "accepted" } else { "refused" }));

        match (&verdict, &outcome) {
            (Ok(()), Err(failed)) => {
                let detail = format!("{op:?}: {:?}\n{}", failed.error, failed.logs.join("\n"));
                return self.fail(&format!("the model accepts {}, the chain refuses", op.name()), detail);
            }
            (Err(why), Ok(_)) => {
                let rule = format!("the model refuses {}, the chain accepts", op.name());
                return self.fail(&rule, format!("{op:?}: {why}"));
            }
            _ => {}
        }
        let accepted = outcome.is_ok();
        let view = if accepted {
            self.note(&op, &next);
            self.model = next;
            let svm = self.scene.world.cluster.svm();
            let view = View::read(self.scene, &self.model, &svm)
                .and_then(|view| compare(self.scene, &self.model, &svm, &view).map(|()| view));
            let view = view.or_else(|difference| {
                let what = difference.split(" (").next().unwrap_or_default();
                self.fail(&format!("after {}: {what}", op.name()), difference.clone())
            });
            Rc::new(view?)
        } else {
            Rc::clone(&self.view)
        };
        let signers: Vec<Pubkey> = std::iter::once(self.scene.world.payer.pubkey())
            .chain(instructions.iter().flat_map(|one| one.accounts.iter().filter(|a| a.is_signer).map(|a| a.pubkey)))
            .collect();
        let before = std::mem::replace(&mut self.view, view);
        let mut step = Step {
            scene: self.scene,
            op: &op,
            model: &self.model,
            before: &before,
            after: &self.view,
            changes: &changes,
            signers: &signers,
            outcome: &outcome,
            fee,
            paid: &mut self.paid,
            forest: &mut self.forest,
        };
        for invariant in &ALL {
            if let Err(detail) = (invariant.check)(&mut step) {
                let rule = format!("{} ({}) after {}", invariant.number, invariant.says, op.name());
                return Err(Failure { rule, detail });
            }
        }
        Ok(accepted)
    }

    /// Counts what purchases have become.
    pub fn count_trees(&mut self) {
        let trees: Vec<[u64; 5]> = self.forest.trees.values().map(|tree| tree.counts).collect();
        let mut count = |what: &'static str, test: &dyn Fn(&[u64; 5]) -> bool| {
            *self.totals.notable.entry(what).or_default() += trees.iter().filter(|counts| test(counts)).count() as u64;
        };
        count("trees split, reduced and extended", &|counts| counts[..3].iter().all(|times| *times > 0));
        count("trees split and paid", &|counts| counts[0] > 0 && counts[4] > 0);
        count("trees extended and paid", &|counts| counts[2] > 0 && counts[4] > 0);
        count("trees paid more than once", &|counts| counts[4] > 1 + counts[0]);
    }

    /// Counts what is rare.
    fn note(&mut self, op: &Op, next: &Model) {
        let mut count = |what: &'static str, by: usize| {
            if by > 0 {
                *self.totals.notable.entry(what).or_default() += by as u64;
            }
        };
        match *op {
            Op::Fund { product } => {
                let incident = next.products[product].incident.as_ref().expect("it was funded");
                count("incidents funded", 1);
                count("incidents funded in part", usize::from(incident.reserve < incident.gross));
            }
            Op::OpenIncident { product } => {
                let pool = next.products[product].pool;
                let incident = |entry: &&super::model::Product| {
                    let open = |incident: &super::model::Incident| incident.crisis != 0 && incident.reserve == 0;
                    entry.pool == pool && entry.incident.as_ref().is_some_and(open)
                };
                count(
                    "incidents opened beside another",
                    usize::from(next.products.iter().filter(incident).count() > 1),
                );
            }
            Op::SettleEpoch { pool, day, .. } => {
                let open = |epoch: &&super::model::Epoch| (epoch.pool, epoch.day) == (pool, day) && epoch.open > 0;
                count("epochs paid in part", next.epochs.iter().filter(open).count());
            }
            Op::Buy { product, .. } | Op::BuyPosition { product, .. } => {
                count("covers of readings sold", usize::from(next.reading(product).is_some()));
                count("covers of rates sold", usize::from(next.rate(product).is_some()));
            }
            Op::CancelCover { cover, .. } | Op::CancelPosition { cover, .. } | Op::Reduce { cover, .. } => {
                let flat = next.reading(next.covers[cover].product).is_some();
                count("covers of readings given back", usize::from(flat));
            }
            Op::Report { product, .. } => {
                count("reports that stand for one that fell", usize::from(self.model.has_fallen_unnoticed(product)));
            }
            Op::Resolve { product } => {
                let told = &next.reading(product).expect("it is one").told;
                let (is_over, pays) = (told.over_at.is_some(), next.products[product].trigger.severity > 0);
                let insured = next.exposure(product) > 0;
                count(
                    "reports that fell",
                    usize::from(!is_over && self.model.products[product].trigger.phase == Phase::Met),
                );
                count("readings void with covers", usize::from(told.void && insured));
                count("readings that pay covers", usize::from(pays && insured));
                count("readings without a loss with covers", usize::from(is_over && !told.void && !pays && insured));
            }
            Op::Show { product, .. } | Op::Refresh { product } => {
                let (before, after) = (self.model.vaults(product), next.vaults(product));
                let [was, is] = [before, after].map(|vaults| vaults.and_then(|vaults| vaults.armed));
                count("falls that armed", usize::from(was.map(|it| it.at) != is.map(|it| it.at)));
                count(
                    "falls that deepened",
                    usize::from(was.is_some() && was != is && was.map(|it| it.at) == is.map(|it| it.at)),
                );
            }
            Op::Loss { product, .. } => {
                let (phase, exposed) = (next.products[product].trigger.phase, next.exposure(product) > 0);
                count("alerts by a report", usize::from(phase == Phase::Breaching));
                count("losses confirmed with covers", usize::from(phase == Phase::Final && exposed));
            }
            Op::Settle { cover, .. } | Op::SettlePosition { cover, .. } | Op::SettleLien { cover, .. } => {
                let before = next.covers[cover].loss_paid > self.model.covers[cover].loss_paid;
                count("payouts of two keys", usize::from(before && next.vaults(next.covers[cover].product).is_some()));
                count("payouts of rates", usize::from(before && next.rate(next.covers[cover].product).is_some()));
                let (before, after) = (&self.model.covers[cover], &next.covers[cover]);
                let flat = next.reading(after.product).is_some();
                count("payouts of readings", usize::from(flat && after.loss_paid > before.loss_paid));
                count("premiums of void readings given back", usize::from(flat && after.loss_paid == 0));
            }
            _ => {}
        }
        if let Op::ShowRate { product, .. } | Op::Refresh { product } | Op::Confirm { product } = *op {
            let what = rare_of_rate(&self.model, next, product, matches!(op, Op::ShowRate { .. }));
            what.into_iter().for_each(|what| count(what, 1));
        }
        let over = |model: &Model| model.pools.iter().flat_map(|pool| &pool.classes).filter(|class| class.over).count();
        count("tranches wiped out", over(next).saturating_sub(over(&self.model)));
    }
}

/// What happened to a product on a live rate that is rare.
fn rare_of_rate(before: &Model, after: &Model, product: usize, shown: bool) -> Vec<&'static str> {
    let (Some(was_rate), Some(is_rate)) = (before.rate(product), after.rate(product)) else { return Vec::new() };
    let (was, is) = (&before.products[product].trigger, &after.products[product].trigger);
    let (now, exposed) = (after.now, after.exposure(product) > 0);
    let mut rare = Vec::new();
    let mut note = |what, holds: bool| rare.extend(holds.then_some(what));
    let (state, stated) = (was.state(now), is.state(now));
    note("slots that a rate made good", state != stated && stated == SlotState::Good);
    note("slots of a rate that were contradicted", state == SlotState::Good && stated != SlotState::Good);
    note("slots that a rate recovered", state != stated && stated == SlotState::Recovered);
    note("peaks raised", was_rate.peak > 0 && is_rate.peak > was_rate.peak);
    // In the slot of the evidence that runs.
    let slot = |at: i64| at.div_euclid(i64::from(is.terms.slot_seconds));
    let showings = was.showings().filter(|it| shown && it.is_of(slot(now)));
    let distances: Vec<u64> = showings.map_or(Vec::new(), |it| it.distances(after.ledger).collect());
    note("rates shown 149 slots after another", distances.contains(&(APART - 1)));
    note("rates shown 150 slots after another", distances.contains(&APART));
    note("rates shown in one slot of the ledger", distances.contains(&0));
    let is_triggered = is.phase.is_triggered();
    note("alerts by a rate", exposed && was.phase == Phase::Quiet && matches!(is.phase, Phase::Breaching | Phase::Met));
    note("alerts by a rate that ended", exposed && was.phase == Phase::Breaching && is.phase == Phase::Quiet);
    let number = |model: &Model| model.products[product].alert_number;
    let anew = was.phase == Phase::Breaching && is.phase == Phase::Breaching && number(before) != number(after);
    note("alerts by a rate that began anew", exposed && anew);
    note("rates that met", was.phase != Phase::Met && is.phase == Phase::Met);
    note(
        "rates that met and did not hold",
        was.phase == Phase::Met && matches!(is.phase, Phase::Quiet | Phase::Breaching),
    );
    note("events of rates with covers", exposed && !was.phase.is_triggered() && is_triggered);
    note("events of rates that deepened", was.phase.is_triggered() && is.severity > was.severity);
    rare
}
