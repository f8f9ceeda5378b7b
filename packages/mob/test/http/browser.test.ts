/**
 * Goal: the page works where people have it. Invariants: a link signs in once; what happens is seen as it happens; a click decides; what
 * others write is text; it can be read by day and by night; the browser has nothing to complain of. Method: a real browser, a real server.
 */
import assert from "node:assert/strict";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { test, type TestContext } from "node:test";
import chromium from "@sparticuz/chromium";
import { until } from "@atoll-run/testkit";
import { chromium as browsers, type Page } from "playwright-core";
import { spawned } from "../support.ts";
import { served } from "./served.ts";

/** The browser of the package is one for Linux on x64; another is named by `CHROMIUM_PATH`. */
const NAMED = process.env["CHROMIUM_PATH"];
const MISSING = NAMED === undefined && (process.platform !== "linux" || process.arch !== "x64") ? "CHROMIUM_PATH names no browser" : false;
const WAIT_MS = 30_000;

/** A page, and all that its browser complains of. */
async function open(t: TestContext, { args = [], ...o }: { readonly colorScheme: "light" | "dark"; readonly args?: readonly string[] }): Promise<{ readonly page: Page; readonly complaints: readonly string[] }> {
  const browser = await browsers.launch({
    executablePath: NAMED ?? await chromium.executablePath(), args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", ...args],
  });
  t.after(() => browser.close());
  const context = await browser.newContext({ ...o, locale: "en-US", viewport: { width: 1_280, height: 800 } });
  const page = await context.newPage();
  page.setDefaultTimeout(WAIT_MS);
  const complaints: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
  }).on("pageerror", (error) => complaints.push(error.message));
  return { page, complaints };
}

/** Text that is hard to read: less than 4.5 to 1 before what is behind it. In the words of the browser, whose types are not ours. */
const FAINT = `(() => {
  const channels = (color) => (color.match(/[\\d.]+/g) ?? []).map(Number);
  const light = (color) => {
    const [r = 0, g = 0, b = 0] = channels(color).map((part) => part / 255).map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let at = element; at !== null; at = at.parentElement) {
      const { backgroundColor } = getComputedStyle(at);
      if (channels(backgroundColor)[3] !== 0) return backgroundColor;
    }
    return "rgb(255, 255, 255)";
  };
  const texts = [...document.querySelectorAll("body *")].filter((one) => one.checkVisibility() && [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim() !== ""));
  const faint = texts.filter((one) => {
    const [x, y] = [light(getComputedStyle(one).color), light(behind(one))];
    return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05) < 4.5 && !one.disabled;
  });
  return { texts: texts.length, faint: faint.map((one) => one.tagName + " " + one.textContent.slice(0, 40)) };
})()`;

async function readable(page: Page): Promise<void> {
  const { texts, faint } = await page.evaluate<{ readonly texts: number; readonly faint: readonly string[] }>(FAINT);
  assert.ok(texts > 3);
  assert.deepEqual(faint, []);
}

for (const colorScheme of ["light", "dark"] as const) {
  test(`in a browser, ${colorScheme}: the link signs in, members and the ledger are seen as they change, a click approves, and there is no complaint`, { skip: MISSING }, async (t) => {
    const { http, append, approvals, view } = await served(t);
    const { page, complaints } = await open(t, { colorScheme });
    await page.goto(http.link());
    await page.locator('#lamp[data-is="live"]').waitFor();
    assert.equal(new URL(page.url()).hash, "");
    assert.deepEqual([await page.title(), await page.locator("#who").textContent()], ["m · Atoll", "admin (admin)"]);
    assert.deepEqual(await page.locator("#members td:first-child").allTextContents(), ["open", "shut"]);

    const call = approvals.guard({ member: "open", generation: 1, turn_id: "t_1", principal: "viewer", grant: "fs.write", args: { path: "report.md", text: "<b>text</b>" }, signal: new AbortController().signal });
    await append(spawned("new"), { kind: "note", source: "x", data: { text: "<img src=x onerror=alert(1)>" } });
    await page.locator("#members tr", { hasText: "new" }).waitFor();
    await page.locator("#ledger li", { hasText: "<img src=x onerror=alert(1)>" }).waitFor();
    const first = page.locator("#ledger summary", { hasText: "alert(1)" });
    await first.focus();
    await page.keyboard.press("Enter");
    await page.locator("#ledger pre", { hasText: '"kind": "note"' }).waitFor();
    // What comes meanwhile takes nothing away from whoever reads.
    await append({ kind: "note", source: "x", data: { text: "one more" } });
    await page.locator("#ledger li", { hasText: "one more" }).waitFor();
    await append({ kind: "member_broken", source: "mob", member: "new", data: { state: "broken", kind: "start_failed", detail: "no" } });
    await page.locator('#ledger li[data-class="error"]', { hasText: "member broken" }).waitFor();
    assert.equal(await first.evaluate("document.activeElement?.textContent.includes('alert(1)')"), true);
    const card = page.locator(".approval", { hasText: "report.md" });
    await card.waitFor();
    assert.match(await card.textContent() ?? "", /open wants fs\.write report\.md/);
    await readable(page);
    if (process.env["SHOTS"] !== undefined) await page.screenshot({ path: `${process.env["SHOTS"]}/${colorScheme}.png` });
    await card.getByRole("button", { name: "Approve" }).click();
    await card.waitFor({ state: "detached" });
    void call.catch(() => undefined);
    await until(() => [...view.approvals.values()].every(({ state }) => state === "approved"));
    await page.locator("#says", { hasText: "Approved." }).waitFor();
    await page.locator("#ledger li", { hasText: "approval decided" }).waitFor();

    // By hand it is the other way round, and stays so.
    const ground = (): Promise<string> => page.evaluate("getComputedStyle(document.body).backgroundColor");
    const before = await ground();
    for (let n = 0; n < 3 && await ground() === before; n++) await page.locator("#theme").click();
    const second = await ground();
    assert.notEqual(second, before);
    await readable(page);
    await page.reload();
    await page.locator('#lamp[data-is="live"]').waitFor();
    assert.equal(await ground(), second);
    // Narrow as a phone, nothing is cut off.
    await page.setViewportSize({ width: 400, height: 800 });
    assert.equal(await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), true);
    if (process.env["SHOTS"] !== undefined) await page.screenshot({ path: `${process.env["SHOTS"]}/${colorScheme}-narrow.png`, fullPage: true });
    assert.deepEqual(complaints, []);
    await page.locator("#sign-out").click();
    await page.locator("#door").waitFor();
    await until(() => http.streams === 0);
    await readable(page);
    if (process.env["SHOTS"] !== undefined) await page.screenshot({ path: `${process.env["SHOTS"]}/${colorScheme}-door.png` });
  });
}

/** What is sent to a port goes through it, until it is cut; then nobody answers until it is mended. */
async function cuttable(t: TestContext, port: number): Promise<{ readonly port: number; cut(): void; mend(): void }> {
  const sockets = new Set<Socket>();
  let broken = false;
  const server = createServer((near) => {
    if (broken) return void near.destroy();
    const far = connect(port, "127.0.0.1");
    for (const [one, other] of [[near, far], [far, near]] as const) {
      sockets.add(one);
      one.on("error", () => undefined).on("close", () => {
        sockets.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const cut = (): void => {
    broken = true;
    for (const one of sockets) one.destroy();
  };
  t.after(() => {
    cut();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, cut, mend: () => { broken = false; } };
}

test("in a browser: rows of members change by themselves, nothing is asked for again, and after a time without a network they are as they are", { skip: MISSING }, async (t) => {
  const { http, append } = await served(t);
  const wire = await cuttable(t, http.port);
  const { page } = await open(t, { colorScheme: "light", args: [`--host-resolver-rules=MAP localhost:${http.port} 127.0.0.1:${wire.port}`] });
  await page.goto(http.link().replace("127.0.0.1", "localhost"));
  await page.locator('#lamp[data-is="live"]').waitFor();
  const asked: string[] = [];
  page.on("request", (request) => void asked.push(`${request.url()} ${request.postData() ?? ""}`));
  const queue = (count: number, from = 0) => append(...Array.from({ length: count }, (_, n) => ({ kind: "turn_queued", source: "x", member: "open", turn_id: `t_${from + n}`, data: {} }) as const));
  const row = (id: string, depth: number) => page.locator("#members tr", { hasText: id }).filter({ has: page.locator("td:nth-child(4)", { hasText: new RegExp(`^${depth}$`) }) });
  for (let n = 0; n < 50; n += 10) await queue(10, n);
  await row("open", 50).waitFor();
  assert.equal(asked.length, 0, asked.join("\n"));
  await page.locator("#counts", { hasText: "50 turns open" }).waitFor();
  wire.cut();
  await until(() => http.streams === 0);
  await append(spawned("late"), { kind: "member_deleted", source: "x", member: "shut", data: {} });
  await queue(3, 50);
  wire.mend();
  await row("open", 53).waitFor();
  await row("late", 0).waitFor();
  await page.locator("#members tr", { hasText: "shut" }).waitFor({ state: "detached" });
  assert.ok(asked.every((one) => one.includes("/v1/stream")), asked.join("\n"));
});
