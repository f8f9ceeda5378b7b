/** The way to one server, as the SDK's client uses it: JSON-RPC messages in both directions. */
export type Message = { readonly [key: string]: unknown };

export interface Pipe {
  start(): Promise<void>;
  send(message: Message, options?: object): Promise<void>;
  /** The same for a message that is text already, where the way takes text; throws when it cannot be sent. */
  sendText?(text: string): void;
  /** Called more than once by the SDK; ends the way once. */
  close(): Promise<void>;
  onclose?: (() => void) | undefined;
  onerror?: ((error: Error) => void) | undefined;
  /** `text`: the message as it came, where the way is one of text. */
  onmessage?: ((message: Message, text?: string) => void) | undefined;
  readonly sessionId?: string | undefined;
  setProtocolVersion?(version: string): void;
}

/** Code of an error answer that no server sent; not the -32000 with which the SDK says that it is closed. */
export const LOCAL_ERROR = -32_098;

/** An answer in place of the one that will not come. */
export function failure(id: number, message: string): Message {
  return { jsonrpc: "2.0", id, error: { code: LOCAL_ERROR, message } };
}
