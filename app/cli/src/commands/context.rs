//! What commands on a cluster share: settings, signers, and the way from a plan to a confirmed transaction.

use crate::commands::handover::{self, HandoverOptions};
use crate::commands::{explorer, signer};
use crate::output::{self, Output};
use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use anchor_lang::{AnchorDeserialize, Discriminator, Event};
use anyhow::{Result, anyhow};
use backstop::error::BackstopError;
use backstop_client::Cluster;
use backstop_client::act::{Act, ActError, Party};
pub use backstop_client::act::{Hinted, Preview};
use backstop_client::cluster::rpc::{RpcCluster, is_local};
use backstop_client::cluster::{ClusterError, Receipt};
use backstop_client::handover::Handover;
use backstop_client::redact;
use backstop_client::solana_config::{SolanaConfig, url_of, usual_file};
use backstop_client::transaction::{self, Pipeline, Plan, Prepared, PriorityFee};
use clap::{Args, ValueEnum};
use indicatif::ProgressBar;
use serde::Serialize;
use solana_commitment_config::CommitmentConfig;
use solana_sdk::signer::Signer;
use solana_sdk::signer::presigner::Presigner;
use std::cell::OnceCell;
use std::io::{BufRead, IsTerminal};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

const HEADING: &str = "Cluster and signing";

/// How often a transaction is sent anew that others' higher fees keep out.
pub const ROUNDS: u32 = 3;

/// How sure a cluster must be of what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Commitment {
    /// A node has executed it.
    Processed,
    /// Most of the stake has voted for it.
    Confirmed,
    /// It cannot be undone.
    Finalized,
}

/// Options of every command: a flag comes before the environment, and that before solana's configuration file.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// How results are printed on stdout; progress, previews and errors go to stderr.
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Output,
    /// Solana's configuration file.
    #[arg(short = 'C', long, global = true, env = "SOLANA_CONFIG_FILE", hide_env_values = true, value_name = "FILE", help_heading = HEADING)]
    pub config: Option<PathBuf>,
    /// The cluster: its URL, or mainnet-beta, devnet, testnet, localhost (or their first letters).
    #[arg(short, long, global = true, env = "BACKSTOP_URL", hide_env_values = true, value_name = "URL", help_heading = HEADING)]
    pub url: Option<String>,
    /// Who signs: a keypair file, `-` (stdin), `prompt://`, `usb://ledger`, or with --print-tx an address.
    #[arg(short, long, global = true, env = "BACKSTOP_KEYPAIR", hide_env_values = true, value_name = "SIGNER", help_heading = HEADING)]
    pub keypair: Option<String>,
    /// Who pays fees and rent, if not the signer.
    #[arg(long, global = true, env = "BACKSTOP_FEE_PAYER", hide_env_values = true, value_name = "SIGNER", help_heading = HEADING)]
    pub fee_payer: Option<String>,
    /// How sure the cluster must be of what it says; without a setting it is finalized, which takes the network 150 ms,
    /// and confirmed on a cluster of this machine.
    #[arg(long, global = true, value_enum, env = "BACKSTOP_COMMITMENT", hide_env_values = true, value_name = "LEVEL",
          help_heading = HEADING)]
    pub commitment: Option<Commitment>,
    /// Simulate and tell what would happen; send nothing.
    #[arg(long, global = true, help_heading = HEADING)]
    pub dry_run: bool,
    /// Do not ask.
    #[arg(short, long, global = true, help_heading = HEADING)]
    pub yes: bool,
    /// Lamports for priority a transaction; without it what others pay, up to --max-priority-fee.
    #[arg(long, global = true, env = "BACKSTOP_PRIORITY_FEE", hide_env_values = true, value_name = "LAMPORTS", help_heading = HEADING)]
    pub priority_fee: Option<u64>,
    /// Most lamports for priority a transaction.
    #[arg(long, global = true, env = "BACKSTOP_MAX_PRIORITY_FEE", hide_env_values = true, value_name = "LAMPORTS", default_value_t = 100_000,
          help_heading = HEADING)]
    pub max_priority_fee: u64,
    /// What is signed elsewhere.
    #[command(flatten)]
    pub handover: HandoverOptions,
}

/// The command line asks for something that cannot be.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);

/// The cluster is there and does not run the program.
#[derive(Debug, thiserror::Error)]
#[error("there is no Backstop program at {program} on {host}")]
pub struct WrongCluster {
    program: Pubkey,
    host: String,
}

/// An error with a hint.
pub fn hinted(sentence: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
    Hinted::new(sentence, hint).into()
}

/// The command line asks for something that cannot be, and there is a remedy that its help does not tell.
pub fn misused(sentence: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
    Hinted::misused(sentence, hint).into()
}

/// A refusal by the program's own code, which ran here, as the cluster would tell it.
pub fn refused(refusal: BackstopError) -> anyhow::Error {
    Hinted::refused(refusal).into()
}

/// Why an act cannot be done: whatever it is by itself.
pub fn plain(error: ActError) -> anyhow::Error {
    match error {
        ActError::Hinted(error) => error.into(),
        ActError::Account(error) => error.into(),
        ActError::Cluster(error) => error.into(),
    }
}

/// The first event of a type that a simulation reported: what the transaction will do.
pub fn event<E: Event + AnchorDeserialize + Discriminator>(receipt: &Receipt) -> Result<E> {
    let first = transaction::events(&receipt.logs).into_iter().next();
    first.ok_or_else(|| anyhow!("the cluster does not tell what the transaction would do"))
}

/// What became of a transaction, above what the command itself tells.
#[derive(Serialize)]
struct Done<'a, T> {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    explorer: Option<String>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    handover: Option<Handover>,
    compute_units: u64,
    fee_lamports: u64,
    #[serde(flatten)]
    details: &'a T,
}

/// Settings, opened when first used: a command that needs no cluster asks for none.
pub struct Context {
    /// The options as given.
    pub options: Options,
    /// Set, it ends the wait for the cluster: for commands that run until somebody asks them to stop.
    pub stop: Arc<AtomicBool>,
    config: OnceCell<SolanaConfig>,
    cluster: OnceCell<RpcCluster>,
    signer: OnceCell<Box<dyn Signer>>,
    fee_payer: OnceCell<Box<dyn Signer>>,
}

impl Context {
    /// The context of a command.
    pub fn new(options: Options) -> Self {
        Self {
            options,
            stop: Arc::default(),
            config: OnceCell::new(),
            cluster: OnceCell::new(),
            signer: OnceCell::new(),
            fee_payer: OnceCell::new(),
        }
    }

    /// Solana's configuration file that is named, or is where it usually is.
    fn config_file(&self) -> Option<PathBuf> {
        self.options.config.clone().or_else(|| usual_file().filter(|file| file.exists()))
    }

    fn config(&self) -> Result<&SolanaConfig> {
        once(&self.config, || {
            // One that is there and cannot be read is not passed over: the next best cluster is mainnet.
            let Some(file) = self.config_file() else { return Ok(SolanaConfig::default()) };
            SolanaConfig::load(&file).map_err(|why| {
                let sentence = format!("the configuration file {} cannot be read: {why}", file.display());
                hinted(sentence, "`solana config set` writes one, and --config names it")
            })
        })
    }

    /// A setting: what is given, else what the configuration file says, else what solana takes then.
    fn setting(&self, given: Option<&String>, of: impl Fn(&SolanaConfig) -> &String) -> Result<String> {
        let config = self.config()?;
        let usual = SolanaConfig::default();
        let mut settings = given.into_iter().chain([of(config), of(&usual)]).filter(|text| !text.is_empty());
        Ok(settings.next().cloned().unwrap_or_default())
    }

    /// Each setting by its name, its value as it may be shown, and where it comes from.
    pub fn settings(&self) -> Result<Vec<(&'static str, String, &'static str)>> {
        let config = self.config()?;
        let usual = SolanaConfig::default();
        let found = self.config_file();
        let source = |given: bool, configured: &String| match () {
            () if given => "command line or environment",
            () if found.is_some() && !configured.is_empty() => "configuration file",
            () => "default",
        };
        let options = &self.options;
        let url = self.setting(options.url.as_ref(), |config| &config.json_rpc_url)?;
        let signer = self.setting(options.keypair.as_ref(), |config| &config.keypair_path)?;
        let signer = if redact::secret(&signer).is_some() { redact::HIDDEN.to_owned() } else { signer };
        let payer = options.fee_payer.clone().filter(|payer| redact::secret(payer).is_none());
        let file = found.clone().or_else(|| usual_file().filter(|_| config == &usual));
        Ok(vec![
            (
                "configuration file",
                file.map_or_else(|| "none".into(), |file| file.display().to_string()),
                if options.config.is_some() { "command line or environment" } else { "default" },
            ),
            ("cluster", redact::url(url_of(&url)), source(options.url.is_some(), &config.json_rpc_url)),
            ("signer", signer, source(options.keypair.is_some(), &config.keypair_path)),
            (
                "fee payer",
                payer.unwrap_or_else(|| "the signer".into()),
                source(options.fee_payer.is_some(), &String::new()),
            ),
            (
                "commitment",
                self.commitment(url_of(&url))?.commitment.to_string(),
                source(options.commitment.is_some(), &config.commitment),
            ),
        ])
    }

    /// How sure a cluster must be. Without a word it is final: on the network that takes 150 ms, and what is final is never
    /// taken back. A cluster on this machine has one node, which takes nothing back either, and is final only after many
    /// slots: there it is confirmed.
    fn commitment(&self, url: &str) -> Result<CommitmentConfig> {
        let config = self.config()?;
        Ok(match self.options.commitment {
            Some(Commitment::Processed) => CommitmentConfig::processed(),
            Some(Commitment::Confirmed) => CommitmentConfig::confirmed(),
            Some(Commitment::Finalized) => CommitmentConfig::finalized(),
            None if config.commitment.is_empty() && is_local(url) => CommitmentConfig::confirmed(),
            None if config.commitment.is_empty() => CommitmentConfig::finalized(),
            None => config.commitment.parse().map_err(|_| {
                let file = self.config_file().unwrap_or_default();
                let line = config.commitment_line.unwrap_or_default();
                let sentence = format!(
                    "the configuration file {}, line {line}: its `commitment` is none of processed, confirmed, finalized",
                    file.display()
                );
                hinted(sentence, "`solana config set --commitment confirmed` corrects it; --commitment comes before it")
            })?,
        })
    }

    /// The cluster, which is not asked anything yet.
    pub fn connection(&self) -> Result<&RpcCluster> {
        once(&self.cluster, || {
            let url = self.setting(self.options.url.as_ref(), |config| &config.json_rpc_url)?;
            let url = url_of(&url);
            if !url.starts_with("http://") && !url.starts_with("https://") {
                let shown =
                    if url.contains(['/', '@', '?']) { format!("`{}`", redact::url(url)) } else { redact::shown(url) };
                let hint = "--url takes a URL, or mainnet-beta, devnet, testnet or localhost";
                return Err(misused(format!("{shown} is no cluster"), hint));
            }
            // Silence is told, so that nobody wonders.
            let watcher = |host: &str| {
                // Where logs are written, it is one of them.
                if tracing::dispatcher::has_been_set() {
                    tracing::warn!(host, "an answer takes long");
                } else {
                    anstream::eprintln!("{}", output::paint(format!("waiting for {host} ..."), output::QUIET));
                }
            };
            let cluster = RpcCluster::new(url, self.commitment(url)?);
            Ok(cluster.watched_by(Arc::new(watcher)).stopped_by(self.stop.clone()))
        })
    }

    /// The cluster, which runs the program.
    pub fn cluster(&self) -> Result<&RpcCluster> {
        let fresh = self.cluster.get().is_none();
        let cluster = self.connection()?;
        if fresh && !cluster.account(&backstop::ID)?.is_some_and(|account| account.executable) {
            return Err(WrongCluster { program: backstop::ID, host: cluster.host().to_owned() }.into());
        }
        Ok(cluster)
    }

    /// Who signs.
    pub fn signer(&self) -> Result<&dyn Signer> {
        let signer = once(&self.signer, || {
            let uri = self.setting(self.options.keypair.as_ref(), |config| &config.keypair_path)?;
            let flag = if self.options.keypair.is_some() { "--keypair" } else { "keypair_path of the configuration" };
            self.open(&uri, flag)
        })?;
        Ok(signer.as_ref())
    }

    /// The signer's address.
    pub fn wallet(&self) -> Result<Pubkey> {
        Ok(self.signer()?.try_pubkey()?)
    }

    /// Who pays fees and rent: the signer, if nobody else is named.
    pub fn fee_payer(&self) -> Result<&dyn Signer> {
        let Some(uri) = &self.options.fee_payer else { return self.signer() };
        Ok(once(&self.fee_payer, || self.open(uri, "--fee-payer"))?.as_ref())
    }

    /// Opens a signer. An address is one if it need not sign here, or if its signature was given.
    fn open(&self, uri: &str, flag: &str) -> Result<Box<dyn Signer>> {
        if let Some((address, signature)) = self.options.handover.signer.iter().find(|(key, _)| key.to_string() == uri)
        {
            return Ok(Box::new(Presigner::new(address, signature)));
        }
        signer::open(uri, flag, self.options.handover.prints() || self.options.dry_run)
    }

    /// The address that pays fees and rent.
    pub fn payer(&self) -> Result<Pubkey> {
        Ok(self.fee_payer()?.try_pubkey()?)
    }

    /// Who acts, and who pays for it.
    pub fn party(&self) -> Result<Party> {
        Ok(Party { wallet: self.wallet()?, payer: self.payer()? })
    }

    /// What is paid for priority.
    pub fn priority_fee(&self) -> Result<PriorityFee> {
        let cap = self.options.max_priority_fee;
        match self.options.priority_fee {
            Some(lamports) if lamports > cap => {
                let why = format!("--priority-fee {lamports} is above --max-priority-fee {cap}");
                Err(misused(why, "raise --max-priority-fee, or give less"))
            }
            Some(lamports) => Ok(PriorityFee::Fixed(lamports)),
            None => Ok(PriorityFee::Market { cap }),
        }
    }

    /// What sends transactions: paid by the fee payer, signed by the signer.
    pub fn pipeline(&self) -> Result<Pipeline<'_>> {
        Ok(Pipeline {
            signers: vec![self.signer()?],
            priority_fee: self.priority_fee()?,
            blockhash: handover::blockhash(self)?,
            ..Pipeline::new(self.cluster()?, self.fee_payer()?)
        })
    }

    /// Carries instructions out as one transaction: simulates them, tells what will happen as `describe` reads it from
    /// the simulation, asks, sends, and prints what became of it.
    ///
    /// `describe` gives the preview for people and the details for machines. With `--dry-run` and `--print-tx` nothing is
    /// sent.
    pub fn carry_out<T: Serialize>(
        &self,
        instructions: &[Instruction],
        describe: impl FnOnce(&Receipt) -> Result<(Preview, T)>,
    ) -> Result<()> {
        self.carry_out_with(None, instructions, describe)
    }

    /// Carries out what was thought through.
    pub fn act(&self, act: &impl Act) -> Result<()> {
        self.carry_out(act.instructions(), |receipt| act.describe(receipt).map_err(plain))
    }

    /// [`Self::carry_out`] with one more who signs.
    pub fn carry_out_with<T: Serialize>(
        &self,
        further: Option<&dyn Signer>,
        instructions: &[Instruction],
        describe: impl FnOnce(&Receipt) -> Result<(Preview, T)>,
    ) -> Result<()> {
        let mut pipeline = self.pipeline()?;
        pipeline.signers.extend(further);
        let plan = pipeline.plan(instructions)?;
        let (preview, details) = describe(&plan.simulated)?;
        self.show(&preview, plan.fee);
        let mut done = Done {
            status: "simulated",
            signature: None,
            explorer: None,
            handover: None,
            compute_units: plan.simulated.compute_units,
            fee_lamports: plan.fee,
            details: &details,
        };
        let options = &self.options.handover;
        if options.prints() {
            let handover = self.hand_over(&pipeline, instructions, plan)?;
            done.status = if options.sign_only { "signed" } else { "printed" };
            done.handover = Some(handover);
        } else if !self.options.dry_run {
            self.ask("Go on?")?;
            let signature = self.send_in_rounds(&mut pipeline, instructions, plan)?.signature.to_string();
            done.explorer = explorer::transaction(self.connection()?.host(), &signature);
            if let Some(link) = done.explorer.as_ref().filter(|_| self.options.output == Output::Display) {
                anstream::eprintln!("{}", output::paint(format!("See it at {link}"), output::QUIET));
            }
            done.signature = Some(signature);
            done.status = "confirmed";
        }
        self.options.output.print(&done, |done| match (&done.handover, &done.signature) {
            (Some(handover), _) => handover::text(handover, options),
            (None, Some(signature)) => format!("{} {signature}", output::paint("Confirmed:", output::GOOD)),
            (None, None) => format!("Would succeed: {} compute units. Nothing was sent.", done.compute_units),
        })
    }

    /// Signs and sends what was agreed to. What surely expired is signed anew and sent again, each time for a higher fee.
    fn send_in_rounds(&self, pipeline: &mut Pipeline, instructions: &[Instruction], plan: Plan) -> Result<Receipt> {
        let mut plan = plan;
        loop {
            // Signed after consent: a device asks once, and the blockhash has its whole life before it.
            let prepared = pipeline.sign(instructions, plan)?;
            match self.send(&prepared) {
                Err(ClusterError::Expired { .. })
                    if pipeline.blockhash.is_none() && pipeline.lost_rounds + 1 < ROUNDS =>
                {
                    pipeline.lost_rounds += 1;
                    plan = pipeline.plan(instructions)?;
                    let fee = output::exact_amount(plan.fee, 9);
                    let note = format!("It expired unexecuted. It is sent again, for a fee of {fee} SOL.");
                    anstream::eprintln!("{}", output::paint(note, output::WATCH));
                }
                outcome => return Ok(outcome?),
            }
        }
    }

    /// Asks, and makes what is handed out of a transaction: unsigned, or with `--sign-only` signed by those who are here.
    pub fn hand_over(&self, pipeline: &Pipeline, instructions: &[Instruction], plan: Plan) -> Result<Handover> {
        let options = &self.options.handover;
        self.ask(if options.sign_only { "Sign and print it?" } else { "Print it?" })?;
        let prepared = match options.sign_only {
            true => pipeline.sign(instructions, plan)?,
            false => pipeline.draft(instructions, plan)?,
        };
        let handover = Handover::new(&prepared, instructions);
        handover::tell(&handover, self.cluster()?, options);
        Ok(handover)
    }

    /// Shows on stderr what will happen.
    pub fn show(&self, preview: &Preview, fee: u64) {
        anstream::eprintln!("{}", output::paint(&preview.title, output::HEADING));
        let sol = format!("{} SOL", output::exact_amount(fee, 9));
        let rows = preview.rows.iter().map(|(label, value)| (*label, value.as_str())).chain([("fee", sol.as_str())]);
        for (label, value) in rows {
            anstream::eprint!("{}", output::row(label, value));
        }
        for warning in &preview.warnings {
            anstream::eprintln!("{}", output::paint(output::paragraph(warning).trim_end(), output::WATCH));
        }
    }

    /// Asks for consent, unless `--yes`. Nobody there to ask is a wrong command line.
    pub fn ask(&self, question: &str) -> Result<()> {
        if self.options.yes {
            return Ok(());
        }
        if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
            return Err(misused("nobody is there to confirm", "give --yes, or --dry-run to look only"));
        }
        // A plain line: whoever ends it with Ctrl-C finds the terminal as it was.
        anstream::eprint!("{question} [y/N] ");
        let mut answer = String::new();
        std::io::stdin().lock().read_line(&mut answer)?;
        if ["y", "yes"].contains(&answer.trim().to_lowercase().as_str()) {
            Ok(())
        } else {
            Err(anyhow!("not confirmed: nothing was sent"))
        }
    }

    /// Sends a prepared transaction and waits for it, with a spinner where somebody watches.
    pub fn send(&self, prepared: &Prepared) -> Result<Receipt, ClusterError> {
        let cluster = self.cluster.get().expect("a transaction was prepared on it");
        // Whatever happens from here on, to the network or to this process: it can be looked up.
        let signature = prepared.transaction.signatures[0];
        anstream::eprintln!("{} {signature}", output::paint("Sending", output::QUIET));
        let spinner = ProgressBar::new_spinner().with_message("waiting for confirmation");
        spinner.enable_steady_tick(Duration::from_millis(120));
        let outcome = transaction::confirm(cluster, std::slice::from_ref(prepared)).remove(0);
        spinner.finish_and_clear();
        outcome
    }
}

/// The value of a cell, made when first asked for.
fn once<T>(cell: &OnceCell<T>, make: impl FnOnce() -> Result<T>) -> Result<&T> {
    if let Some(value) = cell.get() {
        return Ok(value);
    }
    let value = make()?;
    Ok(cell.get_or_init(|| value))
}
