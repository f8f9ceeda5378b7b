/** From a turn of the script to what goes over the wire, broken on purpose where the turn says so. */
import { type Dialect, jsonText, type MockAsk, type NextId } from "./dialect.ts";
import type { MockBreak, MockFailure, MockRaw, MockReply, MockTurn } from "./script.ts";

/** What is sent. Plain data: nothing has been written yet. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Written one after the other. */
  readonly parts: readonly string[];
  /** Milliseconds before each part but the first. */
  readonly partDelayMs: number;
  /** What follows: a clean end, a cut connection, or nothing. */
  readonly ending: "end" | "drop" | "hang";
  /** The status line is sent; false = not one byte before `ending`. */
  readonly head: boolean;
}

export interface AnswerParts {
  readonly dialect: Dialect;
  readonly ask: MockAsk;
  readonly id: NextId;
  readonly requestId: string;
}

/** What a turn without words of its own says. */
const FILLER: MockReply = { text: "This answer was made to be broken." };

export function answerTurn(turn: MockTurn, parts: AnswerParts): Answer {
  if (turn.broken !== undefined) return broken(turn.broken, turn, parts);
  if (turn.raw !== undefined) return rawAnswer(turn.raw, parts);
  if (turn.error !== undefined) return failureAnswer(turn.error, parts);
  return replyAnswer(turn.reply ?? FILLER, parts);
}

export function failureAnswer(failure: MockFailure, { dialect, requestId }: AnswerParts): Answer {
  const after = failure.retry_after;
  return {
    ...json(jsonText(dialect.error(failure, requestId))), status: failure.status,
    headers: {
      "content-type": "application/json", [dialect.idHeader]: requestId,
      ...(after === undefined ? {} : { "retry-after": String(after) }), ...failure.headers,
    },
  };
}

function rawAnswer(raw: MockRaw, { dialect, requestId }: AnswerParts): Answer {
  const answer = json(raw.body);
  return { ...answer, status: raw.status ?? 200,
    headers: { ...answer.headers, [dialect.idHeader]: requestId, ...raw.headers } };
}

function replyAnswer(reply: MockReply, { dialect, ask, id, requestId }: AnswerParts): Answer {
  const head = { [dialect.idHeader]: requestId };
  if (!ask.stream) {
    const whole = json(jsonText(dialect.whole(reply, ask, id)));
    return { ...whole, headers: { ...whole.headers, ...head } };
  }
  return {
    status: 200, parts: dialect.frames(reply, ask, id), partDelayMs: reply.piece_delay_ms ?? 0,
      ending: "end", head: true,
    headers: { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache", ...head },
  };
}

function json(body: string): Answer {
  return { status: 200, headers: { "content-type": "application/json" }, parts: [body], partDelayMs: 0,
    ending: "end",
    head: true };
}

function broken(how: MockBreak, turn: MockTurn, parts: AnswerParts): Answer {
  const { dialect, ask, id } = parts;
  const good = turn.raw === undefined ? replyAnswer(turn.reply ?? FILLER, parts) : rawAnswer(turn.raw, parts);
  const half = { ...good, parts: firstHalf(good.parts) };
  switch (how) {
    case "drop": return { ...good, parts: [], ending: "drop", head: false };
    case "hang": return { ...good, parts: [], ending: "hang", head: false };
    case "drop_half": return { ...half, ending: "drop", headers: sized(good) };
    case "hang_half": return { ...half, ending: "hang", headers: sized(good) };
    case "truncated": return half;
    case "empty": return { ...good, parts: [] };
    case "bad_json": {
      const text = "{\"not\": json";
      return { ...good, parts: ask.stream ? [...half.parts, `data: ${text}\n\n`] : [text] };
    }
    case "missing_choices": {
      const text = jsonText(dialect.hollow(ask, id));
      return { ...good, parts: [ask.stream ? `data: ${text}\n\n` : text] };
    }
    case "error_half": {
      const failure = turn.error ?? { status: dialect.api === "anthropic" ? 529 : 500 };
      return ask.stream ? { ...half, parts: [...half.parts, dialect.errorFrame(failure)] }
        : failureAnswer(failure, parts);
    }
  }
}

/** Half of the frames, or half of the one text. */
function firstHalf(parts: readonly string[]): string[] {
  if (parts.length > 1) return parts.slice(0, Math.ceil(parts.length / 2));
  const [text = ""] = parts;
  return [text.slice(0, Math.ceil(text.length / 2))];
}

/** With the length of the whole, so that a reader knows that something is missing. */
function sized(answer: Answer): Readonly<Record<string, string>> {
  if (answer.parts.length !== 1) return answer.headers;
  return { ...answer.headers, "content-length": String(Buffer.byteLength(answer.parts[0] ?? "")) };
}
