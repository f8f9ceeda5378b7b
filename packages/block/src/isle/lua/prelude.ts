/**
 * The Lua part of every isle: coroutines that pass a host wait through, pcall that lets a cancel through,
 * print, error objects. Compiled once in a thread, then loaded as bytecode.
 */
import { STATUS, TYPE } from "./exports.ts";
import { ownCode } from "./own-code.ts";
import { OutOfMemory } from "./vm-errors.ts";
import type { LuaState } from "./state.ts";
import type { Task } from "./tasks.ts";
import type { HostFunction, VmHost } from "./vm-host.ts";
import { AWAIT } from "./waits.ts";

const SOURCE = String.raw`
local AWAIT, cancelling, write, trace, inner, pause = ...
local pcall, xpcall, error, select, type = pcall, xpcall, error, select, type
local rawequal, tostring, coroutine = rawequal, tostring, coroutine
local resume, yield, create = coroutine.resume, coroutine.yield, coroutine.create
local close, status = coroutine.close, coroutine.status
local pack, concat, load, setmetatable = table.pack, table.concat, load, setmetatable

-- what Lua's own functions say of a wrong argument, at the place of the caller of ours
local function expect(want, n, fn, v)
  if type(v) == want then return end
  error("bad argument #" .. n .. " to '" .. fn .. "' (" .. want .. " expected, got " .. type(v) .. ")", 3)
end

-- coroutines that wait for the host: their task goes on with them, nobody else may
local waiting = setmetatable({}, {__mode = "k"})

-- a wait of an inner coroutine suspends the whole task
local function step(co, ok, a, ...)
  if rawequal(a, AWAIT) and ok then
    waiting[co] = true
    yield(a)
    waiting[co] = nil
    return step(co, resume(co))
  end
  if not ok and cancelling() then
    close(co)
    error(a, 0)
  end
  return ok, a, ...
end
function coroutine.resume(co, ...)
  expect("thread", 1, "resume", co)
  if waiting[co] then return false, "cannot resume non-suspended coroutine" end
  return step(co, resume(co, ...))
end
function coroutine.status(co)
  expect("thread", 1, "status", co)
  if waiting[co] then return "normal" end
  return status(co)
end
local function unwrap(co, ok, ...)
  if ok then return ... end
  local e = (...)
  local fine, closed = close(co)
  if not fine then e = closed end
  if type(e) == "string" and e ~= "not enough memory" then error(e, 2) end
  error(e, 0)
end
function coroutine.wrap(f)
  expect("function", 1, "wrap", f)
  local co = create(f)
  return function(...)
    if waiting[co] then error("cannot resume non-suspended coroutine", 2) end
    return unwrap(co, step(co, resume(co, ...)))
  end
end

-- outside of coroutines of the script itself, a yield gives way to other tasks; with a number it sleeps
-- that many milliseconds
function coroutine.yield(...)
  if inner() then return yield(...) end
  return pause((...))
end

-- under every task: xpcall closes what is to be closed when the task fails
local function done(ok, ...)
  if ok then return ... end
  error((...), 0)
end
local function failed(e)
  local ok, text
  if type(e) == "table" then ok, text = pcall(tostring, e) end
  return trace(e, ok and text)
end
local function base(f, ...) return done(xpcall(f, failed, ...)) end

-- errors of a task that is being ended are never caught
local function caught(ok, ...)
  if not ok and cancelling() then error((...), 0) end
  return ok, ...
end
_G.pcall = function(...)
  if select("#", ...) == 0 then error("bad argument #1 to 'pcall' (value expected)", 2) end
  return caught(pcall(...))
end
_G.xpcall = function(f, handler, ...)
  expect("function", 2, "xpcall", handler)
  return caught(xpcall(f, handler, ...))
end
function coroutine.close(co)
  expect("thread", 1, "close", co)
  local how = waiting[co] and "normal" or status(co)
  if how == "normal" or how == "running" then error("cannot close a " .. how .. " coroutine", 2) end
  return caught(close(co))
end
local function loaded(f, e, ...)
  if f == nil and cancelling() then error(e, 0) end
  return f, e, ...
end
_G.load = function(chunk, ...)
  if type(chunk) ~= "string" and type(chunk) ~= "number" then expect("function", 1, "load", chunk) end
  return loaded(load(chunk, ...))
end

function print(...)
  local line = pack(...)
  for i = 1, line.n do line[i] = tostring(line[i]) end
  write(concat(line, "\t", 1, line.n) .. "\n")
end

debug, package.loaded.debug = nil, nil
package.loadlib, package.cpath = nil, ""

local fault = {__name = "error"}
function fault.__tostring(e) return e.message end
function fault.__concat(a, b) return tostring(a) .. tostring(b) end
fault.__metatable = "error"
return base, fault
`;

interface Loading {
  readonly state: LuaState;
}

/** The VM as its prelude sees it. */
interface Booting extends Loading {
  readonly host: VmHost;
  readonly current: Task | null;
  define(fn: HostFunction): number;
  cancelling(): boolean;
  failing(L: number): number;
  sleep(L: number, ms: number): number;
}

/** Runs the prelude in a fresh VM. */
export function bootPrelude(vm: Booting): void {
  const { state } = vm;
  const L = state.main;
  const functions = hostFunctions(vm).map((fn) => vm.define(fn));
  if (state.copied) return;
  loadOwn(vm, "=[atoll]", SOURCE);
  state.x.lua_pushlightuserdata(L, AWAIT);
  for (const fn of functions) state.pushFunction(L, fn);
  callOrThrow(vm, functions.length + 1, 2);
  state.remember(L, "fault");
  state.remember(L, "base");
}

/** In the order in which the prelude takes them. */
function hostFunctions(vm: Booting): HostFunction[] {
  const { state } = vm;
  return [
    (T) => {
      state.x.lua_pushboolean(T, vm.cancelling() ? 1 : 0);
      return 1;
    },
    (T) => {
      vm.host.write(1, state.bytesAt(T, 1));
      return vm.host.caughtUp(T);
    },
    (T) => vm.failing(T),
    (T) => {
      state.x.lua_pushboolean(T, vm.current?.thread === T ? 0 : 1);
      return 1;
    },
    (T) => {
      const number = state.x.lua_type(T, 1) === TYPE.number;
      return vm.sleep(T, number ? state.x.lua_tonumberx(T, 1, 0) : 0);
    },
  ];
}

/** Loads a chunk of ours onto a stack; compiled once in a thread. A fault in it is our own bug. */
export function loadOwn(vm: Loading, chunk: string, source: string, L = vm.state.main): void {
  let code = ownCode().get(chunk);
  if (code === undefined) {
    loadOrThrow(vm, source, chunk, L);
    code = vm.state.dump(L);
    vm.state.pop(L);
    ownCode().set(chunk, code);
  }
  loadOrThrow(vm, code, chunk, L);
}

function loadOrThrow(vm: Loading, code: string | Uint8Array, chunk: string, L: number): void {
  const problem = vm.state.load(L, code, chunk);
  if (problem === "not enough memory") throw new OutOfMemory();
  if (problem !== undefined) throw new Error(`${chunk}: ${problem}`);
}

/** Calls the function below `args` values on the main stack. */
export function callOrThrow(vm: Loading, args: number, results: number): void {
  const { state } = vm;
  const L = state.main;
  const status = state.x.lua_pcallk(L, args, results, 0, 0, 0);
  if (status === STATUS.outOfMemory) throw new OutOfMemory();
  if (status !== STATUS.ok) throw new Error(state.lossyText(L, -1));
}
