/** Dates as `os.date` and `os.time` have them, held against JavaScript's own calendar. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { formatTime, toFields, toSeconds } from "../../src/isle/lua/calendar.ts";

const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

describe("the calendar of Lua", () => {
  test("every second of the years that JavaScript knows has the same date there", () => {
    fc.assert(fc.property(fc.integer({ min: -8_600_000_000_000, max: 8_600_000_000_000 }), (seconds) => {
      const f = toFields(BigInt(seconds));
      const date = new Date(seconds * 1000);
      assert.deepEqual(f.slice(0, 7), [
        date.getUTCSeconds(), date.getUTCMinutes(), date.getUTCHours(), date.getUTCDate(), date.getUTCMonth(),
        date.getUTCFullYear() - 1900,
        date.getUTCDay(),
      ]);
      const newYear = new Date(date);
      newYear.setUTCMonth(0, 1);
      assert.equal(f[7], Math.round((date.getTime() - newYear.getTime()) / 86_400_000));
      assert.equal(toSeconds(f), BigInt(seconds));
    }), { numRuns: 2000 });
  });

  test("fields out of their ranges count on, as mktime has it", () => {
    fc.assert(fc.property(fc.array(fc.integer({ min: -100_000, max: 100_000 }),
      { minLength: 5, maxLength: 5 }), (some) => {
      const [second, minute, hour, day, month] = some as [number, number, number, number, number];
      assert.equal(toSeconds([second, minute, hour, day, month, 100, 0, 0]),
        BigInt(Date.UTC(2000, month, day, hour, minute, second) / 1000));
    }));
  });

  test("any 64-bit number has a date, and any 32-bit fields a time or none", () => {
    fc.assert(fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (seconds) => {
      assert.ok(toFields(seconds).every((field) => Number.isSafeInteger(field) && Math.abs(field) < 2 ** 31));
    }));
    const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
    fc.assert(fc.property(fc.array(int32, { minLength: 8, maxLength: 8 }), (fields) => {
      assert.ok(["bigint", "undefined"].includes(typeof toSeconds(fields)));
    }));
  });

  test("weeks by ISO 8601 are those of the Thursday in them", () => {
    fc.assert(fc.property(fc.integer({ min: -30_000, max: 60_000 }), (day) => {
      const thursday = new Date((day + 3 - ((((day + 3) % 7) + 7) % 7)) * 86_400_000);
      const week = Math.floor((thursday.getTime() - Date.UTC(thursday.getUTCFullYear(), 0,
        1)) / 604_800_000) + 1;
      const f = toFields(BigInt(day * 86_400));
      assert.equal(formatTime("%G %V %a", f),
        `${thursday.getUTCFullYear()} ${String(week).padStart(2, "0")} ${DAYS[f[6]]}`);
    }));
  });

  test("each conversion of C99 gives what the C locale has", () => {
    const f = toFields(1_718_000_045n);
    const expected = "Mon Monday Jun June 20 10 06/10/24 10 2024-06-10 24 2024 06 06 162 06 14 AM 05 1718000045 1 23 24 1 24 24 2024 +0000 UTC %";
    assert.equal(formatTime(
      "%a %A %b %B %C %d %D %e %F %g %G %H %I %j %m %M %p %S %s %u %U %V %w %W %y %Y %z %Z %%", f), expected);
    assert.equal(formatTime("%c|%r|%R|%T|%x|%X|%n|%t|%Ec|%Od", f),
      "Mon Jun 10 06:14:05 2024|06:14:05 AM|06:14|06:14:05|06/10/24|06:14:05|\n|\t|Mon Jun 10 06:14:05 2024|10");
  });
});
