/**
 * The page: who there is, what waits for a decision, what happens.
 * Order (console 1.3): ask for what is, show it, then listen from there. All text of others is shown as text.
 */
import { ask, askAll, listen, MobFault, signInByTicket, signInByToken, signOut } from "./page-client.js";
import { approvalCard, entryRow, gapRow, matches, memberRow } from "./page-rows.js";

const at = (id) => document.getElementById(id);
const ENTRIES_KEPT = 500;
const PAINT_MS = 100;
const BATCH = 50;
const MEMBERS_SHOWN = 1_000;
const THEMES = ["", "light", "dark"];

const known = { members: new Map(), approvals: new Map(), cards: new Map(), entries: [], waiting: [], fresh: new Set(), figures: undefined, more: false, may: new Set() };
/** Rows of a snapshot that is not complete: they count for nothing yet. */
let staged;
let approvalsDirty = false;
let paused = false;
let painting;
let listening = new AbortController();

function paintSoon() {
  painting ??= setTimeout(() => {
    painting = undefined;
    paint();
  }, PAINT_MS);
}

function paint() {
  const rows = [...known.members.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  const shown = rows.filter((row) => matches(at("members-filter").value, [row.id, row.profile, row.state, row.phase])).slice(0, MEMBERS_SHOWN);
  at("members").replaceChildren(...shown.map((row) => memberRow(row, known.fresh.has(row.id))));
  at("members-empty").hidden = rows.length > 0;
  at("members-count").textContent = shown.length === rows.length && !known.more ? String(rows.length) : `${shown.length} of ${rows.length}${known.more ? "+" : ""}`;
  const { members, running, open } = counted(rows);
  at("counts").textContent = `${members} members · ${running} turns running · ${open} turns open · ${known.approvals.size} to decide`;
  at("approvals-count").textContent = known.approvals.size === 0 ? "" : String(known.approvals.size);
  at("approvals-empty").hidden = known.approvals.size > 0;
  at("ledger-count").textContent = paused && known.waiting.length > 0 ? `${known.waiting.length} waiting` : String(known.entries.filter(({ row }) => !row.hidden).length);
  if (known.fresh.size === 0) return;
  known.fresh.clear();
  setTimeout(paintSoon, 1_000);
}

/** Of the whole mob, for whoever may look at it; otherwise of what is shown. */
function counted(rows) {
  const { figures } = known;
  if (figures !== undefined) return { members: sum(Object.values(figures.members)), running: figures.turns_running, open: figures.queue_depth };
  return { members: rows.length, running: rows.filter(({ phase }) => phase === "busy").length, open: sum(rows.map(({ queue }) => queue.depth)) };
}

const sum = (numbers) => numbers.reduce((all, one) => all + one, 0);

/** New ones on top. */
function addRow(row) {
  if (paused) return void known.waiting.push(row);
  const entry = { row, text: row.textContent };
  known.entries.unshift(entry);
  sift(entry);
  at("ledger").prepend(row);
  for (const { row: old } of known.entries.splice(ENTRIES_KEPT)) old.remove();
}

/** Rows stay where they are: one that is open or has the focus keeps it. */
function sift({ row, text }) {
  row.hidden = !matches(at("ledger-filter").value, [text]);
}

function hearEntry(entry) {
  addRow(entryRow(entry));
  if (entry.class === "approval") approvalsDirty = true;
  refreshSoon();
  paintSoon();
}

/** As it is now; null: it is not there any more. Of more members than are shown, those that are known are kept. */
function hearRow({ member, row }) {
  const rows = staged ?? known.members;
  if (row === null) rows.delete(member);
  else if (rows.has(member) || rows.size < MEMBERS_SHOWN) rows.set(member, row);
  else known.more = true;
  if (staged !== undefined) return;
  known.fresh.add(member);
  paintSoon();
}

function hearSnapshot(name) {
  if (name === "snapshot_started") {
    staged = new Map();
    known.more = false;
  } else if (staged !== undefined) {
    known.members = staged;
    staged = undefined;
    paintSoon();
  }
}

let refreshing;
function refreshSoon() {
  if (!approvalsDirty) return;
  refreshing ??= setTimeout(async () => {
    approvalsDirty = false;
    try {
      await loadApprovals();
      paintSoon();
    } catch (error) {
      say(error);
    }
    refreshing = undefined;
    refreshSoon();
  }, PAINT_MS);
}

async function loadApprovals() {
  const { approvals } = await ask("approvals/list", { state: "open" });
  const open = new Set(approvals.map(({ id }) => id));
  for (const [id, card] of known.cards) {
    if (open.has(id)) continue;
    card.remove();
    known.cards.delete(id);
    known.approvals.delete(id);
  }
  const added = approvals.filter(({ id }) => !known.cards.has(id)).slice(0, BATCH);
  // Whole, as they are decided on.
  const whole = await askAll(added.map(({ id }) => ["approvals/get", { id }]));
  for (const approval of whole) {
    if (approval === undefined || approval.state !== "open") continue;
    known.approvals.set(approval.id, approval);
    const card = approvalCard(approval, known.may.has("mob/approvals/decide") ? decide : undefined);
    known.cards.set(approval.id, card);
    at("approvals").append(card);
  }
}

async function decide(id, decision, reason, buttons) {
  for (const button of buttons) button.disabled = true;
  try {
    await ask("approvals/decide", { id, decision, ...reason === "" ? {} : { reason } });
    say(decision === "approve" ? "Approved." : "Rejected.");
  } catch (error) {
    say(error);
    for (const button of buttons) button.disabled = false;
  }
  approvalsDirty = true;
  refreshSoon();
}

const may = (method) => known.may.has(`mob/${method}`);

/** As many as are shown; what changes from there on comes as rows. */
async function loadMembers() {
  const { members, next } = await ask("members/list", { limit: MEMBERS_SHOWN });
  known.members = new Map(members.map((row) => [row.id, row]));
  known.more = next !== undefined;
}

/** Gives the cursor from which everything is to be heard: what is asked for after it is as of later. */
async function load() {
  const [status, page] = await Promise.all([may("status") ? ask("status") : undefined, may("ledger/query") ? ask("ledger/query", { limit: 200 }) : undefined]);
  at("name").textContent = status?.mob ?? "Atoll";
  document.title = status === undefined ? "Atoll" : `${status.mob} · Atoll`;
  known.entries = [];
  staged = known.figures = undefined;
  at("ledger").replaceChildren();
  for (const entry of page?.entries ?? []) addRow(entryRow(entry));
  await Promise.all([page !== undefined && may("members/list") ? loadMembers() : undefined, may("approvals/list") ? loadApprovals() : undefined]);
  paint();
  return page?.next;
}

async function show() {
  const [who, can] = await Promise.all([ask("access/whoami"), ask("capabilities")]);
  at("who").textContent = `${who.principal} (${who.role})`;
  known.may = new Set(can.methods);
  at("door").hidden = true;
  at("views").hidden = at("sign-out").hidden = false;
  listening.abort();
  listening = new AbortController();
  const { signal } = listening;
  const after = await load();
  const topics = ["entries", "roster", "metrics"].filter((topic) => can.topics.includes(topic));
  // Where there is nothing to begin with, all rows come first.
  if (topics.length > 0) void listen({ topics: topics.join(","), after, signal, tell: hear });
}

function hear({ event, state, waitMs = 0 }) {
  if (event?.name === "entry") return hearEntry(event.data);
  if (event?.name === "row") return hearRow(event.data);
  if (event?.name === "snapshot_started" || event?.name === "snapshot_complete") return hearSnapshot(event.name);
  if (event?.name === "live" && event.data.live === "metrics") {
    known.figures = event.data.data;
    return paintSoon();
  }
  if (event?.name === "gap") {
    addRow(gapRow(event.data));
    return paintSoon();
  }
  if (event?.name === "bye") return lamp("wait", `the mob says bye: ${event.data.reason}`);
  if (state === "live") {
    // What was cut off begins anew.
    staged = undefined;
    return lamp("live", "live");
  }
  if (state === "wait") return lamp("wait", `reconnecting in ${Math.ceil(waitMs / 1_000)} s`);
  if (state === "out") return leave("You are signed out.");
  if (state !== "stale" && state !== "denied") return;
  say(state === "stale" ? "What was before is not in this history any more; the newest is shown." : "What you may see has changed.");
  show().catch(say);
}

function lamp(is, text) {
  at("lamp").dataset.is = is;
  at("lamp").textContent = text;
}

function leave(text) {
  listening.abort();
  lamp("off", "signed out");
  at("door").hidden = false;
  at("views").hidden = at("sign-out").hidden = true;
  at("who").textContent = at("counts").textContent = "";
  at("door-says").textContent = text;
  at("token").focus();
}

/** What went wrong, and what to do about it. */
function textOf({ message, hint }) {
  return hint ? `${message}. ${hint}` : message;
}

let unsay;
function say(what) {
  const text = typeof what === "string" ? what : textOf(what);
  if (what instanceof MobFault && what.status === 401) return leave(text);
  at("says").textContent = text;
  clearTimeout(unsay);
  unsay = setTimeout(() => { at("says").textContent = ""; }, 8_000);
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  at("theme").textContent = `theme: ${theme || "system"}`;
  localStorage.setItem("theme", theme);
}

/** Never while something is typed; one decision at a press, on the card that has the focus. */
function press({ key, target, ctrlKey, metaKey, altKey }) {
  if (ctrlKey || metaKey || altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(target?.tagName ?? "")) return;
  const cards = [...known.cards.values()];
  const own = cards.findIndex((card) => card.contains(document.activeElement));
  if (key === "j" || key === "k") cards.at(Math.max(0, Math.min(cards.length - 1, own + (key === "j" ? 1 : -1))))?.focus();
  else if (own >= 0 && (key === "a" || key === "r")) cards[own].querySelector(key === "a" ? ".approve" : ".reject")?.click();
}

async function start() {
  setTheme(localStorage.getItem("theme") ?? "");
  at("theme").addEventListener("click", () => setTheme(THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % THEMES.length]));
  at("ledger-filter").addEventListener("input", () => known.entries.forEach(sift));
  for (const id of ["members-filter", "ledger-filter"]) at(id).addEventListener("input", paintSoon);
  at("pause").addEventListener("click", () => {
    paused = !paused;
    at("pause").setAttribute("aria-pressed", String(paused));
    at("pause").textContent = paused ? "Go on" : "Pause";
    if (!paused) for (const row of known.waiting.splice(0)) addRow(row);
    paintSoon();
  });
  at("sign-out").addEventListener("click", () => signOut().then(() => leave("You are signed out."), say));
  at("door").addEventListener("submit", (event) => {
    event.preventDefault();
    const token = at("token").value.trim();
    at("token").value = "";
    signInByToken(token).then(show).catch((error) => leave(textOf(error)));
  });
  document.addEventListener("keydown", press);
  const [, ticket] = /^#ticket=([\w-]+)$/.exec(location.hash) ?? [];
  try {
    if (ticket !== undefined) {
      // It leaves the address at once.
      history.replaceState(null, "", location.pathname);
      await signInByTicket(ticket);
    }
    await show();
  } catch (error) {
    leave(ticket === undefined ? "" : textOf(error));
  }
}

await start();
