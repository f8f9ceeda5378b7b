/**
 * Goal: the page shows what is and what happens, and decides. Invariants: it takes nothing from elsewhere and runs nothing inline;
 * the ticket leaves the address; what others write is text. Method: its own files as they are served, on a tree of elements
 * that stands for a browser's, with real HTTP to a real server.
 */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { NewEntry } from "@atoll-run/mob";
import type { HttpServer } from "@atoll-run/mob/internal";
import { until } from "@atoll-run/testkit";
import { spawned } from "../support.ts";
import { served } from "./served.ts";
import { TinyDocument } from "./tiny-document.ts";

const FILES = ["page.css", "page.js", "page-client.js", "page-rows.js", "icon.svg"];

test("the files of the page are public, whole and closed: nothing inline, nothing from elsewhere", async (t) => {
  const { http } = await served(t);
  const page = await fetch(`${http.url}/console/`);
  const html = await page.text();
  assert.equal(page.headers.get("content-type"), "text/html; charset=utf-8");
  assert.match(page.headers.get("content-security-policy") ?? "", /^default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'/);
  assert.doesNotMatch(html, /https?:|<style|style=|\son\w+=|<script(?![^>]*\ssrc=)/);
  const named = [...html.matchAll(/(?:src|href)="([\w.-]+)"/g)].map(([, name]) => name);
  assert.deepEqual(named.filter((name) => !FILES.includes(name ?? "")), []);
  for (const name of FILES) {
    const answer = await fetch(`${http.url}/console/${name}`);
    const text = await answer.text();
    assert.deepEqual([answer.status, answer.headers.get("x-content-type-options")], [200, "nosniff"], name);
    assert.doesNotMatch(text, /innerHTML|insertAdjacent|\beval\b|document\.write|@import|url\(/, name);
  }
  for (const path of ["", "/", "/console"]) {
    const moved = await fetch(`${http.url}${path}`, { redirect: "manual" });
    assert.deepEqual([moved.status, moved.headers.get("location")], [308, "/console/"]);
  }
  // For people who do not see it: each field has a name, each column is one.
  for (const [, id] of html.matchAll(/<input id="([\w-]+)"/g)) assert.match(html, new RegExp(`for="${id}"`));
  assert.doesNotMatch(html, /<th(?![^>]*scope=)[\s>]/);
});

/** Opens the link as a browser would: this process is the page until the test is over. */
async function openPage(t: TestContext, http: Pick<HttpServer, "url" | "link">) {
  const html = await (await fetch(`${http.url}/console/`)).text();
  const document = new TinyDocument(html);
  const link = new URL(http.link());
  const location = { hash: link.hash, pathname: link.pathname };
  const store = new Map<string, string>();
  let cookie = "";
  const send = globalThis.fetch;
  // What a browser adds to a request of a page.
  const asked: string[] = [];
  const browse = async (path: string, init: RequestInit = {}): Promise<Response> => {
    if (path === "/v1/rpc") asked.push(String(init.body));
    const answer = await send(new URL(path, http.url), { ...init, headers: { ...init.headers as Record<string, string>, cookie, ...init.method === undefined ? {} : { origin: http.url } } });
    cookie = answer.headers.get("set-cookie")?.split(";")[0] ?? cookie;
    return answer;
  };
  const wait = globalThis.setTimeout;
  const browser = {
    // A page that nobody looks at any more is no reason to go on.
    setTimeout: (then: (...o: unknown[]) => void, ms: number, ...o: unknown[]) => (ms < 1_000 ? wait(then, ms, ...o) : wait(then, ms, ...o).unref()),
    document, location, fetch: browse, history: { replaceState: () => { location.hash = ""; } },
    localStorage: { getItem: (key: string) => store.get(key) ?? null, setItem: (key: string, value: string) => void store.set(key, value) },
  };
  const before = Object.fromEntries(Object.keys(browser).map((name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)]));
  for (const [name, value] of Object.entries(browser)) Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  t.after(() => {
    for (const [name, old] of Object.entries(before)) Object.defineProperty(globalThis, name, old ?? { value: undefined, configurable: true });
  });
  const at = (id: string) => document.getElementById(id);
  await import(new URL("../../src/http/page/page.js", import.meta.url).href);
  return { document, at, location, store, asked };
}

/** Rows come by themselves, also of who waits, works and goes. */
async function seesRows(append: (...entries: readonly NewEntry[]) => Promise<unknown>, { at, asked }: Pick<Awaited<ReturnType<typeof openPage>>, "at" | "asked">): Promise<void> {
  const cells = () => at("members").elements.map((row) => row.elements.map((cell) => cell.textContent));
  const turn = (kind: "turn_queued" | "turn_started") => ({ kind, source: "x", member: "open", turn_id: "t_row", data: {} }) as const;
  const start = { kind: "member_started", source: "x", member: "open", fence: 1, data: { state: "active" } } as const;
  await append(start, turn("turn_queued"), turn("turn_started"), { kind: "member_deleted", source: "x", member: "_b_new__b_", data: {} });
  await until(() => at("members").elements.length === 2);
  await until(() => cells()[0]?.join() === "open,o,busy,1,0,1,1");
  assert.ok(asked.length > 0);
  assert.deepEqual(asked.filter((body) => body.includes("members/get")), []);
}

test("the page signs in by its link, shows members, approvals and the ledger as it grows, and decides by click and by key", async (t) => {
  const { http, append, approvals, view } = await served(t);
  const { document, at, location, store, asked } = await openPage(t, http);
  const ask = (path: string, text: string) => {
    void approvals.guard({ member: "open", generation: 1, turn_id: `t_${path}`, principal: "viewer", grant: "fs.write", args: { path, text }, signal: new AbortController().signal });
    return until(() => at("approvals").elements.find((card) => card.textContent.includes(path)));
  };
  assert.equal(location.hash, "");
  assert.deepEqual([at("name").textContent, at("who").textContent, at("views").hidden, at("door").hidden], ["m", "admin (admin)", false, true]);
  assert.equal(document.title, "m · Atoll");
  await until(() => at("lamp").dataset["is"] === "live");
  assert.deepEqual(at("members").elements.map((row) => row.elements[0]?.textContent), ["open", "shut"]);
  assert.ok(at("ledger").elements.length > 0);

  await append(spawned("<b>new</b>".replace(/[<>/]/g, "_")), { kind: "note", source: "x", data: { text: "<img src=x>" } });
  await until(() => at("members").elements.length === 3);
  await until(() => at("ledger").elements[0]?.textContent.includes("<img src=x>") === true);

  // All of an entry, for whoever opens it.
  const details = at("ledger").elements[0]?.elements[0];
  assert.ok(details !== undefined && !details.textContent.includes("{"));
  for (const open of [true, false]) {
    details.open = open;
    details.fire("toggle");
    assert.equal(details.textContent.includes('"text": "<img src=x>"'), open);
  }

  await seesRows(append, { at, asked });
  const card = await ask("a.md", "<script>");
  assert.match(card.textContent, /^open wants fs\.write a\.mdrule write · turn of viewer · until \d\d:\d\d:\d\dpath: a\.md\ntext: <script>/);
  card.querySelector(".approve")?.click();
  await until(() => at("approvals").elements.length === 0);
  await until(() => at("says").textContent === "Approved.");
  const second = await ask("b.md", "x");
  const press = (key: string, target: object = {}) => document.documentElement.fire("keydown", { key, target });
  press("r");
  press("j");
  assert.equal(document.activeElement, second);
  press("r", { tagName: "INPUT" });
  press("r");
  await until(() => at("approvals").elements.length === 0);
  assert.deepEqual([...view.approvals.values()].map(({ state }) => state), ["approved", "rejected"]);

  at("pause").click();
  await append({ kind: "note", source: "x", data: { text: "while paused" } });
  await until(() => at("ledger-count").textContent === "1 waiting");
  at("pause").click();
  await until(() => at("ledger").elements[0]?.textContent.includes("while paused") === true);
  at("ledger-filter").value = "nothing of that kind";
  at("ledger-filter").fire("input");
  await until(() => at("ledger-count").textContent === "0");
  assert.ok(at("ledger").elements.every(({ hidden }) => hidden));
  at("theme").click();
  assert.deepEqual([document.documentElement.dataset["theme"], store.get("theme")], ["light", "light"]);

  at("sign-out").click();
  await until(() => at("views").hidden);
  await until(() => http.streams === 0);
  at("token").value = "token-of-viewer";
  at("door").fire("submit");
  await until(() => !at("views").hidden && at("lamp").dataset["is"] === "live");
  assert.equal(at("who").textContent, "viewer (viewer)");
  // Who may not decide sees no buttons.
  const third = await ask("c.md", "x");
  assert.equal(third.querySelector(".approve"), undefined);
  at("sign-out").click();
  await until(() => http.streams === 0);
});
