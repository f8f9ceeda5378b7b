/** An id of a node as bytes: the sender of a message, the key of a table. */
import { malformed } from "../core-fault.ts";
import { isNodeId, type NodeId } from "../protocol/node-id.ts";
import { toRead, type Read } from "./read.ts";
import { readRecord } from "./read-record.ts";
import { defineShape, field } from "./shape.ts";
import { writeRecord } from "./write-record.ts";

export const TYPE_SHAPE = defineShape("actr.ActrType", [
  field("1! manufacturer text"), field("2! name text"), field("3! version text"),
]);

export const REALM_SHAPE = defineShape("actr.Realm", [field("1! realm_id u32")]);

export const NODE_ID_SHAPE = defineShape("actr.ActrId", [
  field("1! realm message", { shape: REALM_SHAPE }), field("2! serial_number u64"),
  field("3! type message", { shape: TYPE_SHAPE }),
]);

interface IdRecord {
  readonly realm: { readonly realm_id: number };
  readonly serial_number: bigint;
  readonly type: NodeId["type"];
}

/** Reads an id; one whose parts are no names or out of range is refused. */
export function readNodeId(bytes: Uint8Array): Read<NodeId> {
  return toRead(() => {
    // The shape gives every field that the type names, with that type.
    const { realm, serial_number, type } = readRecord(NODE_ID_SHAPE, bytes) as unknown as IdRecord;
    const id = { realm: realm.realm_id, serial: serial_number, type };
    if (!isNodeId(id)) throw malformed({ what: NODE_ID_SHAPE.name, rule: "value" });
    return id;
  });
}

/** Equal ids have equal bytes. */
export function writeNodeId({ realm, serial, type }: NodeId): Uint8Array {
  const record: IdRecord = { realm: { realm_id: realm }, serial_number: serial, type };
  return writeRecord(NODE_ID_SHAPE, record, { extensions: false });
}
