/** Ids inside generated messages. */
import { isNodeId, type NodeId } from "./node-id.ts";
import type { ActrId, ActrIdSchema } from "./generated/actr/identity_pb.ts";
import type { MessageInitShape } from "./protobuf.ts";

export function toActrId({ realm, serial, type }: NodeId): MessageInitShape<typeof ActrIdSchema> {
  return { realm: { realmId: realm }, serialNumber: serial, type };
}

/** The id; undefined when its parts are no names or out of range. */
export function fromActrId(message: ActrId): NodeId | undefined {
  if (message.realm === undefined || message.type === undefined) return undefined;
  const { manufacturer, name, version } = message.type;
  const id = {
    realm: message.realm.realmId, serial: message.serialNumber, type: { manufacturer, name, version },
  };
  return isNodeId(id) ? id : undefined;
}
