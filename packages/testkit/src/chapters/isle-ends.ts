/** The last chapter of `isleChapters`: cancels, limits, and neighbours that notice nothing. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "../until.ts";
import type { IsleScripts, Start } from "./isle-under-test.ts";

/** No assertion about speed: what is over within this is over. */
const OVER_MS = 20_000;

export function endChapter(start: Start, scripts: IsleScripts): void {
  for (const [what, source] of Object.entries(scripts.endless)) {
    test(`a cancel ends a script that does nothing but ${what}`, async () => {
      let begun = false;
      const isle = start(source, { tools: { begun: () => (begun = true) } });
      await until(() => begun);
      isle.cancel();
      await over(assert.rejects(isle.ended, { code: "run.cancelled" }));
    });

    test(`its CPU time ends a script that does nothing but ${what}`, async () => {
      const isle = start(source, { tools: { begun: () => null }, caps: { cpuMsMax: 50 } });
      await over(assert.rejects(isle.ended, { code: "isle.timeout" }));
    });
  }

  test("a cancel ends a script that waits, and the host learns that nobody waits any more", async () => {
    let told = false;
    const ask = (_: unknown, o: { signal: AbortSignal }): Promise<never> => new Promise((_resolve, reject) => {
      const { signal } = o;
      signal.addEventListener("abort", () => {
        told = true;
        reject(signal.reason as Error);
      });
      isle.cancel();
    });
    const isle = start(scripts.wait, { tools: { ask } });
    await over(assert.rejects(isle.ended, { code: "run.cancelled" }));
    await until(() => told);
  });

  test("wall time ends a script that only waits", async () => {
    const isle = start(scripts.wait,
      { tools: { ask: () => new Promise<never>(() => undefined) }, caps: { wallMsMax: 50 } });
    await over(assert.rejects(isle.ended, { code: "isle.timeout" }));
  });

  for (const [how, source] of Object.entries(scripts.hungry)) {
    test(`taking memory for ever by ${how} is isle.memory, and another isle goes on`, async () => {
      const other = start(scripts.serve);
      await other.handle("add", null);
      // Little, so that it is full long before the time of a slice is over.
      const hungry = start(source, { caps: { bytesMax: 16 << 20 } });
      await over(assert.rejects(hungry.ended, { code: "isle.memory" }));
      assert.equal(await other.handle("add", null), 2);
    });
  }

  test("a script may catch that there is no memory left, and go on", async () => {
    assert.equal(await start(scripts.sated, { caps: { bytesMax: 32 << 20 } }).ended, "caught");
  });

  test("a script that never ends does not keep another one from its answers", async () => {
    let begun = false;
    const other = start(scripts.serve);
    await other.handle("echo", 0);
    const busy = start(Object.values(scripts.endless)[0] as string,
      { tools: { begun: () => (begun = true) } });
    await until(() => begun);
    for (let i = 0; i < 20; i++) assert.equal(await over(other.handle("echo", i)), i);
    busy.cancel();
    await over(assert.rejects(busy.ended, { code: "run.cancelled" }));
  });

  test("dispose ends whatever goes on, and does so twice without harm", async () => {
    const isle = start(scripts.wait, { tools: { ask: () => new Promise<never>(() => undefined) } });
    await over(isle[Symbol.asyncDispose]());
    await isle[Symbol.asyncDispose]();
    await assert.rejects(isle.ended, { code: "run.cancelled" });
  });
}

async function over<T>(work: PromiseLike<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`not over within ${OVER_MS} ms`)), OVER_MS);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
