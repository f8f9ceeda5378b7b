/** Ids of nodes as text and back, remembered: each message needs both, and neither is cheap to make. */
import { formatNodeId, parseNodeId, type NodeId } from "@atoll-run/core";
import { writeNodeId } from "@atoll-run/core/internal";

const TEXTS = new WeakMap<NodeId, string>();

/** The text of an id. An id object never changes. */
export function idText(id: NodeId): string {
  let text = TEXTS.get(id);
  if (text === undefined) {
    text = formatNodeId(id);
    TEXTS.set(id, text);
  }
  return text;
}

const BYTES = new WeakMap<NodeId, Uint8Array>();

/** The canonical bytes of an id. */
export function idBytes(id: NodeId): Uint8Array {
  let bytes = BYTES.get(id);
  if (bytes === undefined) {
    bytes = writeNodeId(id);
    BYTES.set(id, bytes);
  }
  return bytes;
}

/** Texts that are remembered; then all are forgotten, which costs one parse each. */
const REMEMBERED_MAX = 4_096;

/** Reads texts of ids; equal texts give the same object while they are remembered. */
export class IdReader {
  readonly #ids = new Map<string, NodeId>();

  /** Undefined when the text is no id. */
  read(text: string): NodeId | undefined {
    const known = this.#ids.get(text);
    if (known !== undefined) return known;
    const id = parseNodeId(text);
    if (id === undefined) return undefined;
    if (this.#ids.size >= REMEMBERED_MAX) this.#ids.clear();
    this.#ids.set(text, id);
    TEXTS.set(id, text);
    return id;
  }
}
