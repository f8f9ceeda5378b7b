/** A thread that is a model: it asks for one tool, then it is done. Tells its address when it listens. */
import { parentPort } from "node:worker_threads";
import { startMockModel } from "@atoll-run/testkit/internal";

const model = await startMockModel({
  keep: 1,
  script: ({ messages }) => ({
    reply: messages.length === 1
      ? { text: "let me see", tool_calls: [{ name: "add", id: "call_1", input: { a: 1, b: 2 } }] }
      : { text: "it is 3" },
  }),
});
parentPort?.postMessage(model.url);
