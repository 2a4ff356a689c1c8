//! Mutations that may succeed, each with its reason: a choice that the design leaves to the caller.

use super::mutation::{Kind, Mutation, Nature};
use backstop::state::Pool;
use solana_sdk::account::{AccountSharedData, ReadableAccount};
use std::mem::offset_of;

/// What may stand in an account's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Anybody who signs.
    Signer,
    /// Any account of the same type.
    Type,
    /// Any account of the same type that has the same bytes in some ranges.
    Alike(&'static [(usize, usize)]),
    /// Anything.
    Anything,
}

/// Any token account of the same mint.
const OF_MINT: By = By::Alike(&[(0, 32)]);
/// Any token account of the same mint and the same owner.
const OF_OWNER: By = By::Alike(&[(0, 64)]);
/// Any price account of the same feed.
const OF_FEED: By = By::Alike(&[(41, 73)]);
/// Any policy of the same product.
const OF_PRODUCT: By = By::Alike(&[(8, 40)]);
/// Any incident of the same pool.
const OF_POOL: By = By::Alike(&[(40, 72)]);
/// Any pool of the same asset and kind.
const OF_KIND: By = By::Alike(&[(8, 40), (8 + offset_of!(Pool, kind), 9 + offset_of!(Pool, kind))]);

/// Any loan of the same market.
const OF_MARKET: By = By::Alike(&[(8, 40)]);

/// A choice that is the caller's.
pub struct Allowed {
    /// The instruction.
    pub instruction: &'static str,
    /// The cases in which it is; all if there are none.
    pub cases: &'static [&'static str],
    /// The account.
    pub account: &'static str,
    /// What may stand in its place.
    pub by: By,
    /// Why that hurts nobody.
    pub why: &'static str,
}

const fn allow(instruction: &'static str, account: &'static str, by: By, why: &'static str) -> Allowed {
    Allowed { instruction, cases: &[], account, by, why }
}

const RENT: &str = "whoever signs may pay the rent";
const SUBJECT: &str = "the instruction is about whichever account it names, and its caller may call it for each";
const SOURCE: &str = "the signer may spend from each of its accounts";
const TARGET: &str = "the signer names who gets what is its own";
const REINSURER: &str = "governance announces it here, and from then on it is fixed";
const UNUSED: &str = "in this state the account is not used";

const KEPT: &str = "what cannot be paid is kept for the borrower, and another call pays it";
const FURTHER: &str = "the lender looks at no account that it does not name, and hands none on";
/// What an account is called that an instruction does not name.
pub const FURTHER_ACCOUNT: &str = "a further account";

/// All of them. An entry that no mutation needs fails the test.
pub const LIST: &[Allowed] = &[
    allow("initialize", "payer", By::Signer, RENT),
    allow("create_attestor_set", "payer", By::Signer, RENT),
    allow("create_pool", "payer", By::Signer, RENT),
    allow("open_series", "payer", By::Signer, RENT),
    allow("create_product", "payer", By::Signer, RENT),
    allow("set_condition", "payer", By::Signer, RENT),
    allow("set_reading", "payer", By::Signer, RENT),
    allow("request_exit", "payer", By::Signer, RENT),
    allow("buy_cover", "payer", By::Signer, RENT),
    allow("buy_position", "payer", By::Signer, RENT),
    allow("split_cover", "payer", By::Signer, RENT),
    allow("split_position", "payer", By::Signer, RENT),
    allow("set_lien", "payer", By::Signer, RENT),
    allow("open_incident", "payer", By::Signer, RENT),
    allow("create_treaty", "payer", By::Signer, RENT),
    allow("announce_cession", "payer", By::Signer, RENT),
    allow("position_to_nft", "payer", By::Signer, RENT),
    allow("pool_health", "pool", By::Type, SUBJECT),
    allow("accrue", "pool", By::Type, SUBJECT),
    allow("set_product_state", "product", By::Type, SUBJECT),
    allow("set_risk_rate", "product", By::Type, SUBJECT),
    allow("call_treaty", "incident", OF_POOL, SUBJECT),
    allow("extend_deadline", "incident", OF_POOL, SUBJECT),
    allow("create_treaty", "reinsurer", OF_KIND, REINSURER),
    allow("announce_cession", "reinsurer", OF_KIND, REINSURER),
    allow("deposit", "owner_assets", OF_OWNER, SOURCE),
    allow("contribute_surplus", "contributor_assets", OF_OWNER, SOURCE),
    allow("request_exit", "owner_shares", OF_OWNER, SOURCE),
    allow("buy_cover", "buyer_assets", OF_OWNER, SOURCE),
    allow("buy_position", "owner_assets", OF_OWNER, SOURCE),
    allow("extend_position", "owner_assets", OF_OWNER, SOURCE),
    allow("buy_position", "beneficiary", OF_MINT, TARGET),
    allow("set_beneficiary", "beneficiary", OF_MINT, TARGET),
    allow("set_lien", "payee", OF_MINT, TARGET),
    allow("lower_lien", "payee", OF_MINT, TARGET),
    allow("assert_policy", "policy", OF_PRODUCT, SUBJECT),
    allow("cancel_position", "destination", OF_MINT, TARGET),
    allow("reduce_position", "destination", OF_MINT, TARGET),
    allow("deposit", "owner_shares", OF_MINT, TARGET),
    allow("cancel_exit", "owner_shares", OF_MINT, TARGET),
    Allowed { cases: &["worst"], ..allow("cancel_exit", "owner_assets", OF_MINT, TARGET) },
    Allowed { cases: &["signed"], ..allow("claim_exit", "destination", OF_MINT, TARGET) },
    allow("cancel_cover", "destination", OF_MINT, TARGET),
    Allowed { cases: &["signed"], ..allow("settle_cover", "destination", OF_MINT, TARGET) },
    allow("observe", "price", OF_FEED, "any signed print of the feed may be shown, whoever posted it"),
    Allowed {
        cases: &["usual", "reinsurer", "worst"],
        ..allow("deposit", "deposit_authority", By::Anything, "an open pool asks nobody")
    },
    Allowed { cases: &["usual"], ..allow("cancel_exit", "owner_assets", By::Anything, UNUSED) },
    Allowed { cases: &["usual"], ..allow("accept_treaty", "asset_token_program", By::Type, UNUSED) },
    Allowed { cases: &["usual"], ..allow("cancel_exit", "asset_token_program", By::Type, UNUSED) },
    Allowed { cases: &["burnt"], ..allow("close_cover", "holder_nft", By::Anything, UNUSED) },
    allow("loan::open_loan", "payer", By::Signer, RENT),
    allow("loan::open_loan", "to", OF_OWNER, TARGET),
    allow("loan::open_loan", "price", OF_FEED, "any young print of the feed may be shown, whoever posted it"),
    allow("loan::withdraw", "to", OF_MINT, TARGET),
    allow("loan::repay", "loan", OF_MARKET, SUBJECT),
    allow("loan::reduce_cover", "borrower_assets", OF_MINT, TARGET),
    allow("loan::apply_payout", "borrower_assets", By::Anything, KEPT),
    allow("loan::liquidate", "to", OF_MINT, TARGET),
    allow("loan::liquidate", "price", OF_FEED, "any young print of the feed may be shown, whoever posted it"),
    Allowed { cases: &["worst"], ..allow("loan::close_loan", "borrower_assets", OF_MINT, TARGET) },
    Allowed { cases: &["worst"], ..allow("loan::close_loan", "borrower_collateral", By::Anything, UNUSED) },
    Allowed { cases: &["worst"], ..allow("loan::close_loan", "collateral_token_program", By::Type, UNUSED) },
    Allowed { cases: &["usual"], ..allow("loan::close_loan", "borrower_collateral", OF_OWNER, TARGET) },
    Allowed { cases: &["usual"], ..allow("loan::close_loan", "borrower_assets", By::Anything, UNUSED) },
    Allowed { cases: &["usual"], ..allow("loan::close_loan", "rates", By::Anything, UNUSED) },
    Allowed { cases: &["usual"], ..allow("loan::close_loan", "pool_vault", By::Anything, UNUSED) },
    Allowed { cases: &["usual"], ..allow("loan::close_loan", "loan_token_program", By::Type, UNUSED) },
    allow("loan::create_market", FURTHER_ACCOUNT, By::Anything, FURTHER),
    allow("loan::supply", FURTHER_ACCOUNT, By::Anything, FURTHER),
    allow("loan::withdraw", FURTHER_ACCOUNT, By::Anything, FURTHER),
    allow("loan::open_loan", FURTHER_ACCOUNT, By::Anything, FURTHER),
    allow("loan::repay", FURTHER_ACCOUNT, By::Anything, FURTHER),
    allow("loan::reduce_cover", FURTHER_ACCOUNT, By::Anything, FURTHER),
    allow("loan::apply_payout", FURTHER_ACCOUNT, By::Anything, FURTHER),
    allow("loan::liquidate", FURTHER_ACCOUNT, By::Anything, FURTHER),
    allow("loan::close_loan", FURTHER_ACCOUNT, By::Anything, FURTHER),
];

/// The entry that allows a mutation, if one does.
pub fn find(instruction: &str, case: &str, names: &[String], mutation: &Mutation) -> Option<usize> {
    let applies =
        |entry: &Allowed| entry.instruction == instruction && (entry.cases.is_empty() || entry.cases.contains(&case));
    let entry = |place: &usize| {
        let name = names.get(*place).map_or(FURTHER_ACCOUNT, String::as_str);
        LIST.iter().position(|entry| applies(entry) && entry.account == name)
    };
    if mutation.kind == Kind::Mixed {
        // What is left of either transaction once the caller's own choices are taken out must be whole.
        let fixed: Vec<&usize> = mutation.differing.iter().filter(|place| entry(place).is_none()).collect();
        let taken = fixed.iter().filter(|place| mutation.places.contains(place)).count();
        let whole = taken == 0 || taken == fixed.len();
        return whole.then(|| mutation.differing.iter().find_map(entry)).flatten();
    }
    let [place] = mutation.places[..] else { return None };
    let index = entry(&place)?;
    if mutation.kind == Kind::Extra {
        return (LIST[index].by == By::Anything).then_some(index);
    }
    fits(LIST[index].by, mutation, place).then_some(index)
}

fn fits(by: By, mutation: &Mutation, place: usize) -> bool {
    let (was, is) = (mutation.was[0].as_ref(), mutation.is[0].as_ref());
    let same = |(start, end): &(usize, usize)| {
        let bytes = |account: Option<&AccountSharedData>| account?.data().get(*start..*end).map(<[u8]>::to_vec);
        bytes(was).is_some() && bytes(was) == bytes(is)
    };
    let alike = Nature::of(is) == Nature::of(was);
    match by {
        By::Signer => mutation.instruction.accounts[place].is_signer,
        By::Type => alike,
        By::Alike(ranges) => alike && ranges.iter().all(same),
        By::Anything => true,
    }
}
