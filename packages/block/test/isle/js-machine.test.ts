/** One QuickJS instance, without what stands around it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { JsMachine, type MachineHost } from "../../src/isle/js/machine.ts";
import { openQuickJs } from "../../src/isle/js-module.ts";

const TEXT_MAX = 200;

const host: MachineHost = {
  call: () => undefined, normalize: (_, name) => name, load: (name) => ({ error: { text: `no module ${name}`, code: "none" } }),
};

test("a module is compiled whatever lay in the memory before, however short it is", async () => {
  for (const fill of [0x00, 0x01, 0x03, 0x41, 0xff]) {
    const q = await openQuickJs(() => 0, { suspends: false, heap: { bytesMax: 64 << 20, refused: false } });
    const machine = new JsMachine(q, host, { suspends: false });
    // Holes for texts of every length, with that behind each of them.
    const holes = Array.from({ length: 20 * TEXT_MAX / 8 }, (_, at) => {
      const hole = q._malloc(8 * (1 + at % (TEXT_MAX / 8)));
      const behind = q._malloc(256);
      q.HEAPU8.fill(fill, behind, behind + 256);
      return hole;
    });
    for (const hole of holes) q._free(hole);
    for (let length = 0; length < TEXT_MAX; length += 3) {
      const source = `/*${"n".repeat(length)}*/ export default 7`;
      assert.equal(await machine.compile(length < 3 ? "" : source, `m${length}`), undefined, `${fill} ${length}`);
    }
    const wrong = await machine.compile("let x = = 1", "wrong");
    assert.equal(wrong?.name, "SyntaxError");
  }
});
