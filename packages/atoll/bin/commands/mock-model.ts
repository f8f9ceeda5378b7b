/**
 * `atoll mock-model`: a model on this machine, from a script, a recording, or before a real provider.
 * takes arguments; gives an exit code once a signal came; promises one line of output for each request and
 * that no key is printed or written; refuses wrong flags and scripts with everything that is wrong; never
 * listens beyond this machine.
 */
import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { type Problem, readNumber, type Setting } from "@atoll-run/core";
import {
  isRecording, type MockModel, type MockModelOptions, type MockRequest, readMockScript, readRecording,
    RECORDING_HEAD,
  type ReplayMatch, startMockModel,
} from "@atoll-run/testkit/internal";
import { toSecrets } from "../config/secrets.ts";
import { EXIT } from "../exit.ts";
import { complain, complainOf, say } from "../output/terminal.ts";
import { readArguments } from "../program/arguments.ts";
import { commandHelp, usageLine } from "../program/help.ts";
import { type Command, commandOf } from "../program/table.ts";
import { readDotenv, reason } from "../running/inputs.ts";
import { hearSignals } from "../signals.ts";

const PORT_MAX = 65_535;

interface Plan {
  readonly port: number;
  readonly json: boolean;
  /** A new file for a recording. */
  readonly record?: { readonly file: string; readonly upstream: string };
  readonly source: Pick<MockModelOptions, "script" | "replay" | "strict">;
}

export async function mockModel(args: readonly string[]): Promise<number> {
  const command = commandOf("mock-model") as Command;
  const given = readArguments(command, args);
  if (given.flags.has("help")) {
    await say(commandHelp(command));
    return EXIT.ok;
  }
  const problems: Problem[] = [...given.problems];
  const last = (name: string): Setting | undefined => given.flags.get(name)?.at(-1);
  const plan = decide({ last, positionals: given.positionals, problems });
  if (problems.length > 0) {
    await complainOf(problems, `${usageLine(command)}\nTry 'atoll mock-model --help'.`);
    return EXIT.usage;
  }
  try {
    return await serve(plan);
  } catch (error) {
    await complain(`mock-model: ${reason(error)}`);
    return EXIT.failed;
  }
}

interface Given {
  last(name: string): Setting | undefined;
  readonly positionals: readonly string[];
  /** Takes what is wrong. */
  readonly problems: Problem[];
}

function decide({ last, positionals, problems }: Given): Plan {
  const refuse = (name: string, problem: string): void => void problems.push({ where: { name }, problem });
  const [record, upstream, match, port] = ["record", "upstream", "match", "port"].map((name) =>
    last(name)?.text);
  const [file] = positionals;
  const number = port === undefined ? undefined : readNumber(port, { min: 0, max: PORT_MAX });
  if (number?.ok === false) refuse("--port", number.problem);
  if (match !== undefined && match !== "body" && match !== "order") refuse("--match", "body or order");
  if (positionals.length > 1) refuse(positionals[1] as string, "one file is enough");
  if ((record === undefined) !== (upstream === undefined)) refuse("--record", "goes with --upstream");
  else if (record !== undefined && file !== undefined) refuse(file,
    "a recording is written or read, not both");
  else if (record === undefined && file === undefined) refuse("FILE", "name a script or a recording");
  if (upstream !== undefined && !isBase(upstream)) refuse("--upstream",
    "an http: or https: URL without user and query");
  const source = file === undefined ? {} : readSource(file, (match ?? "body") as ReplayMatch, refuse);
  return {
    port: number?.ok === true ? number.value : 0, json: last("json") !== undefined,
    source: { ...source, ...(last("lenient") === undefined ? {} : { strict: false }) },
    ...(record === undefined || upstream === undefined ? {} : { record: { file: record, upstream } }),
  };
}

function isBase(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password, search } = new URL(text);
  return /^https?:$/.test(protocol) && username + password + search === "";
}

function readSource(
  file: string, match: ReplayMatch, refuse: (name: string, problem: string) => void,
): Pick<MockModelOptions, "script" | "replay"> {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    refuse(file, `cannot be read: ${reason(error)}`);
    return {};
  }
  if (isRecording(text)) {
    const read = readRecording(text);
    if (read.ok) return { replay: { exchanges: read.exchanges, match } };
    refuse(file, read.problem);
    return {};
  }
  const read = readMockScript(text);
  if (read.ok) return { script: read.script };
  for (const problem of read.problems) refuse(file, problem);
  return {};
}

async function serve({ port, json, record, source }: Plan): Promise<number> {
  const write = async (event: object, text: string): Promise<void> => await say(json ? JSON.stringify(event)
    : text);
  const recording = record === undefined ? undefined : openRecording(record.file);
  const secrets = [...toSecrets(process.env, readDotenv(".")).values()].map((secret) => secret.reveal());
  // Said one behind the other; the last is waited for before the end.
  let said: Promise<void> = Promise.resolve();
  const onRequest = (request: MockRequest): void => {
    said = said.then(() => write(eventOf(request), lineOf(request)));
  };
  await using model = await startMockModel({
    port, secrets, onRequest, ...source,
    ...(record === undefined || recording === undefined ? {}
      : { record: { upstream: record.upstream, save: (one) => recording.line(JSON.stringify(one)) } }),
  });
  await write({ event: "listening", url: model.url }, `listening on ${model.url}`);
  await signalled();
  await model.close();
  await said;
  recording?.[Symbol.dispose]();
  await write({ event: "ended", requests: model.count, left: model.left() }, endLine(model));
  return EXIT.ok;
}

function openRecording(file: string): Disposable & { line(text: string): void } {
  const handle = openSync(file, "wx", 0o600);
  const line = (text: string): void => void writeSync(handle, `${text}\n`);
  line(RECORDING_HEAD);
  return { line, [Symbol.dispose]: () => closeSync(handle) };
}

function eventOf({ api, path, status, request_id, refused, body }: MockRequest): object {
  return { event: "request", api, path: withoutQuery(path), status, request_id, model: body["model"] ?? null,
    stream: body["stream"] === true, messages: messagesOf(body["messages"]),
    ...(refused === undefined ? {} : { refused }) };
}

function lineOf({ path, status, refused, body }: MockRequest): string {
  const kind = body["stream"] === true ? ", stream" : "";
  const why = refused === undefined ? "" : `: ${refused}`;
  return `${withoutQuery(path)} ${status === 0 ? "cut" : status} (${messagesOf(body["messages"])} messages${kind})${why}`;
}

/** A query may hold a key. */
function withoutQuery(path: string): string {
  return path.replace(/\?.*$/, "");
}

function messagesOf(messages: unknown): number {
  return Array.isArray(messages) ? messages.length : 0;
}

function endLine(model: MockModel): string {
  const left = model.left();
  return `${model.count} requests${left === 0 ? "" : `; ${left} answers were not asked for`}`;
}

function signalled(): Promise<void> {
  return new Promise((resolve) => {
    const hearing = hearSignals(() => {
      hearing[Symbol.dispose]();
      resolve();
    });
  });
}
