// std.task.scope, its children and tokens (block.md 5.10).
import assert from "node:assert/strict";
import { test } from "node:test";
import { runLua, valueOf } from "../support/run-script.ts";

test("a scope gives the value of its body and has the name it was given", async () => {
  const script = `
    local function name(s) return tostring(s.name) end
    return {std.task.scope("job", name), std.task.scope(name)}`;
  assert.deepEqual(await valueOf(script), ["job", "nil"]);
});

test("a scope waits for all of its children", async () => {
  const script = `
    local done = 0
    std.task.scope(function(s)
      for i = 1, 5 do s:spawn(function() std.task.sleep(i * 4) done = done + 1 end) end
    end)
    return done`;
  assert.equal(await valueOf(script), 5);
});

test("an error of the body cancels the children softly, waits for them and is raised again", async () => {
  const script = `
    local seen = {}
    local ok, e = pcall(std.task.scope, function(s)
      s:spawn(function()
        local ok, e = pcall(std.task.sleep, 10000)
        seen[1] = tostring(e)
      end)
      std.task.yield()
      error("body", 0)
    end)
    return {ok, e, seen[1]}`;
  assert.deepEqual(await valueOf(script), [false, "body", "task cancelled"]);
});

test("an un-joined child's error does not fail the scope, but warns when the scope ends", async () => {
  const { result, log, stdout } = await runLua(`
    local value = std.task.scope("s", function(s)
      s:spawn(function() error("child", 0) end, {name = "c"})
      return "fine"
    end)
    return value`);
  assert.equal(result?.value, "fine");
  assert.equal(stdout, "");
  const warnings = log.filter((event) => event.level === "warn");
  assert.deepEqual(warnings.map((event) => [event.target, event.msg]),
    [["block", "task t1 (c) failed and nobody joined it: child"]]);
});

test("a joined child's error is the body's to handle", async () => {
  const { result, log } = await runLua(`
    return {pcall(std.task.scope, function(s) s:spawn(function() error("child", 0) end):join() end)}`);
  assert.deepEqual(result?.value, [false, "child"]);
  assert.deepEqual(log.filter((event) => event.level === "warn"), []);
});

test("scope:cancel cancels the children, later ones from their start, but not the body", async () => {
  const script = `
    local seen = {}
    local function child(i)
      return function() seen[i] = tostring(select(2, pcall(std.task.sleep, 10000))) end
    end
    local value = std.task.scope(function(s)
      s:spawn(child(1))
      std.task.yield()
      s:cancel()
      s:spawn(child(2))
      std.task.sleep(1)
      return "body"
    end)
    return {value, seen}`;
  assert.deepEqual(await valueOf(script), ["body", ["task cancelled", "task cancelled"]]);
});

test("a token is asked and checked, and tells its cancel to all who hold it", async () => {
  const script = `
    local t = std.task.cancel_token()
    local seen = {t:is_cancelled(), pcall(t.check, t)}
    t:cancel()
    local ok, e = pcall(t.check, t)
    return {seen, t:is_cancelled(), ok, tostring(e), e.code}`;
  assert.deepEqual(await valueOf(script), [[false, true], true, false, "task cancelled", "task.cancelled"]);
});

test("the token of a scope is cancelled with it, cancels it, and can be asked after its end", async () => {
  const script = `
    local token
    local child = std.task.scope(function(s)
      token = s:token()
      local h = s:spawn(function() return tostring(select(2, pcall(std.task.sleep, 10000))) end)
      std.task.yield()
      local before = token:is_cancelled()
      token:cancel()
      return {before, h:join(), s:token():is_cancelled()}
    end)
    local failed
    pcall(std.task.scope, function(s) failed = s:token() error("x") end)
    local fine = std.task.scope(function(s) return s:token() end)
    return {child, token:is_cancelled(), failed:is_cancelled(), fine:is_cancelled()}`;
  assert.deepEqual(await valueOf(script), [[false, "task cancelled", true], true, true, false]);
});

test("a scope that has ended takes no more children", async () => {
  const script = `
    local kept
    std.task.scope(function(s) kept = s end)
    kept:cancel()
    return tostring(select(2, pcall(kept.spawn, kept, print)))`;
  assert.equal(await valueOf(script), "std.task: this scope has ended");
});

test("a cancel of a task reaches the children of its scopes, and the scope waits for them", async () => {
  const script = `
    local order = {}
    local function note(text) order[#order + 1] = text end
    pcall(std.task.scope, function(outer)
      outer:spawn(function()
        std.task.scope(function(inner)
          inner:spawn(function()
            pcall(std.task.sleep, 10000)
            note("grandchild")
          end)
        end)
        note("never")
      end)
      std.task.sleep(5)
      error("enough")
    end)
    note("outer")
    return order`;
  assert.deepEqual(await valueOf(script), ["grandchild", "outer"]);
});

test("an abort of a task aborts the children of its scopes", async () => {
  const script = `
    local order = {}
    local h = std.task.spawn(function()
      std.task.scope(function(s)
        s:spawn(function()
          local guard <close> = setmetatable({}, {__close = function() order[#order + 1] = "closed" end})
          pcall(std.task.sleep, 10000)
          order[#order + 1] = "never"
        end)
      end)
    end)
    std.task.sleep(5)
    h:abort()
    local e = select(2, pcall(h.join, h))
    std.task.sleep(5)
    return {tostring(e), order}`;
  assert.deepEqual(await valueOf(script), ["task aborted", ["closed"]]);
});

test("what scope does not know is refused", async () => {
  const script = `
    local function text(...) return tostring(select(2, pcall(...))) end
    return {text(std.task.scope), text(std.task.scope, "name"), text(std.task.scope, 1, print),
      text(std.task.scope, function(s) s:spawn() end)}`;
  assert.deepEqual(await valueOf(script), [
    "task.scope: argument #1 must be a function, got nil",
    "task.scope: argument #2 must be a function, got nil",
    "task.scope: argument #1 must be a string, got number",
    "scope.spawn: argument #1 must be a function, got nil",
  ]);
});
