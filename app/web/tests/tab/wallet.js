// A wallet of the Wallet Standard for tests: it asks the test for everything, and the test signs with a real key.
(() => {
  const { name, sends } = WALLET;
  const waiting = new Map();
  const listeners = new Set();
  let next = 0;
  let accounts = [];
  const call = (what, more) => new Promise((done, fail) => {
    waiting.set(next, { done, fail });
    window.walletCalls(JSON.stringify({ id: next++, what, ...more }));
  });
  window.walletAnswers = (id, answer, error) => {
    const { done, fail } = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) done(answer);
    else fail(new Error(error));
  };
  const toBase64 = (bytes) => btoa(String.fromCharCode(...bytes));
  const toBytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const account = (address) => ({ address, publicKey: new Uint8Array(32), chains: ["solana:localnet"], features: [] });
  const tell = (addresses) => {
    accounts = addresses.map(account);
    listeners.forEach((listener) => listener({ accounts }));
  };
  window.walletChanges = tell;
  const versions = { version: "1.0.0", supportedTransactionVersions: ["legacy", 0] };
  const signs = {
    "solana:signTransaction": {
      ...versions,
      signTransaction: async (...inputs) => Promise.all(inputs.map(async ({ account: of, transaction, chain }) => {
        const signed = await call("sign", { address: of.address, transaction: toBase64(transaction), chain });
        return { signedTransaction: toBytes(signed) };
      })),
    },
  };
  const sendsToo = {
    "solana:signAndSendTransaction": {
      ...versions,
      signAndSendTransaction: async (...inputs) => Promise.all(inputs.map(async ({ account: of, transaction, chain }) => {
        const sent = await call("send", { address: of.address, transaction: toBase64(transaction), chain });
        return { signature: toBytes(sent) };
      })),
    },
  };
  const wallet = {
    version: "1.0.0",
    name,
    icon: "data:image/svg+xml;base64,",
    chains: ["solana:localnet"],
    get accounts() { return accounts; },
    features: {
      "standard:connect": {
        version: "1.0.0",
        connect: async (how) => {
          accounts = (await call("connect", { silent: how?.silent === true })).map(account);
          return { accounts };
        },
      },
      "standard:disconnect": { version: "1.0.0", disconnect: async () => { await call("disconnect"); tell([]); } },
      "standard:events": {
        version: "1.0.0",
        on: (event, listener) => { listeners.add(listener); return () => listeners.delete(listener); },
      },
      ...(sends ? sendsToo : signs),
    },
  };
  const register = ({ register: to }) => to(wallet);
  window.addEventListener("wallet-standard:app-ready", (event) => register(event.detail));
  window.dispatchEvent(new CustomEvent("wallet-standard:register-wallet", { detail: register }));
})();
