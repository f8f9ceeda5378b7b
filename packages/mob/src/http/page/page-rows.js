/** What is shown of a member, an approval, an entry. Everything is set as text: it is the word of others. */

function make(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  const { data = {}, ...rest } = props;
  Object.assign(element, rest);
  Object.assign(element.dataset, data);
  element.append(...children);
  return element;
}

/** All words, in any case. */
export function matches(filter, texts) {
  const all = texts.join(" ").toLowerCase();
  return filter.toLowerCase().split(/\s+/).every((word) => all.includes(word));
}

export function memberRow({ id, profile, state, phase, queue, usage, generation, last_error, wired_to }, isFresh) {
  const is = state === "active" && phase !== "idle" ? phase : state;
  const title = [wired_to.length === 0 ? "" : `wired to ${wired_to.join(", ")}`, last_error?.text ?? ""].filter((text) => text !== "").join("\n");
  const number = (value) => make("td", { className: "number" }, String(value));
  return make("tr", { className: isFresh ? "fresh" : "", title }, make("td", {}, id), make("td", {}, profile),
    make("td", {}, make("span", { className: "state", data: { is } }, is.replaceAll("_", " "))),
    number(queue.depth), number(queue.dead), number(usage.turns), number(generation));
}

/** `decide` undefined: whoever looks may not. */
export function approvalCard({ id, member, grant, tool, object, args, rule_id, asked_by, expires_at_ms, quorum, decisions }, decide) {
  const card = make("article", { className: "approval", tabIndex: 0 },
    make("h3", {}, `${member} wants ${tool ?? grant}${object === null ? "" : ` ${object}`}`),
    make("p", {}, `rule ${rule_id} · turn of ${asked_by} · until ${timeOf(expires_at_ms)}${quorum > 1 ? ` · ${decisions.length} of ${quorum} approved` : ""}`),
    make("pre", {}, textOf(args)));
  card.setAttribute("aria-label", `${member} wants ${tool ?? grant}`);
  if (decide === undefined) return card;
  const reason = make("input", { placeholder: "Reason (optional)", maxLength: 1_024 });
  reason.setAttribute("aria-label", "Reason");
  const buttons = ["approve", "reject"].map((decision) => make("button", { type: "button", className: decision }, decision === "approve" ? "Approve" : "Reject"));
  buttons.forEach((button, n) => button.addEventListener("click", () => decide(id, n === 0 ? "approve" : "reject", reason.value.trim(), buttons)));
  card.append(make("div", { className: "row" }, reason, ...buttons));
  return card;
}

export function entryRow(entry) {
  const line = make("summary", {},
    make("span", { className: "seq" }, String(entry.seq)), make("time", { dateTime: new Date(entry.ts_ms).toISOString() }, timeOf(entry.ts_ms)),
    make("span", {}, sentenceOf(entry)));
  const details = make("details", {}, line);
  // All of it, for whoever asks.
  details.addEventListener("toggle", () => details.replaceChildren(line, ...details.open ? [make("pre", {}, JSON.stringify(entry, null, 2))] : []));
  return make("li", { className: "entry", data: { class: /_(failed|dead|broken)$/.test(entry.kind) ? "error" : entry.class } }, details);
}

export function gapRow({ from, to, reason }) {
  return make("li", { className: "entry", data: { class: "gap" } }, `${from} – ${to} are not here any more: ${reason}`);
}

function sentenceOf({ kind, member, run_id, step_id, turn_id, principal, data }) {
  const about = [member, run_id === undefined ? undefined : `${run_id.slice(-6)}${step_id === undefined ? "" : `/${step_id}`}`,
    turn_id === undefined ? undefined : `turn ${turn_id.slice(-6)}`, principal === undefined ? undefined : `by ${principal}`];
  const said = data.error?.text ?? data.preview ?? data.reason ?? data.decision ?? data.grant ?? data.text;
  const edge = typeof data.a === "string" && typeof data.b === "string" ? `${data.a} – ${data.b}` : undefined;
  return [kind.replaceAll("_", " "), ...about, edge, typeof said === "string" ? said.slice(0, 200) : undefined].filter((part) => part !== undefined).join(" · ");
}

function timeOf(ms) {
  return new Date(ms).toTimeString().slice(0, 8);
}

/** Text stays as it is written; the rest as JSON. */
function textOf(value) {
  if (typeof value === "string") return value;
  if (typeof value !== "object" || value === null || Array.isArray(value)) return JSON.stringify(value, null, 2);
  return Object.entries(value).map(([key, item]) => `${key}: ${typeof item === "string" ? item : JSON.stringify(item, null, 2)}`).join("\n");
}
