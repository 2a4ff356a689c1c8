//! From operations to transactions.

use super::live::{self, How, Program};
use super::model::{Model, Ticket};
use super::op::{Op, Who};
use super::scene::{
    Derived, Scene, condition, design, feed_id, feed_of, is_drop, program_of, reading, set_of, vault_owners,
};
use super::vaults::HELD;
use crate::attest::{Attestors, FEED};
use crate::forwarder::{self, MULTISIG};
use crate::{budget, seeded, terms};
use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::{AccountMeta, Instruction};
use backstop::peril::feed::Source;
use backstop::peril::feed::attested::{EVENT_EXPONENT, Report, ReportKind};
use backstop::state::{CoverRequest, ExitTicket, ExtensionRequest, Tranche};
use backstop::{
    BuyCoverArgs, BuyPositionArgs, DepositArgs, PositionToNftArgs, RequestExitArgs, SetReadingArgs, SplitCoverArgs,
    SplitPositionArgs,
};
use backstop_client::instruction::NewProduct;
use backstop_client::instruction::{self as ix, Pledge, ProductKeys, TreatyKeys};
use backstop_sandbox::embedded::Price;
use litesvm::types::{FailedTransactionMetadata, TransactionMetadata};
use solana_sdk::account::ReadableAccount;
use solana_sdk::message::{Message, VersionedMessage};
use solana_sdk::signature::Signature;
use solana_sdk::signer::Signer;
use solana_sdk::transaction::{TransactionError, VersionedTransaction};

/// Where observed prices are posted.
const PRICE: u64 = 7;

impl Scene {
    /// Sends an operation. `Ok` with compute units, or the error as the runtime states it.
    pub fn send(&self, instructions: &[Instruction]) -> Result<TransactionMetadata, Failed> {
        let mut svm = self.world.cluster.svm();
        let message =
            Message::new_with_blockhash(instructions, Some(&self.world.payer.pubkey()), &svm.latest_blockhash());
        let signatures = vec![Signature::default(); usize::from(message.header.num_required_signatures)];
        let transaction = VersionedTransaction { signatures, message: VersionedMessage::Legacy(message) };
        let failed = |failed: FailedTransactionMetadata| Failed {
            error: failed.err,
            logs: failed.meta.logs,
            compute_units: failed.meta.compute_units_consumed,
            fee: failed.meta.fee,
        };
        svm.send_transaction(transaction).map_err(failed)
    }

    /// Sends lamports to every address that instructions would create. Whether there was one.
    pub fn squat(&self, instructions: &[Instruction]) -> bool {
        let named = instructions.iter().flat_map(|one| &one.accounts);
        let absent = |key: &Pubkey| {
            let svm = self.world.cluster.svm();
            svm.accounts_db().get_account_ref(key).is_none_or(|account| account.lamports() == 0)
        };
        let targets: Vec<Pubkey> =
            named.filter(|meta| meta.is_writable && absent(&meta.pubkey)).map(|meta| meta.pubkey).collect();
        let from = self.world.payer.pubkey();
        // As much as an empty account needs, or it could not be.
        let gifts = targets.iter().map(|target| Instruction {
            program_id: anchor_lang::system_program::ID,
            accounts: vec![AccountMeta::new(from, true), AccountMeta::new(*target, false)],
            data: [2u32.to_le_bytes().as_slice(), &890_880u64.to_le_bytes()].concat(),
        });
        let gifts: Vec<Instruction> = gifts.collect();
        !gifts.is_empty() && self.send(&gifts).is_ok()
    }

    /// Writes what an operation needs beside its instructions: the clock, the posted price.
    pub fn prepare(&self, op: &Op) {
        match *op {
            Op::Time { to } => self.world.cluster.set_time(to),
            Op::Skip { slots } => self.world.cluster.skip_slots(slots),
            Op::SetCondition { product, .. } => self.hold(product, HELD),
            Op::Show { product, sum } => self.hold(product, sum),
            Op::ShowRate { product, says, how } => {
                let address = if how == How::Elsewhere { live::elsewhere() } else { live::account(product) };
                self.world.cluster.set_account(address, says.account(product, how));
            }
            Op::Epoch { to } => self.world.cluster.set_epoch(to),
            Op::Observe { feed, price, confidence, publish_time, .. } => {
                let price = Price::e8(i64::try_from(price).expect("a price fits"), confidence, publish_time);
                self.world.cluster.post_price(seeded(PRICE).pubkey(), feed_id(feed), price);
            }
            _ => {}
        }
    }

    /// A settlement with the lien that the cover is under.
    fn shown(&self, model: &Model, cover: usize, settlement: Instruction) -> Instruction {
        match model.covers[cover].lien {
            Some(_) => ix::under_lien(settlement, &self.cover(model, cover)),
            None => settlement,
        }
    }

    /// The attestors of a product; any, if it has none.
    fn set_of(&self, model: &Model, product: usize) -> &Attestors {
        let of_vaults = model.vaults(product).map(|vaults| vaults.set);
        &self.sets[model.reading(product).map(|reading| reading.set).or(of_vaults).unwrap_or(0)]
    }

    /// Lets the vaults of a product hold a sum.
    fn hold(&self, product: usize, sum: u64) {
        for (owner, amount) in vault_owners(product).iter().zip([sum / 3, sum - sum / 3]) {
            self.world.cluster.set_tokens(owner, &self.mints[0], amount);
        }
    }

    fn vaults(&self, product: usize) -> Vec<Pubkey> {
        vault_owners(product).map(|owner| self.derive(Derived::Token(owner, self.mints[0], true))).to_vec()
    }

    /// The instructions of an operation, empty for the clock.
    pub fn instructions(&self, model: &Model, op: &Op) -> Vec<Instruction> {
        let payer = self.world.payer.pubkey();
        let person = |who: Who| self.people[who];
        let product = |product: usize| self.product(model, product);
        let crisis = |product: usize| model.products[product].incident.as_ref().map_or(0, |incident| incident.crisis);
        let treaty = |treaty: usize| {
            let (cedant, reinsurer) = (model.treaties[treaty].cedant, model.treaties[treaty].reinsurer);
            TreatyKeys {
                cedant: self.pool(model, cedant),
                reinsurer: self.pools[reinsurer].pool,
                treaty: self.treaty(model, treaty),
            }
        };
        let with = |first: Option<Instruction>, second: Instruction| first.into_iter().chain([second]).collect();
        let one = match *op {
            Op::Time { .. } | Op::Skip { .. } | Op::Epoch { .. } => return Vec::new(),
            Op::Deposit { pool, who, tranche, amount, min_shares, admitted_by } => {
                let keys = self.pool(model, pool);
                let args = DepositArgs { tranche, amount, min_shares, seen: model.pools[pool].seen() };
                let cedant = |treaty: &usize| self.pools[model.treaties[*treaty].cedant].pool;
                let cedants: Vec<Pubkey> = model.pools[pool].inward.iter().map(cedant).collect();
                let deposit = ix::deposit_with_cedants(&keys, person(who), admitted_by.map(person), args, &cedants);
                return with(self.open_account(model, who, pool, tranche), deposit);
            }
            Op::Contribute { pool, who, amount } => {
                ix::contribute_surplus(&self.pool(model, pool), person(who), amount, model.pools[pool].seen())
            }
            Op::Accrue { pool } => ix::accrue(self.pools[pool].pool),
            Op::RequestExit { pool, who, tranche, shares, ahead, nonce } => {
                let epoch_day = model.first_exit_day(pool) + ahead;
                let args = RequestExitArgs { nonce, tranche, shares, epoch_day };
                ix::request_exit(&self.pool(model, pool), person(who), payer, args)
            }
            Op::CancelExit { ticket, by } => {
                let entry = &model.tickets[ticket];
                let keys = self.pool(model, entry.pool);
                let mut cancel = ix::cancel_exit(&keys, &self.ticket_account(entry));
                if by != entry.owner {
                    let shares = self.account_of(by, keys.share_mints[entry.tranche]);
                    replace(&mut cancel, 0, person(by));
                    replace(&mut cancel, 5, shares);
                    replace(&mut cancel, 6, keys.assets_of(&person(by)));
                }
                cancel
            }
            Op::SettleEpoch { pool, day, all_cedants } => {
                let inward = model.pools[pool].inward.iter().filter(|_| all_cedants);
                let cedants: Vec<Pubkey> =
                    inward.map(|inward| self.pools[model.treaties[*inward].cedant].pool).collect();
                ix::settle_reinsurance_epoch(self.pools[pool].pool, day, &cedants)
            }
            Op::ClaimExit { ticket, to } => {
                let entry = &model.tickets[ticket];
                let keys = self.pool(model, entry.pool);
                let mut claim = ix::claim_exit(&keys, &self.ticket_account(entry));
                replace(&mut claim, 6, keys.assets_of(&person(to)));
                claim
            }
            Op::CloseEpoch { pool, day } => ix::close_exit_epoch(self.pools[pool].pool, day, payer),
            Op::OpenSeries { pool, tranche, by } => {
                let series = model.pools[pool].classes[tranche.index()].series + 1;
                ix::open_series(person(by), payer, self.pools[pool].pool, tranche, series)
            }
            Op::CreateProduct { pool, design: number, by } => {
                let id = model.pools[pool].products;
                let keys =
                    ProductKeys { pool: self.pool(model, pool), product: self.derive(Derived::Product(pool, id)) };
                ix::create_product(person(by), payer, &keys, self.new_product(number, 0).announcement(id))
            }
            Op::SetCondition { product: of, by } => {
                let new = self.new_product(model.products[of].design, of);
                new.set_condition(person(by), payer, &product(of))
            }
            Op::SetReading { product: of, set, by } => {
                let entry = &model.products[of];
                let reading = reading(entry.design, model.pools[entry.pool].terms.sells_until_day);
                let args = SetReadingArgs { feed: FEED, reading };
                ix::set_reading(person(by), payer, &product(of), self.sets[set].set, args)
            }
            Op::Retire { product: of } => ix::retire_product(&product(of), self.set_of(model, of).set),
            Op::Report { product: of, value, confidence, at, signers } => {
                let set = self.set_of(model, of);
                let report = Report { confidence, ..set.report(value, at) };
                let signers: Vec<usize> = (0..set.keys.len()).filter(|key| signers & 1 << key != 0).collect();
                return vec![set.signed(&signers, &report), ix::observe_report(&product(of), set.set)];
            }
            Op::Show { product: of, .. } => ix::observe_vaults(&product(of), &self.vaults(of)),
            Op::ShowRate { product: of, how, .. } => return self.showing(model, of, how),
            Op::Loss { product: of, bps, at, signers } => {
                let set = self.set_of(model, of);
                let report = Report { kind: ReportKind::Event, exponent: EVENT_EXPONENT, ..set.report(bps.into(), at) };
                let signers: Vec<usize> = (0..set.keys.len()).filter(|key| signers & 1 << key != 0).collect();
                return vec![set.signed(&signers, &report), ix::observe_report(&product(of), set.set)];
            }
            Op::Resolve { product: of } => ix::resolve_reading(&product(of), self.set_of(model, of).set),
            Op::Equivocate { set, key } => {
                let set = &self.sets[set];
                let both = [1, 2].map(|value| set.signed(&[key], &set.report(value, model.now)));
                return [both.to_vec(), vec![ix::report_equivocation(set.set)]].concat();
            }
            Op::SetProductState { product: of, state, by } => {
                ix::set_product_state(person(by), product(of).pool.pool, product(of).product, state)
            }
            Op::SetRiskRate { product: of, rate_ppb, by } => {
                ix::set_risk_rate(person(by), product(of).pool.pool, product(of).product, rate_ppb)
            }
            Op::Sync { product: of } => ix::sync_product(&product(of)),
            Op::Buy { product: of, who, receiver, sum, days, max_premium, nonce } => {
                let request = CoverRequest { sum_insured: sum, term_days: days };
                let args = BuyCoverArgs { nonce, day: super::model::day(model.now), request, max_premium };
                ix::buy_cover(&product(of), payer, person(who), person(receiver), args)
            }
            Op::CancelCover { cover, by } => {
                let keys = product(model.covers[cover].product);
                ix::cancel_cover(&keys, person(by), self.cover_mint(model, cover), payer)
            }
            Op::CloseCover { cover, holder } => {
                let keys = product(model.covers[cover].product);
                ix::close_cover(&keys, holder.map(person), self.cover_mint(model, cover), payer)
            }
            Op::BuyPosition { product: of, who, to, sum, days, max_premium, nonce } => {
                let request = CoverRequest { sum_insured: sum, term_days: days };
                let args = BuyPositionArgs { nonce, request, max_premium, reference: [nonce.to_le_bytes()[0]; 32] };
                let keys = product(of);
                ix::buy_position(&keys, payer, person(who), keys.pool.assets_of(&person(to)), args)
            }
            Op::SetBeneficiary { cover, to, by } => {
                let keys = product(model.covers[cover].product);
                let account = keys.pool.assets_of(&person(to));
                ix::set_beneficiary(&keys, person(by), self.cover(model, cover), account)
            }
            Op::CancelPosition { cover, by } => {
                let keys = product(model.covers[cover].product);
                ix::cancel_position(&keys, person(by), self.cover(model, cover), payer)
            }
            Op::Reduce { cover, left, by } => {
                let keys = product(model.covers[cover].product);
                ix::reduce_position(&keys, person(by), self.cover(model, cover), left)
            }
            Op::Extend { cover, days, max_premium, by } => {
                let keys = product(model.covers[cover].product);
                let request = ExtensionRequest { days, max_premium };
                ix::extend_position(&keys, person(by), self.cover(model, cover), request)
            }
            Op::ToNft { cover, receiver, nonce, by } => {
                let keys = product(model.covers[cover].product);
                let args = PositionToNftArgs { nonce, day: super::model::day(model.now) };
                let position = (self.cover(model, cover), payer);
                ix::position_to_nft(&keys, payer, person(by), person(receiver), position, args)
            }
            Op::ClosePosition { cover, by } => {
                let keys = product(model.covers[cover].product);
                ix::close_position(&keys, person(by), self.cover(model, cover), payer)
            }
            Op::SettlePosition { cover, to } => {
                let keys = product(model.covers[cover].product);
                let settle = ix::settle_position(&keys, self.cover(model, cover), keys.pool.assets_of(&person(to)));
                self.shown(model, cover, settle)
            }
            Op::SettleLien { cover, to } => {
                let keys = product(model.covers[cover].product);
                ix::settle_lien(&keys, self.cover(model, cover), keys.pool.assets_of(&person(to)))
            }
            Op::SplitCover { cover, receiver, sum, nonce, by } => {
                let keys = product(model.covers[cover].product);
                let args = SplitCoverArgs { sum_insured: sum, nonce, day: super::model::day(model.now) };
                let mint = self.cover_mint(model, cover);
                ix::split_cover(&keys, payer, person(by), mint, person(receiver), args)
            }
            Op::SplitPosition { cover, sum, nonce, by } => {
                let keys = product(model.covers[cover].product);
                let args = SplitPositionArgs { sum_insured: sum, nonce };
                ix::split_position(&keys, payer, person(by), self.cover(model, cover), args)
            }
            Op::SetLien { cover, to, limit, by } => {
                let entry = &model.covers[cover];
                let keys = product(entry.product);
                let pledge = match entry.pays {
                    Some(_) => Pledge::Position(self.cover(model, cover)),
                    None => Pledge::Cover(self.cover_mint(model, cover)),
                };
                ix::set_lien(&keys, payer, person(by), pledge, keys.pool.assets_of(&person(to)), limit)
            }
            Op::LowerLien { cover, to, limit, by } => {
                let pool = product(model.covers[cover].product).pool;
                ix::lower_lien(pool.pool, person(by), self.cover(model, cover), pool.assets_of(&person(to)), limit)
            }
            Op::LiftLien { cover, payee } => {
                let pool = product(model.covers[cover].product).pool.pool;
                ix::lift_lien(pool, payee.map(person), self.cover(model, cover), payer)
            }
            Op::Observe { product: of, .. } => ix::observe(&product(of), seeded(PRICE).pubkey()),
            Op::Refresh { product: of } => ix::refresh(&product(of)),
            Op::Confirm { product: of } => ix::confirm(&product(of)),
            Op::OpenIncident { product: of } => {
                let books = &model.pools[model.products[of].pool];
                let next = books.crises + u32::from(books.crisis.is_none());
                ix::open_incident(&product(of), payer, next)
            }
            Op::Fund { product: of } => ix::fund_incident(&product(of), crisis(of)),
            Op::Settle { cover, holder, to, signed } => {
                let keys = product(model.covers[cover].product);
                let mut settle = ix::settle_cover(&keys, person(holder), self.cover_mint(model, cover));
                settle.accounts[6].is_signer = signed;
                replace(&mut settle, 7, keys.pool.assets_of(&person(to)));
                self.shown(model, cover, settle)
            }
            Op::CloseIncident { product: of } => {
                let number = Some(crisis(of)).filter(|number| *number != 0);
                ix::close_incident(&product(of), payer, number.map(|number| (number, payer)))
            }
            Op::ExtendDeadline { product: of } => {
                ix::extend_deadline(&product(of), Some(crisis(of)).filter(|number| *number != 0))
            }
            Op::CreateTreaty { cedant, reinsurer, terms, by } => {
                let id = model.pools[cedant].treaties;
                let keys = TreatyKeys {
                    cedant: self.pool(model, cedant),
                    reinsurer: self.pools[reinsurer].pool,
                    treaty: self.derive(Derived::Treaty(cedant, id)),
                };
                ix::create_treaty(person(by), payer, &keys, terms)
            }
            Op::AcceptTreaty { treaty: of, by } => ix::accept_treaty(person(by), &treaty(of)),
            Op::SettlePremium { cedant, reinsurer } => {
                ix::settle_treaty_premium(&self.pool(model, cedant), self.pools[reinsurer].pool)
            }
            Op::CallTreaty { treaty: of, product: event } => {
                ix::call_treaty(&treaty(of), &product(event), crisis(event))
            }
            Op::EndTreaty { treaty: of } => ix::end_treaty(&treaty(of), payer),
            Op::CommuteTreaty { treaty: of, by } => ix::commute_treaty(person(by), &treaty(of)),
            Op::AnnounceCession { cedant, reinsurer, amount, by } => {
                let (cedant, reinsurer) = (self.pools[cedant].pool, self.pools[reinsurer].pool);
                ix::announce_cession(person(by), payer, cedant, reinsurer, amount)
            }
            Op::CedeSurplus { cedant, by } => {
                let reinsurer = model.cessions.get(&cedant).map_or(3, |cession| cession.reinsurer);
                ix::cede_surplus(person(by), &self.pool(model, cedant), self.pools[reinsurer].pool, payer)
            }
            Op::CloseCession { cedant } => ix::close_cession(self.pools[cedant].pool, payer),
            Op::Pause { bits, by } => ix::pause(person(by), bits),
            Op::SetRoles { guardian, risk_keeper, by } => {
                ix::set_roles(person(by), person(guardian), person(risk_keeper))
            }
            Op::ProposeGovernance { proposed, by } => ix::propose_governance(person(by), person(proposed)),
            Op::AcceptGovernance { by } => ix::accept_governance(person(by)),
            Op::Donate { pool, who, amount } => {
                let asset = model.pools[pool].asset;
                self.move_assets(who, self.pools[pool].vault(), asset, amount)
            }
            Op::MoveShares { pool, tranche, from, to, amount } => {
                let mint = self.pool(model, pool).share_mint(tranche);
                let decimals = [9, 11][model.pools[pool].asset];
                let (source, target) = (self.account_of(from, mint), self.account_of(to, mint));
                let move_shares = transfer(source, mint, target, person(from), amount, decimals, false);
                return with(self.open_account(model, to, pool, tranche), move_shares);
            }
            Op::BurnShares { pool, tranche, who, amount } => {
                let mint = self.pool(model, pool).share_mint(tranche);
                burn(self.account_of(who, mint), mint, person(who), amount)
            }
            Op::MoveNft { cover, to } => {
                let mint = self.cover_mint(model, cover);
                let from = model.covers[cover].holder.unwrap_or(0);
                let account = ix::create_associated_token(&payer, &person(to), &mint, &anchor_spl::token_2022::ID);
                let (source, target) = (self.account_of(from, mint), self.account_of(to, mint));
                return with(Some(account), transfer(source, mint, target, person(from), 1, 0, false));
            }
            Op::BurnNft { cover } => {
                let mint = self.cover_mint(model, cover);
                let holder = model.covers[cover].holder.unwrap_or(0);
                burn(self.account_of(holder, mint), mint, person(holder), 1)
            }
            Op::CloseAssets { asset, who, heir } => {
                let held = model.assets[who][asset].unwrap_or(0);
                let held = u64::try_from(held).expect("it fits");
                let give = self.move_assets(who, self.assets_of(heir, asset), asset, held);
                let close = Instruction {
                    program_id: anchor_spl::token::ID,
                    accounts: vec![
                        AccountMeta::new(self.assets_of(who, asset), false),
                        AccountMeta::new(person(who), false),
                        AccountMeta::new_readonly(person(who), true),
                    ],
                    data: vec![9],
                };
                return vec![give, close];
            }
            Op::OpenAssets { asset, who } => {
                ix::create_associated_token(&payer, &person(who), &self.mints[asset], &anchor_spl::token::ID)
            }
        };
        vec![one]
    }

    /// A showing of a live rate.
    fn showing(&self, model: &Model, product: usize, how: How) -> Vec<Instruction> {
        let keys = self.product(model, product);
        let mut show = ix::observe_live(&keys, live::account(product));
        let lamports = || {
            anchor_lang::solana_program::system_instruction::transfer(
                &self.world.payer.pubkey(),
                &live::elsewhere(),
                1_000_000,
            )
        };
        match how {
            How::Alone | How::Foreign | How::Short | How::OtherType => vec![show],
            How::Twice => vec![show.clone(), show],
            How::Among => vec![budget(), ix::accrue(keys.pool.pool), show],
            How::After => vec![lamports(), show],
            How::Before => vec![show, lamports()],
            How::Passed => {
                let (_, seeds) = forwarder::vault();
                vec![forwarder::forward(MULTISIG, &seeds, show)]
            }
            How::Elsewhere => {
                replace(&mut show, 4, live::elsewhere());
                vec![show]
            }
            How::Crossed => {
                let live = |other: &usize| *other != product && model.products[*other].trigger.showings().is_some();
                let other = (0..model.products.len()).find(live).map(|other| self.product(model, other).live());
                replace(&mut show, 3, other.unwrap_or_default());
                vec![show]
            }
            How::More => {
                show.accounts.push(AccountMeta::new_readonly(live::account(product), false));
                vec![show]
            }
        }
    }

    /// Opens somebody's share account if the model does not know it.
    fn open_account(&self, model: &Model, who: Who, pool: usize, tranche: Tranche) -> Option<Instruction> {
        let series = model.pools[pool].classes[tranche.index()].series;
        let known = model.shares.contains_key(&(who, pool, tranche.index(), series));
        let mint = self.shares(pool, tranche.index(), series);
        let (payer, owner) = (self.world.payer.pubkey(), self.people[who]);
        (!known).then(|| ix::create_associated_token(&payer, &owner, &mint, &anchor_spl::token_2022::ID))
    }

    fn move_assets(&self, from: Who, to: Pubkey, asset: usize, amount: u64) -> Instruction {
        let source = self.assets_of(from, asset);
        transfer(source, self.mints[asset], to, self.people[from], amount, [6, 8][asset], true)
    }

    /// A product of a design, with its condition.
    fn new_product(&self, number: usize, product: usize) -> NewProduct {
        let prints = NewProduct {
            terms: design(number).0,
            feed: feed_id(feed_of(number)),
            ..terms::create_product(self.world.covered, condition(number))
        };
        if let Some(program) = program_of(number, product) {
            let source = match program {
                Program::StakePool => Source::StakePoolRate,
                Program::Save | Program::SplLending => Source::SplLendingRate,
            };
            return NewProduct { source, feed: live::account(product).to_bytes(), ..prints };
        }
        if !is_drop(number) {
            return prints;
        }
        let attestors = Some(self.sets[set_of(product)].set);
        NewProduct { source: Source::VaultDrop, feed: FEED, attestors, vaults: self.vaults(product), ..prints }
    }

    fn ticket_account(&self, ticket: &Ticket) -> ExitTicket {
        ExitTicket {
            pool: self.pools[ticket.pool].pool,
            owner: self.people[ticket.owner],
            rent_payer: self.world.payer.pubkey(),
            version: 1,
            bump: 0,
            tranche: Tranche::BOTH[ticket.tranche],
            series: ticket.series,
            epoch_day: ticket.day,
            units: 0,
            claimed: 0,
            nonce: ticket.nonce,
            asked_on: 0,
            reserved: [0; 28],
        }
    }
}

/// Why a transaction failed.
#[derive(Clone, Debug)]
pub struct Failed {
    /// The runtime's error.
    pub error: TransactionError,
    /// Logs.
    pub logs: Vec<String>,
    /// What it took.
    pub compute_units: u64,
    /// What it cost all the same.
    pub fee: u64,
}

fn replace(instruction: &mut Instruction, place: usize, by: Pubkey) {
    instruction.accounts[place].pubkey = by;
}

/// `TransferChecked` of a token program.
fn transfer(
    from: Pubkey,
    mint: Pubkey,
    to: Pubkey,
    authority: Pubkey,
    amount: u64,
    decimals: u8,
    asset: bool,
) -> Instruction {
    Instruction {
        program_id: if asset { anchor_spl::token::ID } else { anchor_spl::token_2022::ID },
        accounts: vec![
            AccountMeta::new(from, false),
            AccountMeta::new_readonly(mint, false),
            AccountMeta::new(to, false),
            AccountMeta::new_readonly(authority, true),
        ],
        data: [[12].as_slice(), &amount.to_le_bytes(), &[decimals]].concat(),
    }
}

/// `Burn` of Token-2022.
fn burn(account: Pubkey, mint: Pubkey, authority: Pubkey, amount: u64) -> Instruction {
    Instruction {
        program_id: anchor_spl::token_2022::ID,
        accounts: vec![
            AccountMeta::new(account, false),
            AccountMeta::new(mint, false),
            AccountMeta::new_readonly(authority, true),
        ],
        data: [[8].as_slice(), &amount.to_le_bytes()].concat(),
    }
}
