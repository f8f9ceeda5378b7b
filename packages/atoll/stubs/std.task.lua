---@meta

---How a task runs.
---@class TaskOptions
---@field name? string For logs.
---@field driver? ("async_fn" | "async" | "coroutine") All are alike: `coroutine.yield(ms)` sleeps.
local TaskOptions = {}

---The task that runs.
---@class TaskInfo
---@field id string `t1` and so on.
---@field name? string Its name.
---@field cancelled boolean It should stop.
local TaskInfo = {}

---How a deadline ends.
---@class TimeoutOptions
---@field grace_ms? number Milliseconds its tasks get to clean up; 0 = none.
local TimeoutOptions = {}

---A task, seen from outside.
---@class TaskHandle
---@field id string `t1` and so on.
---@field name? string Its name.
local TaskHandle = {}

---Waits for the task and gives its first result, or raises its error; once.
---@async
---@return any
function TaskHandle:join() end

---Ends the task where it waits.
function TaskHandle:abort() end

---Has it ended?
---@return boolean
function TaskHandle:is_finished() end

---Milliseconds since it began, until it ended.
---@return number
function TaskHandle:elapsed() end

---Tasks that end together.
---@class TaskScope
---@field name? string Its name.
local TaskScope = {}

---Starts a task of the scope.
---@param fn fun(): any What it does.
---@param opts? TaskOptions `name` and `driver`.
---@return TaskHandle
function TaskScope:spawn(fn, opts) end

---Cancels all tasks of the scope.
function TaskScope:cancel() end

---The flag that says that the scope was cancelled.
---@return CancelToken
function TaskScope:token() end

---A flag that says stop.
---@class CancelToken
local CancelToken = {}

---Sets it.
function CancelToken:cancel() end

---Is it set?
---@return boolean
function CancelToken:is_cancelled() end

---Raises when it is set.
function CancelToken:check() end

---Tasks that run side by side in one isle, each until it waits.
std.task = {}

---Starts a task.
---@param fn fun(): any What it does.
---@param opts? TaskOptions `name` and `driver`.
---@return TaskHandle
function std.task.spawn(fn, opts) end

---Waits; other tasks go on meanwhile.
---@async
---@param ms number Milliseconds.
function std.task.sleep(ms) end

---Gives way to the other tasks.
---@async
function std.task.yield() end

---Gives way, and raises when the task was cancelled.
---@async
function std.task.checkpoint() end

---The task that runs; nil outside of one.
---@return TaskInfo?
function std.task.current() end

---A flag that says stop.
---@return CancelToken
function std.task.cancel_token() end

---Runs a function and waits for all tasks it started; an error in it cancels them.
---@async
---@param name (string | fun(scope: TaskScope): any) May be left out.
---@param fn? fun(scope: TaskScope): any Gets the scope.
---@return any
function std.task.scope(name, fn) end

---Runs a function with a deadline; past it, it is ended with all its tasks.
---@async
---@param ms number Milliseconds.
---@param fn fun(scope: TaskScope): any Gets a scope.
---@param opts? TimeoutOptions `grace_ms`: what its tasks get to clean up.
---@return any
function std.task.with_timeout(ms, fn, opts) end
