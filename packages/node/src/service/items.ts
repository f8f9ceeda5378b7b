/** The items of a stream, decoded and checked one by one. */
import { nodeError, type InStream, type Principal } from "@atoll-run/core";
import type { StreamRoute } from "./route.ts";
import { textOf } from "./talk.ts";

/** The reading end of a typed stream: `for await` gives the items in order; leaving the loop early resets it. */
export interface ItemReader<T> extends AsyncIterable<T>, Pick<InStream, "id" | "name" | "mode" | "headers"> {
  readonly peer: Principal;
  /** Items of a `latency_first` stream that were lost or not read in time. */
  readonly dropped: number;
}

/** An item that cannot be read ends the loop with `node.decode_failure`, which resets the stream. */
export function readItems({ name, item }: StreamRoute, stream: InStream): ItemReader<unknown> {
  const one = async (bytes: Uint8Array): Promise<unknown> => {
    let value: unknown;
    try {
      value = item.decode(bytes);
    } catch (error) {
      throw nodeError("node.decode_failure", `item of ${name} cannot be read: ${textOf(error)}`, { cause: error });
    }
    const checked = await item.check?.(value);
    if (checked === undefined) return value;
    if (checked.ok) return checked.value;
    const { issues } = checked;
    throw nodeError("node.decode_failure", `item of ${name}: ${issues.join("; ")}`, { facts: { issues } });
  };
  return {
    id: stream.id, name: stream.name, mode: stream.mode, headers: stream.headers, peer: stream.peer,
    get dropped() {
      return stream.dropped;
    },
    async *[Symbol.asyncIterator]() {
      for await (const bytes of stream) yield await one(bytes);
    },
  };
}
