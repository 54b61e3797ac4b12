// The reference provider drives a wallet. Usage: node drive.mjs MOORLINE PROFILE
// Prints a line a step and ends with `N passed, M failed`.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { EventSource } from "eventsource";

// The provider was written for a browser: it needs a window to be told a token by, and streams.
const window = new EventTarget();
window.location = { origin: "http://127.0.0.1" };
globalThis.window = window;
globalThis.EventSource = EventSource;
const { DappAsyncProvider } = await import("@canton-network/core-provider-dapp");

const [moorline, profile] = process.argv.slice(2);

const wallet = spawn(
  moorline,
  ["wallet", "--json", "--listen", "127.0.0.1:0", "--approval", "manual", "--profile", profile],
  { stdio: ["ignore", "pipe", "inherit"] },
);
const told = await new Promise((resolve, reject) => {
  let seen = "";
  wallet.stdout.on("data", (chunk) => {
    seen += chunk;
    if (seen.includes("\n")) resolve(JSON.parse(seen.split("\n")[0]));
  });
  wallet.on("exit", (code) => reject(new Error(`the wallet ended with ${code}`)));
});
const base = told.httpUrl.replace("/api/v0/dapp", "");

let passed = 0;
let failed = 0;
async function check(name, holds) {
  try {
    await holds();
    passed += 1;
    console.log(`ok    ${profile}: ${name}`);
  } catch (error) {
    failed += 1;
    const why = error instanceof Error ? error.message : JSON.stringify(error);
    console.log(`FAIL  ${profile}: ${name}: ${why}`);
  }
}

async function admin(act, body = {}) {
  const answer = await fetch(`${base}/admin/${act}`, { method: "POST", body: JSON.stringify(body) });
  const told = await answer.json();
  if (!told.ok) throw new Error(told.error);
  return told.result;
}

const provider = new DappAsyncProvider(told.httpUrl);
const events = [];
for (const name of ["accountsChanged", "connected", "messageSignature", "statusChanged", "txChanged"]) {
  provider.on(name, (payload) => events.push({ name, payload }));
}

/** The first event that fits, taken out; waits at most ten seconds. */
async function event(name, fits = () => true) {
  const end = Date.now() + 10_000;
  while (Date.now() < end) {
    const index = events.findIndex((it) => it.name === name && fits(it.payload));
    if (index >= 0) return events.splice(index, 1)[0].payload;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`no ${name}; there came ${JSON.stringify(events)}`);
}

const request = (method, params) => provider.request(params ? { method, params } : { method });
const tx = (commandId, status) =>
  event("txChanged", (it) => it.commandId === commandId && it.status === status);
const commands = [{ CreateCommand: { templateId: "#p:M:T", createArguments: {} } }];

try {
  await check("connect without a login says where to log in", async () => {
    const answer = await request("connect");
    assert.equal(answer.isConnected, false);
    assert.equal(answer.userUrl, `${base}/login/`);
  });

  await check("without a login accounts are refused", async () => {
    await assert.rejects(request("listAccounts"));
  });

  await check("a login makes it connected", async () => {
    const { token } = await admin("log-in", { user: "dev-user", network: "canton:local" });
    const data = { type: "SPLICE_WALLET_IDP_AUTH_SUCCESS", token, sessionId: "interop" };
    window.dispatchEvent(new MessageEvent("message", { data, origin: base }));
    const status = await event("statusChanged", (it) => it.connection.isConnected);
    assert.equal(status.session.userId, "dev-user");
    for (;;) {
      // Its stream must be open before anything can be told.
      const state = await (await fetch(`${base}/admin/state`)).json();
      if (state.streams === 1) break;
    }
  });

  await check("connect announces the session", async () => {
    const answer = await request("connect");
    assert.equal(answer.isConnected, true);
    const connected = await event("connected");
    assert.equal(connected.connection.isConnected, true);
  });

  await check("accounts and network", async () => {
    const accounts = await request("listAccounts");
    assert.deepEqual(accounts.map((it) => it.hint), ["alice", "bob"]);
    assert.equal((await request("getPrimaryAccount")).hint, "alice");
    assert.equal((await request("getActiveNetwork")).networkId, "canton:local");
    await admin("switch-party", { account: "bob" });
    const changed = await event("accountsChanged");
    assert.equal(changed.find((it) => it.primary).hint, "bob");
  });

  await check("a transaction that is approved", async () => {
    const answer = await request("prepareExecute", { commandId: "interop-1", commands });
    assert.match(answer.userUrl, /\/approve\/index\.html\?transactionId=.+&commandId=interop-1/);
    await tx("interop-1", "pending");
    await admin("approve");
    const executed = await tx("interop-1", "executed");
    assert.equal(typeof executed.payload.updateId, "string");
  });

  await check("a transaction that is rejected", async () => {
    await request("prepareExecute", { commandId: "interop-2", commands });
    await tx("interop-2", "pending");
    await admin("reject");
    if (profile !== "g1") await tx("interop-2", "failed");
  });

  await check("the ledger", async () => {
    const params = { requestMethod: "get", resource: "/v2/version" };
    assert.equal(typeof (await request("ledgerApi", params)).version, "string");
  });

  await check("a message", async () => {
    if (profile === "g1") {
      await assert.rejects(request("signMessage", { message: "hello" }));
      return;
    }
    const { messageId, userUrl } = await request("signMessage", { message: "hello" });
    assert.match(userUrl, /\/approve\//);
    await admin("approve");
    const signed = await event("messageSignature", (it) => it.status === "signed");
    assert.equal(signed.messageId, messageId);
  });

  await check("disconnect", async () => {
    assert.equal(await request("disconnect"), null);
    const ended = await event("statusChanged", (it) => !it.connection.isConnected);
    assert.equal(ended.connection.reason, "disconnect");
    assert.equal((await request("isConnected")).isConnected, false);
  });
} finally {
  wallet.removeAllListeners("exit");
  wallet.kill("SIGTERM");
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
