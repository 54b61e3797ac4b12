// Drives the wallet's pages. Usage: node drive.mjs MOORLINE FOLDER-FOR-SCREENSHOTS

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { join } from "node:path";
import { Browser, start, until } from "./webdriver.mjs";

const [moorline, folder] = process.argv.slice(2);
const programs = [];

async function wallet(...args) {
  const [match, child] = await start(
    moorline,
    ["wallet", "--json", "--listen", "127.0.0.1:0", "--approval", "manual", ...args],
    /(\{.*\})\n/,
  );
  programs.push(child);
  const told = JSON.parse(match[1]);
  const base = told.httpUrl.replace("/api/v0/dapp", "");
  const call = async (path, method, params, token) => {
    const headers = { "content-type": "application/json" };
    if (token) headers.authorization = `Bearer ${token}`;
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
    const answer = await (await fetch(base + path, { method: "POST", headers, body })).json();
    if (answer.error) throw new Error(JSON.stringify(answer.error));
    return answer.result;
  };
  return {
    base,
    dapp: (method, params, token) => call("/api/v0/dapp", method, params, token),
    user: (method, params, token) => call("/api/v0/user", method, params, token),
  };
}

/** A page of a program: opens the login in a window and waits for what it is told. */
async function program() {
  const page = `<!DOCTYPE html><title>program</title><button id="open">Connect</button>
    <output id="token"></output><script>
    let popup;
    const to = new URLSearchParams(location.search).get("to");
    document.getElementById("open").onclick = () => {
      popup = window.open(to, "wallet-popup");
      setInterval(() => popup.postMessage({ type: "SPLICE_WALLET_BROADCAST_ORIGIN" }, "*"), 100);
    };
    window.addEventListener("message", (event) => {
      if (event.data.type === "SPLICE_WALLET_BROADCAST_ORIGIN_ACK") document.title = "acknowledged";
      if (event.data.type === "SPLICE_WALLET_IDP_AUTH_SUCCESS") {
        document.getElementById("token").textContent = event.data.token;
      }
    });</script>`;
  const server = createServer((_, response) => {
    response.setHeader("content-type", "text/html; charset=utf-8");
    response.end(page);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return [`http://127.0.0.1:${server.address().port}`, server];
}

let passed = 0;
let failed = 0;
async function check(name, holds) {
  try {
    await holds();
    passed += 1;
    console.log(`ok    ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL  ${name}: ${error.message}`);
  }
}

const browser = await Browser.open();
const shot = (name) => browser.screenshot(join(folder, `${name}.png`));
const [origin, server] = await program();
let token;

try {
  for (const profile of ["g1", "g2"]) {
    const gateway = await wallet("--profile", profile);
    await check(`${profile}: a program's window logs in and is told the token`, async () => {
      const { userUrl } = await gateway.dapp("connect");
      await browser.go(`${origin}/?to=${encodeURIComponent(userUrl)}`);
      const [first] = await browser.windows();
      await browser.click("#open");
      const popup = await until("the window", async () =>
        (await browser.windows()).find((it) => it !== first),
      );
      await browser.use(popup);
      await until("the form", () => browser.find("#log-in"));
      await until("the handshake", () =>
        browser.script("return document.getElementById('origin').value === arguments[0]", origin),
      );
      assert.equal(await browser.label("#user"), "User");
      assert.equal(await browser.label("#password"), "Password");
      assert.equal(await browser.label("#network"), "Network");
      await shot(`login-${profile}`);
      await browser.click("#log-in");
      await until("the login", () => browser.find("#logged-in"));
      await shot(`logged-in-${profile}`);
      await browser.close();
      await browser.use(first);
      token = await until("the token", () => browser.text("#token"));
      assert.equal((await gateway.dapp("isConnected", undefined, token)).isConnected, true);
    });

    for (const [decision, outcome] of [["approve", "executed"], ["reject", "gone"]]) {
      await check(`${profile}: somebody ${decision}s a transaction`, async () => {
        const commands = [{ CreateCommand: {
          templateId: "#demo:Main:Asset",
          createArguments: { owner: "alice", note: "<script>document.title='stolen'</script>" },
        } }];
        const params = { commandId: `browser-${decision}`, commands };
        const { userUrl } = await gateway.dapp("prepareExecute", params, token);
        await browser.go(userUrl);
        assert.equal(await browser.text("#status"), "pending");
        assert.equal(await browser.label(`#${decision}`), decision === "approve" ? "Approve" : "Reject");
        assert.notEqual(await browser.script("return document.title"), "stolen");
        await shot(`transaction-${decision}-${profile}`);
        await browser.click(`#${decision}`);
        await until("the decision", () => browser.find("#decided"));
        await shot(`decided-${decision}-${profile}`);
        const { transactions } = await gateway.user("listTransactions", undefined, token);
        const found = transactions.find((it) => it.commandId === params.commandId);
        assert.equal(found ? found.status : "gone", outcome);
        await browser.go(userUrl);
        if (outcome === "gone") {
          assert.match(await browser.text("[role=alert]"), /no such transaction/);
        } else {
          assert.equal(await browser.text("#status"), "executed");
        }
        await shot(`revisited-${decision}-${profile}`);
      });
    }

    await check(`${profile}: a wrong name is explained`, async () => {
      await browser.go(`${gateway.base}/login/`);
      await browser.fill("#user", "mallory");
      await browser.click("#log-in");
      await until("the problem", () => browser.find("[role=alert]"));
      assert.match(await browser.text("[role=alert]"), /no such user/);
      await shot(`login-wrong-${profile}`);
    });
  }

  const g2 = await wallet("--profile", "g2");
  await check("a message is signed", async () => {
    const login = await fetch(`${g2.base}/admin/log-in`, {
      method: "POST",
      body: JSON.stringify({ user: "dev-user", network: "canton:local" }),
    });
    const { result } = await login.json();
    const { userUrl } = await g2.dapp("signMessage", { message: "hello, wallet" }, result.token);
    await browser.go(userUrl);
    await shot("message");
    await browser.click("#approve");
    await until("the decision", () => browser.find("#decided"));
  });

  await check("a program is let in by the identity provider", async () => {
    const query = new URLSearchParams({
      response_type: "code", client_id: "moorline-cli", redirect_uri: `${origin}/callback`,
      scope: "daml_ledger_api", state: "s1", code_challenge_method: "S256",
      code_challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
    });
    await browser.go(`${g2.base}/idp/authorize?${query}`);
    await shot("authorize");
    await browser.fill("#user", "dev-user");
    await browser.click("button[value=allow]");
    const url = await until("the way back", async () => {
      const url = await browser.url();
      return url.startsWith(`${origin}/callback`) && url;
    });
    assert.match(url, /code=.+&state=s1/);
  });

  const strict = await wallet();
  await check("a program without a login is let in", async () => {
    const { userUrl } = await strict.dapp("connect");
    await browser.go(userUrl);
    await browser.size(400, 800);
    await shot("waiting-narrow");
    await browser.click("#approve-all");
    await until("the decision", () => browser.find("[role=status]"));
    assert.equal((await strict.dapp("isConnected")).isConnected, true);
    await browser.size(900, 900);
  });

  await check("a page of another site cannot decide", async () => {
    const { userUrl } = await strict.dapp("prepareExecute", { commands: [{ CreateCommand: {} }] });
    const id = new URL(userUrl).searchParams.get("transactionId");
    await browser.go(origin);
    await browser.script(
      `const form = document.createElement("form");
       form.method = "post"; form.action = arguments[0];
       for (const [name, value] of [["id", arguments[1]], ["decision", "approve"]]) {
         const input = document.createElement("input");
         input.name = name; input.value = value; form.append(input);
       }
       document.body.append(form); form.submit();`,
      `${strict.base}/approve/`,
      id,
    );
    await until("the refusal", () => browser.find("[role=alert]"));
    assert.match(await browser.text("[role=alert]"), /another site/);
    await shot("another-site");
  });
} finally {
  await browser.end();
  server.close();
  for (const child of programs) child.kill("SIGTERM");
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
