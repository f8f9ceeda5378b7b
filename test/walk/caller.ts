/** The second process of the walk: a program with a node, which calls a member of a mob and says what it got. */
import process from "node:process";
import { createNode, json, route, service } from "@atoll-run/atoll/node";
import { memberAt } from "@atoll-run/atoll/mob";

const [url = ""] = process.argv.slice(2);
const Desk = service({ type: "acme:desk:1.0.0", name: "acme.Desk", routes: { Hello: route({ input: json(), output: json() }) } });
await using node = await createNode({ name: "desk", memory: true, realm: { url }, listen: false }).link(Desk.implement({ Hello: () => null })).start();
const greeter = memberAt(node, "greeter::walk");
process.stdout.write(JSON.stringify(await greeter.call({ name: "atoll" }, { requestId: "question-1", conversation: "walk", deadlineMs: 60_000 })));
