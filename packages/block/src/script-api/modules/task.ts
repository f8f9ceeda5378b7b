/** `std.task`: tasks of the script, side by side. */
import { apiModule, fn, shape } from "../declare.ts";

const BODY = "(scope: { readonly signal: AbortSignal }) => Awaitable<T>";
const CANCELLED = "task.cancelled";

export const task = apiModule("std.task", "Tasks that run side by side in one isle, each until it waits.", {
  functions: [
    fn("std.task.spawn(fn: fn() -> any, opts: TaskOptions?) -> TaskHandle", "Starts a task.", {
      params: { fn: "What it does.", opts: "`name` and `driver`." },
      example: `local handle = std.task.spawn(function() return 1 + 1 end)\nprint(handle:join())`,
      js: `spawn<T>(fn: ${BODY}, opts?: TaskOptions): TaskHandle & { cancel(): void; join(): Promise<T> }`,
    }),
    fn("~std.task.sleep(ms: number)", "Waits; other tasks go on meanwhile.", {
      params: { ms: "Milliseconds." }, errors: CANCELLED, example: `std.task.sleep(10)`,
    }),
    fn("~std.task.yield()", "Gives way to the other tasks.", { errors: CANCELLED, example: `std.task.yield()` }),
    fn("~std.task.checkpoint()", "Gives way, and raises when the task was cancelled.", {
      errors: CANCELLED, example: `std.task.checkpoint()`,
    }),
    fn("std.task.current() -> TaskInfo?", "The task that runs; nil outside of one.", {
      example: `std.task.spawn(function() print(std.task.current().id) end):join()`, js: "",
    }),
    fn("std.task.cancel_token() -> CancelToken", "A flag that says stop.", {
      example: `local token = std.task.cancel_token()\ntoken:cancel()`,
      js: "cancelToken(): { readonly signal: AbortSignal; cancel(): void; isCancelled(): boolean; check(): void }",
    }),
    fn("~std.task.scope(name: string | fn(scope: TaskScope) -> any, fn: (fn(scope: TaskScope) -> any)?) -> any",
      "Runs a function and waits for all tasks it started; an error in it cancels them.", {
        params: { name: "May be left out.", fn: "Gets the scope." }, errors: CANCELLED,
        example: `std.task.scope(function(scope)\n  scope:spawn(function() std.task.sleep(1) end)\nend)`, js: "",
      }),
    fn("~std.task.with_timeout(ms: number, fn: fn(scope: TaskScope) -> any, opts: TimeoutOptions?) -> any",
      "Runs a function with a deadline; past it, it is ended with all its tasks.", {
        params: { ms: "Milliseconds.", fn: "Gets a scope.", opts: "`grace_ms`: what its tasks get to clean up." },
        errors: `task.timeout ${CANCELLED}`, example: `local v = std.task.with_timeout(5000, function() return "in time" end)`,
        js: `withTimeout<T>(ms: number, fn: ${BODY}, opts?: { readonly graceMs?: number }): Promise<T>`,
      }),
  ],
  shapes: [
    shape("TaskOptions", "How a task runs.", {
      "name: string?": "For logs.",
      'driver: ("async_fn" | "async" | "coroutine")?': "All are alike: `coroutine.yield(ms)` sleeps.",
    }),
    shape("TaskInfo", "The task that runs.", {
      "id: string": "`t1` and so on.", "name: string?": "Its name.", "cancelled: boolean": "It should stop.",
    }),
    shape("TimeoutOptions", "How a deadline ends.", {
      "grace_ms: number?": "Milliseconds its tasks get to clean up; 0 = none.",
    }),
    shape("TaskHandle", "A task, seen from outside.", { "id: string": "`t1` and so on.", "name: string?": "Its name." }, [
      fn("~join() -> any", "Waits for the task and gives its first result, or raises its error; once.", {
        errors: "task.joined task.aborted", example: `return std.task.spawn(function() return 7 end):join()`,
      }),
      fn("abort()", "Ends the task where it waits.", {
        example: `return std.task.spawn(function() std.task.sleep(60000) end):abort()`,
      }),
      fn("is_finished() -> boolean", "Has it ended?", { example: `return std.task.spawn(function() end):is_finished()` }),
      fn("elapsed() -> number", "Milliseconds since it began, until it ended.", {
        example: `return std.task.spawn(function() end):elapsed()`,
      }),
    ]),
    shape("TaskScope", "Tasks that end together.", { "name: string?": "Its name." }, [
      fn("spawn(fn: fn() -> any, opts: TaskOptions?) -> TaskHandle", "Starts a task of the scope.", {
        params: { fn: "What it does.", opts: "`name` and `driver`." },
        example: `local h\nstd.task.scope(function(scope) h = scope:spawn(function() end) end)\nreturn h`,
      }),
      fn("cancel()", "Cancels all tasks of the scope.", {
        example: `local r\nstd.task.scope(function(scope) r = scope:cancel() end)\nreturn r`,
      }),
      fn("token() -> CancelToken", "The flag that says that the scope was cancelled.", {
        example: `local t\nstd.task.scope(function(scope) t = scope:token() end)\nreturn t`,
      }),
    ]),
    shape("CancelToken", "A flag that says stop.", {}, [
      fn("cancel()", "Sets it.", { example: `return std.task.cancel_token():cancel()` }),
      fn("is_cancelled() -> boolean", "Is it set?", { example: `return std.task.cancel_token():is_cancelled()` }),
      fn("check()", "Raises when it is set.", { errors: CANCELLED, example: `return std.task.cancel_token():check()` }),
    ]),
  ],
});
