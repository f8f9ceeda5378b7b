/**
 * Goal: no bytes of a stranger crash or hang a reader. Invariants: each reader gives a value or a fault of the codec,
 * quickly; what it accepted is read the same when it is written again. Method: a round is one second on one reader;
 * inputs grow from the vectors beside the codecs by flips, cuts, repeats, splices and numbers at their limits.
 */
import { readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import {
  AIdCredentialSchema, FrameDecoder, IdentityClaimsSchema, MessageJoiner, readChunk, readEnvelope, readMessage,
  readNodeId, readSignaling, SignalingEnvelopeSchema, toBinary, toRead, writeChunk, writeEnvelope, writeNodeId,
  type Read,
} from "@atoll-run/core/internal";
import { formatNodeId, isFault, parseNodeId } from "@atoll-run/core";
import { roundSeed, type Proof } from "../../tools/prove/proof.ts";
import { doRounds } from "./rounds.ts";

const ROUND_MS = 1_000;
const SLOW_MS = 1_000;
const BYTES_MAX = 100_000;
const VECTORS = new URL("../../packages/core/src/codec/vectors/", import.meta.url);
/** Where varints, lengths and tags change their minds. */
const EDGES = [
  "00", "7f", "80", "ff", "ffffffff0f", "8080808010", "ffffffffffffffffff01", "80808080808080808080", "c23e", "0b",
].map((hex) => Buffer.from(hex, "hex"));

type Reader = (bytes: Uint8Array) => void;

function same<T>(read: (bytes: Uint8Array) => Read<T>, write: (value: T) => Uint8Array): Reader {
  return (bytes) => {
    const first = read(bytes);
    if (!first.ok) throw first.fault;
    const second = read(write(first.value));
    if (!isDeepStrictEqual(first, second)) throw new Error("what was accepted reads otherwise once it is written");
  };
}

const OURS = { extensions: true };
const READERS: Readonly<Record<string, Reader>> = {
  envelope: same((bytes) => readEnvelope(bytes, BYTES_MAX), (value) => writeEnvelope(value, OURS)),
  signaling: same((bytes) => readSignaling(bytes, BYTES_MAX), (value) => toBinary(SignalingEnvelopeSchema, value)),
  credential: (bytes) => {
    same((it) => readMessage(AIdCredentialSchema, it), (value) => toBinary(AIdCredentialSchema, value))(bytes);
    same((it) => readMessage(IdentityClaimsSchema, it), (value) => toBinary(IdentityClaimsSchema, value))(bytes);
  },
  chunk: same((bytes) => readChunk(bytes, BYTES_MAX), (value) => writeChunk(value, OURS)),
  id: (bytes) => {
    const text = Buffer.from(bytes).toString("latin1");
    const id = parseNodeId(text);
    if (id !== undefined && formatNodeId(id) !== text) throw new Error(`${text} is written otherwise`);
    same(readNodeId, writeNodeId)(bytes);
  },
  frames: (bytes) => {
    const decoder = new FrameDecoder(BYTES_MAX);
    for (let at = 0; at < bytes.length; at += 7) decoder.push(bytes.subarray(at, at + 7));
  },
  parts: (bytes) => {
    const budget = { bytesMax: BYTES_MAX, used: 0 };
    const joiner = new MessageJoiner(
      { messageBytesMax: BYTES_MAX, openMessagesMax: 8, ageMsMax: 1_000, lossy: false }, budget);
    const joined = toRead(() => {
      for (let at = 0; at < bytes.length; at += 11) joiner.push(bytes.subarray(at, at + 11), at);
      joiner.close();
    });
    if (budget.used !== 0) throw new Error(`${budget.used} bytes stay counted`);
    if (!joined.ok) throw joined.fault;
  },
};

export const proof: Proof = {
  issue: "C",
  title: "strange bytes: no reader of the wire crashes, hangs or reads its own writing otherwise",
  full: 60 * Object.keys(READERS).length,
  async run(order) {
    const corpus = readCorpus();
    return await doRounds(order, async ({ round, seed }) => {
      // Whoever wants to stop must be heard.
      await new Promise((resume) => setImmediate(resume));
      return oneRound(corpus, { round, seed });
    });
  },
};

function oneRound(
  corpus: readonly Uint8Array[], { round, seed }: { round: number; seed: number },
): string | undefined {
  const names = Object.keys(READERS);
  const name = names[round % names.length] as string;
  const random = randomOf(seed);
  const end = performance.now() + ROUND_MS;
  while (performance.now() < end) {
    const bytes = mutate(corpus, random);
    const wrong = problem(READERS[name] as Reader, bytes);
    if (wrong !== undefined) return `${name}: ${wrong} on ${Buffer.from(bytes).toString("hex")}`;
  }
  return undefined;
}

/** A machine may be busy once; what is slow three times in a row is slow. */
function problem(reader: Reader, bytes: Uint8Array): string | undefined {
  let ms = 0;
  for (let tries = 0; tries < 3; tries++) {
    const start = performance.now();
    const wrong = outcome(reader, bytes);
    ms = performance.now() - start;
    if (wrong !== undefined || ms < SLOW_MS) return wrong;
  }
  return `took ${Math.round(ms)} ms`;
}

function outcome(reader: Reader, bytes: Uint8Array): string | undefined {
  try {
    reader(bytes);
    return undefined;
  } catch (error) {
    return isFault(error) && /^codec\.(?:malformed|too_large)$/.test(error.code) ? undefined : String(error);
  }
}

/** Every `bytes` of the vectors. */
function readCorpus(): readonly Uint8Array[] {
  const texts = ["golden", "strict"].flatMap((name) =>
    [...readFileSync(new URL(`${name}.json`, VECTORS), "utf8").matchAll(/"bytes": "([^"]*)"/g)]
      .map(([, text]) => text as string));
  return texts.map((text) => Buffer.concat(text.split(" ").map((word) => {
    const [part = "", times = "1"] = word.split("*");
    return Buffer.from(part.repeat(Math.min(Number(times), 300)), "hex");
  })));
}

type Random = (below: number) => number;

function randomOf(seed: number): Random {
  let turn = 0;
  return (below) => roundSeed(seed, turn++) % below;
}

function mutate(corpus: readonly Uint8Array[], random: Random): Uint8Array {
  let bytes: Uint8Array = Buffer.from(pick(corpus, random));
  for (let times = random(5); times >= 0; times--) bytes = changed(bytes, corpus, random);
  return bytes.subarray(0, 4_096);
}

function changed(bytes: Uint8Array, corpus: readonly Uint8Array[], random: Random): Uint8Array {
  const at = random(bytes.length + 1);
  const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)];
  switch (random(7)) {
    case 0: return Buffer.concat([before, Buffer.of(random(256)), after.subarray(1)]);
    case 1: return Buffer.concat([before, Buffer.of((after[0] ?? 0) ^ (1 << random(8))), after.subarray(1)]);
    case 2: return before;
    case 3: return Buffer.concat([before, after.subarray(random(after.length + 1))]);
    case 4: return Buffer.concat([before, pick(EDGES, random), after]);
    case 5: return Buffer.concat([before, after, after]);
    default: return Buffer.concat([before, pick(corpus, random)]);
  }
}

function pick<T>(list: readonly T[], random: Random): T {
  return list[random(list.length)] as T;
}
