"use strict";
// Speaks the Wallet Standard: finds wallets, has the server build transactions, shows them, has the wallet sign them,
// and tells what became of them. Whatever is shown is set as text. Without this script every page can be read.
(() => {
  const box = document.getElementById("wallet");
  if (!box) return;
  const part = (id) => document.getElementById(`wallet-${id}`);
  const [names, button, mine, note] = ["name", "connect", "mine", "note"].map(part);
  const [CONNECT, SIGN, SEND] = ["standard:connect", "solana:signTransaction", "solana:signAndSendTransaction"];
  const forms = [...document.querySelectorAll("form[data-act]")];
  const wallets = new Map();
  let wallet = null, account = null, unlisten = () => {};
  const make = (tag, text, kind) => {
    const node = document.createElement(tag);
    node.textContent = text;
    if (kind) node.className = kind;
    return node;
  };
  const press = (text, action) => Object.assign(make("button", text), { type: "button", onclick: action });
  const toBase64 = (bytes) => btoa(String.fromCharCode(...bytes));
  const toBytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const wait = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
  const words = (why) => String(why?.message || why).slice(0, 300).replace(/\.+$/, "");
  const remembered = (name) => {
    try {
      if (name !== undefined) localStorage.setItem("wallet", name);
      return localStorage.getItem("wallet");
    } catch { return null; } // A browser that keeps nothing asks again.
  };

  async function ask(path, body) {
    const headers = { "content-type": "application/json" };
    const answer = await fetch(path, body && { method: "POST", headers, body: JSON.stringify(body) });
    const json = await answer.json().catch(() => ({ error: `this page's server refuses (${answer.status})` }));
    if (!answer.ok) throw Object.assign(new Error(json.error), json);
    return json;
  }

  const takes = (feature) => feature?.supportedTransactionVersions?.includes("legacy");
  const way = (one) => [SIGN, SEND].find((name) => takes(one.features[name]));
  const fits = (one) => one.features[CONNECT] && way(one) && one.chains.some((chain) => chain.startsWith("solana:"));

  function register(...found) {
    for (const one of found) {
      if (wallets.has(one.name) || !fits(one)) continue;
      wallets.set(one.name, one);
      names.append(make("option", one.name));
      box.hidden = false;
      if (remembered() === one.name && !wallet) connect(one, { silent: true }).catch(() => {});
    }
    return () => {};
  }

  async function connect(one, how) {
    const { accounts } = await one.features[CONNECT].connect(how);
    unlisten();
    const changed = (change) => change.accounts && use(one, change.accounts[0]);
    unlisten = one.features["standard:events"]?.on("change", changed) ?? unlisten;
    use(one, accounts[0]);
  }

  function use(one, next) {
    const before = account?.address;
    [wallet, account] = next ? [one, next] : [null, null];
    remembered(wallet ? wallet.name : "");
    names.hidden = Boolean(wallet);
    button.textContent = wallet ? `Disconnect ${wallet.name}` : "Connect";
    mine.hidden = !wallet;
    if (wallet) {
      mine.href = `/holder/${encodeURIComponent(account.address)}`;
      mine.textContent = `Mine: ${account.address.slice(0, 4)}…${account.address.slice(-4)}`;
    }
    note.textContent = "";
    if (before === account?.address) return;
    for (const form of forms) {
      if (form.querySelector("[data-preview]").hidden || form.ariaBusy === "true") continue;
      clear(form);
      say(form, "The wallet's account changed: nothing was sent.");
    }
  }

  button.addEventListener("click", async () => {
    try {
      if (!wallet) return await connect(wallets.get(names.value));
      const left = wallet;
      use(left, undefined);
      await left.features["standard:disconnect"]?.disconnect();
    } catch (why) {
      note.textContent = `The wallet says: ${words(why)}`;
    }
  });

  function say(form, text, signature) {
    const parts = signature ? [" Signature: ", make("code", signature)] : [];
    form.querySelector("[data-status]").replaceChildren(text, ...parts);
  }

  function clear(form) {
    const open = form.querySelector("[data-preview]");
    open.replaceChildren();
    open.hidden = true;
    return open;
  }

  function show(form, built, body) {
    const open = clear(form);
    const rows = make("dl", "");
    rows.append(...built.rows.flatMap(([name, value]) => [make("dt", name), make("dd", value)]));
    const command = make("p", "The same as: ", "command");
    command.append(make("code", built.command));
    const actions = make("p", "", "actions");
    const leave = press("Leave it", () => { clear(form); say(form, "Nothing was sent."); });
    actions.append(press(`Sign with ${wallet.name}`, () => work(form, () => sign(form, body))), leave);
    open.append(make("h3", built.title), rows);
    open.append(...built.warnings.map((text) => make("p", text, "warning")), command, actions);
    open.hidden = false;
    open.focus();
  }

  /// Does one thing at a time, and tells why it was not done.
  async function work(form, what) {
    if (form.ariaBusy === "true") return;
    form.ariaBusy = "true";
    const enable = (on) => form.querySelectorAll("button").forEach((one) => { one.disabled = !on; });
    enable(false);
    try {
      await what();
    } catch (why) {
      say(form, `${why.done ? "" : "Not done: "}${words(why)}.${why.hint ? ` ${why.hint}.` : ""}`, why.signature);
    }
    form.ariaBusy = "false";
    enable(true);
  }

  async function preview(form) {
    if (!account) throw new Error("connect a wallet first, at the top of the page");
    const body = { ...Object.fromEntries(new FormData(form)), act: form.dataset.act, wallet: account.address };
    say(form, "Built and simulated now …");
    const built = await ask("/sign/prepare", { ...body, again: form.dataset.plan });
    form.dataset.plan = built.plan;
    say(form, "Simulated. Look at it, then sign.");
    show(form, built, body);
  }

  /// A blockhash lives half a minute: what is signed is built now, within the limits that were shown.
  async function sign(form, body) {
    const fresh = await ask("/sign/prepare", { ...body, again: form.dataset.plan, agreed: true });
    if (account?.address !== body.wallet) throw new Error("the wallet's account changed meanwhile");
    const plan = form.dataset.plan = fresh.plan;
    const input = { account, chain: fresh.chain, transaction: toBytes(fresh.transaction) };
    const [by, signs] = [wallet, way(wallet)];
    say(form, `${by.name} asks you to sign …`);
    if (signs === SEND) await ask("/sign/hand", { plan });
    const method = signs === SIGN ? "signTransaction" : "signAndSendTransaction";
    const [signed] = await by.features[signs][method](input).catch((why) => {
      const end = signs === SIGN ? "Nothing was sent" : "If it was sent after all, the wallet's history tells";
      throw new Error(`${by.name} did not sign: ${words(why)}. ${end}`);
    });
    clear(form);
    const sent = signs === SIGN
      ? ask("/sign/send", { plan, transaction: toBase64(signed.signedTransaction) })
      : ask("/sign/watch", { plan, signature: toBase64(signed.signature) });
    // Whether a request arrived that got no answer the server tells when it answers again.
    const stands = await sent.catch((why) => why.error ? Promise.reject(why) : { status: "open" });
    await follow(form, plan, stands, () => work(form, () => sign(form, body)));
  }

  const ENDS = {
    confirmed: "Done: it is on chain.",
    failed: "It failed and changed nothing.",
    expired: "It expired before it was executed: nothing happened and nothing was paid.",
    unknown: "Nobody said how it ended. It may still be executed: look its signature up before you do it again.",
    prepared: "It did not arrive at this page's server, so it was not sent.",
    handed: "This page's server does not know its signature: the wallet's history tells how it ended.",
    another: "The wallet sent another transaction than the one built here: its history tells what.",
  };

  async function follow(form, plan, first, again) {
    let stands = first;
    while (stands.status === "open") {
      say(form, "Sent. Waiting for the chain …", stands.signature);
      await wait(700);
      stands = await ask(`/sign/status?plan=${encodeURIComponent(plan)}`).catch(() => stands);
    }
    say(form, `${ENDS[stands.status] ?? stands.status}${stands.why ? ` (${stands.why})` : ""}`, stands.signature);
    const next = { expired: ["Sign again", again], confirmed: ["Show the page anew", () => location.reload()] };
    if (next[stands.status]) form.querySelector("[data-status]").append(" ", press(...next[stands.status]));
    if (stands.status === "confirmed" || stands.status === "failed") delete form.dataset.plan;
  }

  for (const form of forms) {
    const go = form.querySelector("[data-go]");
    go.hidden = false;
    go.addEventListener("click", () => form.reportValidity() && work(form, () => preview(form)));
    if (form.querySelector("[type=submit]")) continue;
    form.addEventListener("submit", (event) => { event.preventDefault(); go.click(); });
  }
  window.addEventListener("wallet-standard:register-wallet", (event) => event.detail({ register }));
  window.dispatchEvent(new CustomEvent("wallet-standard:app-ready", { detail: { register } }));
})();
