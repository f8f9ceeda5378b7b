/** A process with one node: the block. Says its id, and ends when its input does. */
import process from "node:process";
import { formatNodeId } from "@atoll-run/core";
import { createNode } from "@atoll-run/atoll/node";
import { counter } from "./greeter.ts";

const [url = "", dir = ""] = process.argv.slice(2);
const acl = [{ effect: "allow", from: { type: "*:*:*", realm: "self", proof: "key" }, actions: ["*"] }] as const;
const node = await (await createNode({ name: "counter", dir, realm: { url }, acl }).attach(counter())).start();
process.stdout.write(`${node.id === undefined ? "" : formatNodeId(node.id)}\n`);
for await (const _ of process.stdin);
const { unfinished, returned, unregistered } = await node.close();
process.stdout.write(`${JSON.stringify({ unfinished, returned, unregistered })}\n`);
