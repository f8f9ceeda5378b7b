/** A service that gives back what it gets, and its routes as callers name them. */
import type { Hosted } from "@atoll-run/atoll/node";
import { nodes } from "./built.ts";

export interface Note {
  readonly text: string;
  readonly n: number;
}

const { json, route, service } = nodes;

export const Echo = service({
  type: "acme:bench:1.0.0", name: "bench.Echo", routes: {
    Json: route({ input: json<Note>(), output: json<Note>(), volatile: true }),
    Bytes: route({ input: nodes.bytes, output: nodes.bytes, volatile: true }),
    Note: route({ input: nodes.bytes, tell: true }),
  },
});

export function echoWorkload(): Hosted {
  return Echo.implement({ Json: (note) => note, Bytes: (body) => body, Note: () => undefined });
}

/** 100 bytes as JSON. */
export const NOTE: Note = { text: "x".repeat(100 - JSON.stringify({ text: "", n: 1 }).length), n: 1 };
