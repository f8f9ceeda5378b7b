/**
 * Loaded into the process of every test file of `npm test`, which has built: threads and programs that the code under test
 * starts from its own source run the built code in its place. It is the same code, and starts in a third of the CPU time: a
 * thread that reads the source strips the types of some hundred files first, each time.
 */
import childProcess from "node:child_process";
import { existsSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import threads from "node:worker_threads";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const SOURCE = /^(?:packages|drivers)\/([\w-]+)\/src\/(.+)\.ts$/;

/** The built file of a source file of ours; undefined for every other path. */
export function builtOf(path: string): string | undefined {
  const [, name, file] = path.startsWith(ROOT) ? SOURCE.exec(path.slice(ROOT.length)) ?? [] : [];
  if (name === undefined) return undefined;
  const built = `${ROOT}build/node_modules/@atoll-run/${name}/dist/${file}.js`;
  return existsSync(built) ? built : undefined;
}

const { Worker } = threads;
threads.Worker = class extends Worker {
  constructor(file: string | URL, options?: threads.WorkerOptions) {
    const built = file instanceof URL ? builtOf(fileURLToPath(file)) : undefined;
    super(built === undefined ? file : pathToFileURL(built), options);
  }
};

const { spawn } = childProcess;
childProcess.spawn = ((command: string, args?: unknown, ...rest: unknown[]) => {
  const given = command === process.execPath && Array.isArray(args)
    ? args.map((arg: unknown) => (typeof arg === "string" ? builtOf(arg) ?? arg : arg)) : args;
  return Reflect.apply(spawn, childProcess, [command, given, ...rest]) as ReturnType<typeof spawn>;
}) as typeof spawn;
syncBuiltinESMExports();
