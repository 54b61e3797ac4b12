// The little of WebDriver that is needed, over the driver's HTTP interface.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const ELEMENT = "element-6066-11e4-a52e-4f735466cecf";

/** Starts a program and waits for a line that matches; answers the match and the program. */
export function start(command, args, pattern) {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
  return new Promise((resolve, reject) => {
    let seen = "";
    child.stdout.on("data", (chunk) => {
      seen += chunk;
      const match = seen.match(pattern);
      if (match) resolve([match, child]);
    });
    child.on("exit", (code) => reject(new Error(`${command} ended with ${code}: ${seen}`)));
    child.on("error", reject);
  });
}

export class Browser {
  static async open() {
    const profile = mkdtempSync(join(tmpdir(), "moorline-browser-"));
    const [match, driver] = await start(
      "chromedriver",
      ["--port=0"],
      /started successfully on port (\d+)/,
    );
    const browser = new Browser(`http://127.0.0.1:${match[1]}`, driver, profile);
    const args = [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--disable-popup-blocking",
      "--window-size=900,900",
      `--user-data-dir=${profile}`,
    ];
    const options = { binary: "/usr/bin/chromium", args };
    const answer = await browser.send("POST", "/session", {
      capabilities: { alwaysMatch: { "goog:chromeOptions": options } },
    });
    browser.session = `/session/${answer.sessionId}`;
    return browser;
  }

  constructor(base, driver, profile) {
    this.base = base;
    this.driver = driver;
    this.profile = profile;
    this.session = "";
  }

  async send(method, path, body) {
    const options = { method, headers: { "content-type": "application/json" } };
    if (method === "POST") options.body = JSON.stringify(body ?? {});
    const answer = await (await fetch(this.base + path, options)).json();
    if (answer.value && answer.value.error) {
      throw new Error(`${path}: ${answer.value.error}: ${answer.value.message}`);
    }
    return answer.value;
  }

  call(method, path, body) {
    return this.send(method, this.session + path, body);
  }

  go(url) {
    return this.call("POST", "/url", { url });
  }

  url() {
    return this.call("GET", "/url");
  }

  windows() {
    return this.call("GET", "/window/handles");
  }

  use(handle) {
    return this.call("POST", "/window", { handle });
  }

  close() {
    return this.call("DELETE", "/window");
  }

  size(width, height) {
    return this.call("POST", "/window/rect", { width, height });
  }

  async find(css) {
    const element = await this.call("POST", "/element", { using: "css selector", value: css });
    return element[ELEMENT];
  }

  async click(css) {
    await this.call("POST", `/element/${await this.find(css)}/click`);
  }

  async text(css) {
    return this.call("GET", `/element/${await this.find(css)}/text`);
  }

  /** The name that assistive technology reads out. */
  async label(css) {
    return this.call("GET", `/element/${await this.find(css)}/computedlabel`);
  }

  async fill(css, text) {
    const element = await this.find(css);
    await this.call("POST", `/element/${element}/clear`);
    await this.call("POST", `/element/${element}/value`, { text });
  }

  script(script, ...args) {
    return this.call("POST", "/execute/sync", { script, args });
  }

  async screenshot(file) {
    const image = await this.call("GET", "/screenshot");
    writeFileSync(file, Buffer.from(image, "base64"));
  }

  async end() {
    await this.call("DELETE", "").catch(() => {});
    this.driver.kill();
    rmSync(this.profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Tries until it holds, for at most ten seconds. */
export async function until(what, holds) {
  const end = Date.now() + 10_000;
  let last;
  while (Date.now() < end) {
    try {
      const result = await holds();
      if (result) return result;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`never happened: ${what}${last ? ` (${last.message})` : ""}`);
}
