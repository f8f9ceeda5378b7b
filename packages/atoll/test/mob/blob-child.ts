/** A mob in a process of its own that kills itself when the output of its turn is a blob and nothing refers to it yet: sends one turn under a key. */
import { join } from "node:path";
import { defineMob, Mob } from "../../src/mob.ts";
import { openBlobFolder } from "../../src/compose/blob-folder.ts";

const [dir = "", when = ""] = process.argv.slice(2);
const blobs = await openBlobFolder(join(dir, "blobs"));

const { rooms: mob } = await Mob.start({
  definition: defineMob({ mob: { id: "m", members: [{ id: "big", profile: "p" }] }, profiles: { p: { linked: "big" } } }), stateDir: dir,
  linked: { big: () => () => "y".repeat(3_000_000) },
  env: { blobs: { ...blobs, put: async (key, bytes) => {
    if (when === "before") process.kill(process.pid, "SIGKILL");
    await blobs.put(key, bytes);
    process.kill(process.pid, "SIGKILL");
    return await new Promise<never>(() => undefined);
  } } },
});
const { turn_id } = await mob.send({ to: "big", from: "test", principal: "local", content: "go", key: "one" });
await mob.members.wait(turn_id, {});
