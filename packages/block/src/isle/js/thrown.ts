/** What QuickJS threw, as data. */
import { Terminate } from "../lua/vm-errors.ts";

export interface JsThrown {
  readonly name: string;
  readonly message: string;
  readonly stack: string;
}

export function isOutOfMemory(thrown: JsThrown): boolean {
  return thrown.name === "InternalError" && thrown.message === "out of memory";
}

/** Our own code failed: there was no room for it, or it has a bug. Either way the isle is over. */
export function toJsError(thrown: JsThrown): Terminate {
  if (isOutOfMemory(thrown)) return new Terminate("memory", "not enough memory");
  return new Terminate("crashed", `${thrown.name}: ${thrown.message}`);
}
