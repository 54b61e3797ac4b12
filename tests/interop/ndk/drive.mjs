// Session files of the Nostr Development Kit, both ways. Usage: node drive.mjs MOORLINE EXAMPLE
// PACKAGE, where EXAMPLE is the program that restores sessions, and PACKAGE what
// @nostr-dev-kit/sessions is installed as. Prints a line a step and ends with `N passed, M failed`.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import NDK, { NDKEvent, NDKPrivateKeySigner } from "@nostr-dev-kit/ndk";

const [moorline, example, name] = process.argv.slice(2);
const { FileStorage, NDKSessionManager } = await import(name);

const folder = mkdtempSync(join(tmpdir(), "moorline-interop-ndk-"));
const path = (file) => join(folder, file);
const text = (file) => readFileSync(path(file), "utf8");

const keys = ["01", "02"].map((byte) => byte.repeat(32));
const [a, b] = keys.map((key) => new NDKPrivateKeySigner(key).pubkey);
const watched = "a".repeat(64);

/** A manager of NDK's over a file, which stores when it is told to. */
function ndkOn(file) {
  const ndk = new NDK();
  const storage = new FileStorage(path(file));
  const manager = new NDKSessionManager(ndk, { storage, autoSave: false });
  return { ndk, manager };
}

/** Restores, and waits until whoever was active is. */
async function restored(file) {
  const { ndk, manager } = ndkOn(file);
  await manager.restore();
  for (let turn = 0; turn < 1000 && manager.activePubkey && !ndk.activeUser; turn += 1) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return { ndk, manager };
}

/** `moorline sessions` with a store of its own. */
function sessions(store, ...args) {
  const where = ["--store", path(store), "--keys", `file:${path(`${store}.key`)}`];
  return execFileSync(moorline, ["sessions", ...where, ...args], { encoding: "utf8" });
}

let passed = 0;
let failed = 0;
async function check(what, holds) {
  try {
    await holds();
    passed += 1;
    console.log(`ok    ${name}: ${what}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL  ${name}: ${what}: ${error instanceof Error ? error.message : error}`);
  }
}

try {
  await check("it writes a file", async () => {
    const { ndk, manager } = ndkOn("theirs.json");
    for (const key of keys) await manager.login(new NDKPrivateKeySigner(key, ndk));
    await manager.login(ndk.getUser({ pubkey: watched }), { setActive: false });
    manager.enableWallet(a);
    await manager.persist();
    assert.equal(JSON.parse(text("theirs.json")).sessions.length, 3);
  });

  await check("its file goes in, sealed, and comes out byte for byte", async () => {
    sessions("store", "ndk", "import", path("theirs.json"));
    assert.equal(sessions("store", "ndk", "export", "--out", "-"), text("theirs.json"));
    sessions("store", "ndk", "export", "--out", path("ours.json"));
    assert.equal(text("ours.json"), text("theirs.json"));
    assert.equal(statSync(path("ours.json")).mode & 0o777, 0o600);
  });

  await check("it restores our file: accounts, signers, who is active", async () => {
    const { ndk, manager } = await restored("ours.json");
    assert.deepEqual([...manager.getSessions().keys()], [a, b, watched]);
    assert.equal(manager.activePubkey, b);
    assert.equal(ndk.activeUser.pubkey, b);
    assert.equal(manager.isReadOnly(watched), true);
    assert.equal(manager.isWalletEnabled(a), true);
    const before = new Map(JSON.parse(text("theirs.json")).sessions);
    for (const [pubkey, session] of manager.getSessions()) {
      if (pubkey !== b) assert.equal(session.lastActive, before.get(pubkey).lastActive);
    }
    for (const pubkey of [a, b]) {
      await manager.switchTo(pubkey);
      const event = new NDKEvent(ndk, { kind: 1, content: "interop" });
      await event.sign();
      assert.equal(event.pubkey, pubkey);
      assert.equal(event.verifySignature(false), true);
    }
  });

  await check("we restore its file, and what we write is the same", async () => {
    const told = execFileSync(example, [path("theirs.json"), path("restored.json")], {
      encoding: "utf8",
    });
    assert.match(told, /^3 sessions are back$/m);
    for (const pubkey of [a, b]) assert.match(told, new RegExp(`^${pubkey} signs`, "m"));
    assert.match(told, new RegExp(`^${watched} watches`, "m"));
    assert.match(told, new RegExp(`^${b} is active$`, "m"));
    assert.equal(text("restored.json"), text("theirs.json"));
    const { manager } = await restored("restored.json");
    assert.equal(manager.activePubkey, b);
  });

  await check("what it changes is taken over", async () => {
    const { manager } = await restored("ours.json");
    manager.logout(watched);
    await manager.switchTo(a);
    await manager.persist();
    sessions("again", "ndk", "import", path("ours.json"));
    assert.equal(sessions("again", "ndk", "export", "--out", "-"), text("ours.json"));
    const { sessions: stored, activePubkey } = JSON.parse(text("ours.json"));
    assert.deepEqual([stored.map(([pubkey]) => pubkey), activePubkey], [[a, b], a]);
  });

  await check("what JavaScript writes of what nobody knows stays as it is", async () => {
    const file = JSON.parse(text("theirs.json"));
    file.later = [1e21, -0, 5e-324, 0.1, "\ud800 \u2028 \u007f \u0001 / \" \\", {}, [], null];
    file.sessions[2][1]["\udfff"] = { deep: [{ empty: {} }] };
    file.sessions[2][1].lastActive = 1.5;
    writeFileSync(path("strange.json"), JSON.stringify(file, null, 2));
    sessions("strange", "ndk", "import", path("strange.json"));
    assert.equal(sessions("strange", "ndk", "export", "--out", "-"), text("strange.json"));
  });

  await check("an unknown signer and a read-only account keep what they have", async () => {
    const file = JSON.parse(text("theirs.json"));
    const payload = JSON.stringify({ type: "nip99", payload: { key: "kept" } });
    file.sessions[0][1].signerPayload = payload;
    writeFileSync(path("nip99.json"), JSON.stringify(file, null, 2));
    execFileSync(example, [path("nip99.json"), path("nip99-ours.json")]);
    assert.equal(text("nip99-ours.json"), text("nip99.json"));
  });
} finally {
  rmSync(folder, { recursive: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
