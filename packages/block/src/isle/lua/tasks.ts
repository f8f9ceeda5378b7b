/**
 * Cooperative tasks of one isle: the script, std.task tasks, bus handlers and callbacks are coroutines that
 * wait for the host or for each other. The scheduler decides which may go on; the VM resumes it.
 */

/** Pushes what a task waited for; gives the number of results, or −1 with an error on top. */
export interface Deliver {
  (L: number): number;
  /** Called instead when the task is never to have it. */
  drop?: () => void;
}

/** Why and for what a task is suspended. */
export interface Wait {
  /** Gives up what was asked of the host; called at most once, when the task is cancelled or aborted. */
  cancel(): void;
  /** Milliseconds (monotonic) at which a local timer settles it; for synchronous waits. */
  readonly dueAt?: number;
  /** True when only another task of this isle can settle it. */
  readonly local?: boolean;
  /** Nothing is waited for: the others have their turn, then the task goes on. */
  readonly turn?: boolean;
  /** What a soft cancel raises here; default `task cancelled`. */
  cancelled?(): Error;
}

export type TaskState = "ready" | "running" | "waiting" | "ended";
/** A body runs in the name of another task, so that it can be ended alone (std.task.with_timeout). */
export type TaskKind = "script" | "task" | "handler" | "callback" | "body";

export type TaskEnd = { readonly how: "returned" } | { readonly how: "failed" } | { readonly how: "aborted" };

export class Task {
  readonly id: number;
  readonly kind: TaskKind;
  /** The coroutine and the registry reference that keeps it. */
  readonly thread: number;
  readonly ref: number;
  name = "";
  state: TaskState = "ready";
  /** Pushes what the task waited for; called inside the coroutine, so Lua's memory errors stay catchable. */
  deliver: Deliver | null = null;
  /** Arguments of the function, already on the coroutine's stack for the first resume. */
  firstArgs = 0;
  begun = false;
  wait: Wait | null = null;
  /** A soft cancel does not end the wait: what is waited for is told of it, and ends. */
  shielded = false;
  /** Soft: `task cancelled` at each suspension point. */
  cancelled = false;
  /** Monotonic time of the abort; then bridges refuse and pcall rethrows. */
  abortedAt: number | null = null;
  raisedAt = -Infinity;
  /** Monotonic deadline of the event being handled. */
  deadlineAt = Infinity;
  /** Number of the event being handled, 0 outside a handler. */
  eventSeq = 0;
  /** What a task hands on to those it starts: see faces/own-doors. */
  context = 0;
  startedAt = 0;
  endedAt: number | null = null;
  end: TaskEnd | null = null;
  readonly onEnd: ((task: Task) => void)[] = [];
  /** What a cancel or an abort reaches beside the task itself: open scopes with their children. */
  readonly onCancel = new Set<(how: "cancel" | "abort") => void>();
  /** Where the error that ended it was raised. */
  traceback = "";
  /** What `tostring` gave for an error that is a table. */
  errorText = "";
  /** Task in whose name this one runs: itself, save for a body. */
  identity: Task = this;

  constructor(id: number, kind: TaskKind, thread: { thread: number; ref: number }) {
    this.id = id;
    this.kind = kind;
    this.thread = thread.thread;
    this.ref = thread.ref;
  }

  get aborting(): boolean {
    return this.abortedAt !== null;
  }
}

export class Scheduler {
  readonly live = new Set<Task>();
  /** Called after each end of a task. */
  onIdle: (() => void) | null = null;
  readonly #ready: Task[] = [];
  #nextId = 1;
  readonly #wake: () => void;

  constructor(wake: () => void) {
    this.#wake = wake;
  }

  create(kind: TaskKind, thread: { thread: number; ref: number }): Task {
    const task = new Task(this.#nextId++, kind, thread);
    this.live.add(task);
    return task;
  }

  /** May run again; nothing happens to one that has ended or waits its turn already. */
  ready(task: Task, deliver: Deliver | null): void {
    if (task.state === "ended") return;
    task.deliver = deliver;
    task.wait = null;
    task.state = "ready";
    this.#ready.push(task);
    this.#wake();
  }

  next(): Task | undefined {
    return this.#ready.shift();
  }

  get idle(): boolean {
    return this.#ready.length === 0;
  }

  ended(task: Task, end: TaskEnd, now: number): void {
    task.state = "ended";
    task.end = end;
    task.endedAt = now;
    task.wait = null;
    task.onCancel.clear();
    this.live.delete(task);
    for (const hear of task.onEnd) hear(task);
    task.onEnd.length = 0;
    this.onIdle?.();
  }
}
