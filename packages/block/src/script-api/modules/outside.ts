/** `http` and `sh`: the world outside. */
import { apiModule, fn, shape } from "../declare.ts";

export const http = apiModule("http", "HTTP and server-sent events.", {
  functions: [
    fn("~http.request(url: string, opts: HttpOptions?) -> HttpReply",
      "Sends a request and gives the answer; no status raises.", {
        params: { url: "`http:` or `https:`.", opts: "Method, headers, body, limits; see HttpOptions." },
        errors: "http.invalid http.timeout http.connect http.request http.body http.too_large", host: true,
        example: `local reply = http.request("https://example.com/", {timeout = 10})\nprint(reply.status, reply.body)`,
      }),
  ],
  shapes: [
    shape("HttpOptions", "How a request is sent.", {
      "method: string?": "Default `GET`.",
      "headers: {[string]: string | string[]}?": "Added to those sent anyway; yours win.",
      "body: string?": "Sent as it is.",
      "timeout: number?": "Seconds for all of it; in stream mode until the headers, then between chunks. Default 120.",
      "max_body: integer?": "Bytes, counted while reading and after decompression. Default 10 MiB.",
      "redirect: (integer | boolean)?": "Redirects to follow. Default 10.",
      "decompress: boolean?": "Default true.",
      "stream: boolean?": "Give the body to `on_data` as it comes.",
      "on_data: (fn(data: string, event: SseEvent) -> any)?": "Gets each event or chunk; `return false` stops.",
    }),
    shape("HttpReply", "The answer of a server.", {
      "status: integer": "HTTP status.",
      "headers: {[string]: string}": "Names in lower case; of several the last one.",
      "headers_all: {[string]: string[]}": "All values of each name.",
      "body: string?": "Exact bytes; absent in stream mode.",
    }),
    shape("SseEvent", "What a server-sent event says of itself.", {
      "event: string?": "Its type.", "id: string?": "Its id.", "retry: integer?": "Milliseconds.",
    }),
  ],
});

export const sh = apiModule("sh", "Commands of the system.", {
  functions: [
    fn("~sh.exec(cmd: string, opts: ShOptions?) -> ShResult",
      "Runs a command; one that fails is a result, never an error.", {
        params: { cmd: "Text for `sh -c`; with `args` the name of a program.", opts: "See ShOptions." },
        host: true, example: `local r = sh.exec("echo hello", {timeout = 5})\nprint(r.ok, r.code, r.stdout)`,
      }),
  ],
  shapes: [
    shape("ShOptions", "How a command runs.", {
      "timeout: number?": "Seconds, then its process group is ended. Default 30.",
      "cwd: string?": "Folder; default the project's.",
      "env: {[string]: string}?": "Variables to add.",
      "stdin: string?": "Its input; default none.",
      "max_output: integer?": "Bytes of each stream; default 10 MiB.",
      "args: string[]?": "Arguments; then no shell is used.",
      "detach: boolean?": "Leave it running; needs the grant `run:detach`.",
    }),
    shape("ShResult", "How a command ended.", {
      "ok: boolean": "It ran to an end, whatever its code.",
      "code: (integer | string)?": "Exit code, -1 when a signal ended it; `grant.denied` when it was refused.",
      "stdout: string?": "What it wrote.",
      "stderr: string?": "What it wrote there.",
      "signal: string?": "Signal that ended it.",
      "truncated: boolean?": "There was more output.",
      "error: string?": "Why it is not ok: `timeout after 30s`, `exec error: …`.",
      "timed_out: boolean?": "It was ended by the timeout.",
      "pid: integer?": "Process of a detached command.",
    }),
  ],
});
