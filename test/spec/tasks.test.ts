// Block 5.10: std.task, row by row. How cancels, aborts and time limits end tasks is proven in packages/block/test/task.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Row, rowTests } from "./rows.ts";
import { start, valueOf } from "./support.ts";

rowTests("std.task", [
  ["spawn gives a handle with id and name", `local t = task.spawn(function() end, {name = "mine"}) t:join() return t.id, t.name`, "t1\tmine"],
  ["join gives the first value", `task.spawn(function() return 1, 2 end):join()`, "1"],
  ["join raises the task's error", `task.spawn(function() error("mine", 0) end):join()`, "!mine"],
  ["is_finished and elapsed", `local t = task.spawn(function() task.sleep(5) end) local before = t:is_finished() t:join() return before, t:is_finished(), t:elapsed() >= 4`, "false\ttrue\ttrue"],
  ...["async_fn", "async", "coroutine"].map((driver): Row => [`the driver ${driver}`, `task.spawn(function() return "ran" end, {driver = "${driver}"}):join()`, "ran"]),
  ["coroutine.yield(ms) sleeps in the driver coroutine", `local at = std.time.millis() task.spawn(function() coroutine.yield(30) end, {driver = "coroutine"}):join() return std.time.millis() - at >= 29`, "true"],
  ["an unknown option is refused", `task.spawn(print, {size = 1})`, "!std.task: unknown opts key 'size' (expected 'name' or 'driver')"],
  ["an option that is no name is refused", `task.spawn(print, {1})`, "!std.task: opts keys must be strings, got number"],
  ["a name is a string", `task.spawn(print, {name = 1})`, "!std.task: opts.name: expected string, got number"],
  ["a driver is a string", `task.spawn(print, {driver = {}})`, "!std.task: opts.driver: expected string, got table"],
  ["a driver is a known one", `task.spawn(print, {driver = "thread"})`, "!std.task: unknown driver 'thread' (expected 'async_fn' or 'coroutine')"],
  ["join of an aborted task raises task aborted", `local t = task.spawn(function() task.sleep(60000) end) t:abort() return t:join()`, "!task aborted"],
  ["a second join raises task already joined", `local t = task.spawn(function() end) t:join() return t:join()`, "!task already joined"],
  ["sleep refuses what is negative", `task.sleep(-1)`, "!std.task.sleep: invalid duration (ms=-1)"],
  ["sleep refuses NaN", `task.sleep(0/0)`, "!std.task.sleep: invalid duration (ms=NaN)"],
  ["sleep refuses what is out of range", `task.sleep(1e300)`, "!std.task.sleep: duration out of range (…"],
  ["yield and checkpoint come back", `task.yield() task.checkpoint() return "back"`, "back"],
  ["current is nil outside a task", `task.current()`, "nil"],
  ["current is {id, name, cancelled} in a task", `task.spawn(function() local c = task.current() return type(c.id) .. c.name .. tostring(c.cancelled) end, {name = "n"}):join()`, "stringnfalse"],
  ["a cancel token tells its cancel", `local t = task.cancel_token() local before = t:is_cancelled() t:cancel() return before, t:is_cancelled()`, "false\ttrue"],
  ["check of a cancelled token raises task cancelled", `local t = task.cancel_token() t:cancel() return t:check()`, "!task cancelled"],
  ["scope gives its body's value", `task.scope(function() return 7 end)`, "7"],
  ["scope has a name", `task.scope("mine", function(scope) return scope.name end)`, "mine"],
  ["scope waits for all children", `local n = 0 task.scope(function(scope) for i = 1, 3 do scope:spawn(function() task.sleep(5) n = n + 1 end) end end) return n`, "3"],
  ["an error of the body soft-cancels the children and is raised again", `local seen pcall(task.scope, function(scope) scope:spawn(function() local ok, e = pcall(task.sleep, 60000) seen = tostring(e) end) task.yield() error("mine", 0) end) return seen`, "task cancelled"],
  ["scope:cancel cancels the children, scope:token shows it", `local seen task.scope(function(scope) scope:spawn(function() local ok, e = pcall(task.sleep, 60000) seen = tostring(e) end) task.yield() scope:cancel() seen2 = scope:token():is_cancelled() end) return seen, seen2`, "task cancelled\ttrue"],
  ["an un-joined child's error does not fail the scope", `task.scope(function(scope) scope:spawn(function() error("child") end) return "fine" end)`, "fine"],
  ["with_timeout gives its body's value", `task.with_timeout(10000, function() return 8 end)`, "8"],
  ["with_timeout aborts the body at the deadline", `task.with_timeout(20, function() while true do pcall(task.sleep, 5) end end)`, "!task.with_timeout: exceeded 20 ms"],
  ["with_timeout refuses an unknown option", `task.with_timeout(20, print, {grace = 1})`, "!task.with_timeout: unknown opts key 'grace' (expected 'grace_ms')"],
  ["grace_ms is a number", `task.with_timeout(20, print, {grace_ms = "x"})`, "!task.with_timeout: opts.grace_ms must be a number, got string"],
], { before: "task = std.task" });

test("an un-joined child's error is a warning", async () => {
  const s = start(`std.task.scope(function(scope) scope:spawn(function() error("of the child") end) end) return 1`);
  assert.equal((await s.end).result?.value, 1);
  assert.ok(s.warned().some((text) => text.includes("of the child")), s.warned().join());
});

test("grace: children of a with_timeout are soft-cancelled at the deadline and aborted after it", async () => {
  assert.deepEqual(await valueOf(`
    local seen = {}
    pcall(std.task.with_timeout, 20, function(scope)
      scope:spawn(function() local x <close> = setmetatable({}, {__close = function() seen[#seen + 1] = "closed" end}) while true do local ok, e = pcall(std.task.sleep, 5) if not ok and #seen == 0 then seen[1] = tostring(e) end end end)
      std.task.sleep(60000)
    end, {grace_ms = 50})
    return seen`), ["task cancelled", "closed"]);
});
