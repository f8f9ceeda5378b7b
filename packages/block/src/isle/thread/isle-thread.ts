/**
 * The main loop of a worker thread that carries isles.
 * takes messages of protocol.ts; gives answers; promises that a waiting isle still sees its cancel; refuses
 * nothing it was sent; never runs script code outside a VM.
 */
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { writeOwnCode } from "../lua/own-code.ts";
import { installFaces } from "../lua/faces/all.ts";
import { compileLate } from "../lua/faces/later.ts";
import { limitOf } from "../lua/vm-errors.ts";
import { toTerminate } from "../lua/vm.ts";
import { BELL, type FromThread, type IsleSetup, type ThreadData, type ToThread } from "./protocol.ts";
import { type IsleTenant, OpeningTenant } from "./isle-tenant.ts";
import { Images } from "./images.ts";
import { Tenant } from "./tenant.ts";

const data = workerData as ThreadData;
const port = parentPort;
if (port === null) throw new Error("isle-thread is started as a worker only");
const bell = new Int32Array(data.bell);
const tenants = new Map<number, IsleTenant>();
const images = new Images();

function post(message: FromThread | readonly FromThread[], move: readonly Uint8Array[] = []): void {
  if (move.length === 0) port?.postMessage(message);
  else port?.postMessage(message, move.map((bytes) => bytes.buffer as ArrayBuffer));
}

let module: WebAssembly.Module | undefined;
/** Messages that were looked at; the host counts those it sent with the doorbell. */
let heard = 0;

function hear(message: ToThread): void {
  heard = (heard + 1) | 0;
  if (message.t === "module") {
    module = message.module;
    return;
  }
  const tenant = tenants.get(message.isle);
  if (tenant === undefined && message.t !== "open") {
    if (message.t === "close") post({ t: "closed", isle: message.isle });
    return;
  }
  const before = Atomics.load(bell, BELL.isle);
  beat(message.isle);
  if (message.t === "open") open(message);
  else if (message.t === "close") {
    tenants.delete(message.isle);
    tenant?.close(() => post({ t: "closed", isle: message.isle }));
  } else tenant?.hear(message);
  workFor(before);
}

/** For the host to see: the thread works for this isle; 0 = it rests. */
function workFor(isle: number): void {
  Atomics.store(bell, BELL.isle, isle);
}

/** For the host to see: the thread goes on. */
function beat(isle: number): void {
  workFor(isle);
  Atomics.add(bell, BELL.beats, 1);
}

/** An isle that cannot even begin (its globals do not fit its memory) dies as one that ran. */
function open({ isle, setup }: ToThread & { t: "open" }): void {
  if (setup.engine !== undefined && setup.engine !== "lua") {
    openJs(isle, setup);
    return;
  }
  try {
    const tenant = new Tenant(isle, setup, {
      module: module as WebAssembly.Module, post, pump,
      messageWaits: () => Atomics.load(bell, BELL.rings) !== heard, soon,
      beat: () => beat(isle), rests: () => workFor(0), image: images.of(setup),
      install: (fresh) => installFaces(fresh, images),
    });
    tenants.set(isle, tenant);
    if (data.saveCode !== undefined) {
      compileLate(tenant);
      writeOwnCode(data.saveCode);
    }
    post({ t: "opened", isle });
  } catch (error) {
    const why = toTerminate(error);
    post({ t: "died", isle, why: why.cause_code, text: why.message, ...limitOf(why) });
  }
}

/** The other engine is loaded by the first isle that needs it. */
function openJs(isle: number, setup: IsleSetup): void {
  const opening = import("../js/tenant.ts").then(({ JsTenant }) => new JsTenant(isle, setup, {
    post, pump, messageWaits: () => Atomics.load(bell, BELL.rings) !== heard, soon,
    beat: () => beat(isle), rests: () => workFor(0),
  }).open());
  opening.then(() => post({ t: "opened", isle }), () => undefined);
  tenants.set(isle, new OpeningTenant(opening, (error) => {
    const why = toTerminate(error);
    post({ t: "died", isle, why: why.cause_code, text: why.message, ...limitOf(why) });
  }));
}

function receive(): { message: ToThread } | undefined {
  return receiveMessageOnPort(port as NonNullable<typeof port>) as { message: ToThread } | undefined;
}

/** Blocks the thread until a message came or `ms` passed. The host rings after each message it sends. */
function pump(ms: number): boolean {
  const seen = Atomics.load(bell, BELL.rings);
  let got = receive();
  if (got === undefined && ms > 0) {
    Atomics.store(bell, BELL.waiting, 1);
    Atomics.wait(bell, BELL.rings, seen, ms);
    Atomics.store(bell, BELL.waiting, 0);
    got = receive();
  }
  for (; got !== undefined; got = receive()) hear(got.message);
  return true;
}

const due: (() => void)[] = [];
let listening = false;

/** Straight after the message that caused it; from a timer, at the next turn. */
function soon(work: () => void): void {
  due.push(work);
  if (!listening && due.length === 1) setImmediate(runDue);
}

function runDue(): void {
  for (const work of due.splice(0)) work();
}

port.on("message", (message: ToThread) => {
  listening = true;
  hear(message);
  listening = false;
  runDue();
});
