/** The images of a thread, one for each kind of isle: kinds have different bridges. */
import { takeImage } from "../lua/image.ts";
import type { MemoryImage } from "../lua/memory-image.ts";
import type { IsleSetup } from "./protocol.ts";
import type { Tenant } from "./tenant.ts";

export class Images {
  readonly #known = new Map<string, MemoryImage | "once">();

  of(setup: IsleSetup): MemoryImage | undefined {
    const known = this.#known.get(kindOf(setup));
    return known === "once" ? undefined : known;
  }

  /** An isle was built, and nothing of its block is in it. The second of a kind leaves an image: more will come. */
  built({ setup, vm, bootGlobals }: Tenant): void {
    const kind = kindOf(setup);
    this.#known.set(kind, this.#known.has(kind) ? takeImage(vm.state, bootGlobals) : "once");
  }
}

/** All of a setup that the bridges are built by; whatever else differs is given to an isle afterwards. */
function kindOf({ role, textOnly }: IsleSetup): string {
  return `${role} ${textOnly ? "text" : "any"}`;
}
