/** What went wrong with a request to a server, in data: the classes of the SDK stay behind its door. */
export class RequestProblem extends Error {
  /**
   * `closed`: there is no connection; `rpc`: the server said so; `invalid`: an answer that is none;
   * `cancelled`: the client itself ended it.
   */
  readonly kind: "closed" | "rpc" | "invalid" | "cancelled" | "other";
  readonly rpcCode: number | undefined;

  constructor(kind: RequestProblem["kind"], message: string, o: { cause?: unknown; rpcCode?: number } = {}) {
    super(message, { cause: o.cause });
    this.kind = kind;
    this.rpcCode = o.rpcCode;
  }
}
