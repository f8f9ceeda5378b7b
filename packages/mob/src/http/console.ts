/** The files of the console: a shell without data, which anybody may have (spec: mob 11.6; console 1.1, 1.6). */
import { readFileSync } from "node:fs";
import type { ServerResponse } from "node:http";

export interface ConsoleFile {
  readonly type: string;
  readonly url: URL;
}

const file = (type: string, url: URL): ConsoleFile => ({ type: `${type}; charset=utf-8`, url });

const PAGE = file("text/html", new URL("./page/page.html", import.meta.url));
const FILES: Readonly<Record<string, ConsoleFile>> = {
  "/console/": PAGE,
  "/console/page.css": file("text/css", new URL("./page/page.css", import.meta.url)),
  "/console/page.js": file("text/javascript", new URL("./page/page.js", import.meta.url)),
  "/console/page-rows.js": file("text/javascript", new URL("./page/page-rows.js", import.meta.url)),
  "/console/icon.svg": file("image/svg+xml", new URL("./page/icon.svg", import.meta.url)),
  "/console/page-client.js": file("text/javascript", new URL("./page/page-client.js", import.meta.url)),
};
const BYTES = new WeakMap<ConsoleFile, Buffer>();

/** Nothing of another origin, nothing inline, no frame around it. */
const HEADERS = {
  "content-security-policy": "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'",
  "x-content-type-options": "nosniff", "referrer-policy": "no-referrer", "cache-control": "no-cache", "cross-origin-opener-policy": "same-origin",
} as const;

/** Undefined: it is none of the console's. */
export function findFile(path: string): ConsoleFile | "redirect" | undefined {
  if (path === "/" || path === "/console") return "redirect";
  return Object.hasOwn(FILES, path) ? FILES[path] : undefined;
}

export function sendFile(response: ServerResponse, found: ConsoleFile | "redirect"): void {
  if (found === "redirect") return void response.writeHead(308, { location: "/console/" }).end();
  const bytes = BYTES.get(found) ?? readFileSync(found.url);
  BYTES.set(found, bytes);
  response.writeHead(200, { ...HEADERS, "content-type": found.type, "content-length": bytes.length }).end(bytes);
}
