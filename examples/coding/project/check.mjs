import assert from "node:assert/strict";
import { parseDuration } from "./duration.mjs";

assert.equal(parseDuration("30m"), 1_800_000);
assert.equal(parseDuration("1h 30m"), 5_400_000);
assert.equal(parseDuration("45s"), 45_000);
assert.ok(Number.isNaN(parseDuration("soon")));
assert.ok(Number.isNaN(parseDuration("")));
